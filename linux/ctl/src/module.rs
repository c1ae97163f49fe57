//! The module as a trait: which kernel this is, its memory, its requests. [`sharedmem::device`] defines the interface.

use std::fs::File;

use nix::fcntl::Flock;
use sharedmem::Control;
use sharedmem::device::DeviceInfo;
use sharedmem::timeline::Edge;

use crate::problem::Problem;

/// The right to put a request into the mailbox; `None` in tests. It is a lock on the device's file.
pub type Turn = Option<Flock<File>>;

/// The module, or a fake in tests.
pub trait Module {
    /// Returns which kernel this is, now.
    ///
    /// # Errors
    /// Returns an error if the module refuses.
    fn info(&self) -> Result<DeviceInfo, Problem>;

    /// Returns the control block of the shared region. Its contents are claims.
    fn control(&self) -> &Control;

    /// Waits until no other program has a request in the mailbox. Others wait until the value is dropped.
    ///
    /// # Errors
    /// Returns an error if the system refuses.
    fn turn(&self) -> Result<Turn, Problem>;

    /// Stamps an edge of the timeline of the takeover that made this kernel the primary.
    ///
    /// # Errors
    /// Returns an error if there is no such edge, or if this kernel did not take over.
    fn stamp(&self, edge: Edge) -> Result<(), Problem>;

    /// Adds the memory that belongs to the primary's role. Returns the bytes added so far.
    ///
    /// # Errors
    /// Returns an error if Linux refuses.
    fn add_memory(&self) -> Result<u64, Problem>;

    /// Switches over. Returns only if that failed.
    fn switch_over(&self) -> Problem;

    /// Appends a record to the journal.
    ///
    /// # Errors
    /// Returns an error if there is no room, or if this is not the primary.
    fn append(&self, payload: &[u8]) -> Result<(), Problem>;

    /// Writes each part at its offset, in bytes, into the spare slot.
    ///
    /// # Errors
    /// Returns an error if a part does not fit, or if a backup waits there.
    fn stage(&self, parts: &[(u64, &[u8])]) -> Result<(), Problem>;
}
