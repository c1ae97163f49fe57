//! What the module offers: who this kernel is, its memory, its requests. The interface is [`sharedmem::device`].

use sharedmem::Control;
use sharedmem::device::DeviceInfo;
use sharedmem::timeline::Edge;

use crate::problem::Problem;

/// The module, or what stands for it in tests.
pub trait Module {
    /// Who this kernel is now.
    ///
    /// # Errors
    /// The module refuses.
    fn info(&self) -> Result<DeviceInfo, Problem>;

    /// The control block of the shared region. What is in it is a claim.
    fn control(&self) -> &Control;

    /// Stamps an edge of the timeline of the takeover that made this kernel the primary.
    ///
    /// # Errors
    /// There is no such edge, or this kernel did not take over.
    fn stamp(&self, edge: Edge) -> Result<(), Problem>;

    /// Adds the memory that comes with the role. Returns the bytes added up to now.
    ///
    /// # Errors
    /// Linux refuses.
    fn add_memory(&self) -> Result<u64, Problem>;

    /// Hands over. Returns only if that did not happen.
    fn switch_over(&self) -> Problem;

    /// Appends a record to the journal.
    ///
    /// # Errors
    /// There is no room, or this is not the primary.
    fn append(&self, payload: &[u8]) -> Result<(), Problem>;

    /// Writes each part at its offset, in bytes, into the spare slot.
    ///
    /// # Errors
    /// It does not fit, or a backup waits there.
    fn stage(&self, parts: &[(u64, &[u8])]) -> Result<(), Problem>;
}
