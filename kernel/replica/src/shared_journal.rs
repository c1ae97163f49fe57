//! The journal in the region that the kernels share.

use journal::{Journal, Owner, Reader};
use sharedmem::sync::{AtomicU64, Ordering};

use crate::host::Host;

/// The journal in the shared region.
pub type SharedJournal = Journal<'static, &'static [AtomicU64]>;

/// The journal in the shared region, as the primary has it.
pub(crate) type SharedOwner = Owner<'static, &'static [AtomicU64]>;

/// A reader of the journal in the shared region.
pub(crate) type SharedReader = Reader<'static, &'static [AtomicU64]>;

/// Opens the journal in the host's shared region.
///
/// # Panics
/// The ring is smaller than the least that a plan gives it.
pub fn open_journal(host: &impl Host) -> SharedJournal {
    let region = host.region();
    let control = region.control;
    Journal::salted(region.journal, &control.journal, salt(host), host.crc())
        .expect("the plan gives the journal its least size")
}

/// Returns the journal's salt as the region has it.
pub(crate) fn salt(host: &impl Host) -> u64 {
    let header = &host.region().control.header;
    header.journal_salt.load(Ordering::Relaxed)
}
