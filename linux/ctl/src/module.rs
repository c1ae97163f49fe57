//! What the module offers: who this kernel is, its memory, its requests. The interface is `linux/module/understudy.h`.

use sharedmem::{Control, Instance, Revisions};

use crate::problem::Problem;

/// Role of this kernel.
pub const ROLE_PRIMARY: u32 = 1;

/// Was parked and took over.
pub const FLAG_RESUMED: u32 = 1 << 1;

/// failover_rearm=auto.
pub const FLAG_REARM_AUTO: u32 = 1 << 2;

/// `struct understudy_info`: who this kernel is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// ABI revision of monitor and module.
    pub abi_revision: u32,
    /// Journal revision of both.
    pub journal_revision: u32,
    /// The instance, by its number.
    pub instance: u32,
    /// [`ROLE_PRIMARY`], or 2.
    pub role: u32,
    /// `FLAG_*`.
    pub flags: u32,
    /// The CPU that sends the keepalives.
    pub lead_cpu: u32,
    /// The epoch in which this kernel became the primary.
    pub epoch: u64,
    /// Physical address and length of the shared region.
    pub shared: [u64; 2],
    /// Of the memory offered as a disk.
    pub pmem: [u64; 2],
    /// Of this instance's slot.
    pub slot: [u64; 2],
    /// Of the next backup's.
    pub spare: [u64; 2],
    /// Memory that comes with the role, in bytes.
    pub pool_bytes: u64,
    /// How much of it was added.
    pub added_bytes: u64,
}

impl Info {
    /// Whether this kernel owns the machine.
    pub fn is_primary(&self) -> bool {
        self.role == ROLE_PRIMARY
    }

    /// Returns the revisions that monitor and module speak.
    pub fn revisions(&self) -> Revisions {
        Revisions {
            abi: self.abi_revision,
            journal: self.journal_revision,
        }
    }

    /// Returns which instance this is.
    pub fn instance(&self) -> Instance {
        // The module refuses a hand-off with another number.
        Instance::from_number(self.instance.into()).unwrap_or(Instance::A)
    }
}

/// The module, or what stands for it in tests.
pub trait Module {
    /// Who this kernel is now.
    ///
    /// # Errors
    /// The module refuses.
    fn info(&self) -> Result<Info, Problem>;

    /// The control block of the shared region. What is in it is a claim.
    fn control(&self) -> &Control;

    /// Stamps an edge of the timeline of the takeover that made this kernel the primary.
    ///
    /// # Errors
    /// There is no such edge, or this kernel did not take over.
    fn stamp(&self, edge: u32) -> Result<(), Problem>;

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
