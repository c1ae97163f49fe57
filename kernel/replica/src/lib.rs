//! What a native instance is without its machine: the service's state, the journal that state is made from, and the primary's way into the journal.
//!
//! - [`ReplicaState`]: what the records make. A backup that follows, a new primary that recovers and a primary that commits apply the same records in the same way.
//! - [`Replica`]: state and journal. The backup's side, and the step from backup to primary.
//! - [`JournaledService`]: the primary's side: commit first, then apply; room in the journal; checkpoints.
//! - [`BackupMonitor`]: what the primary knows of its backup.
//!
//! The kernel around it is behind one trait, [`Host`]; so the code that decides in the kernel is the code that is simulated.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod backup_monitor;
mod checkpoint;
mod host;
mod journaled_service;
mod replica;
mod state;

pub use backup_monitor::{BackupMonitor, BackupView};
pub use host::{Host, ReplicaLimits};
pub use journaled_service::JournaledService;
pub use replica::{Replica, SharedJournal, open_journal};
pub use state::{CONSOLE_CONNECTION, ReplicaState};
