//! A native instance without its machine: the service's state, the journal it is made from, and how a primary commits.
//!
//! - [`ReplicaState`]: the state that the records make. A backup that follows, a new primary that recovers and a
//!   primary that commits apply the same records in the same way.
//! - [`Replica`]: state and journal. A backup follows and recovers with it.
//! - [`JournaledService`]: a primary commits with it: journal first, then apply; room in the journal; checkpoints.
//! - [`BackupMonitor`]: what a primary knows of its backup.
//! - [`StateWatch`]: what a primary knows of the soundness of its own state.
//! - [`MonitorSilence`]: whether the monitor itself is dead.
//!
//! The kernel around it is one trait, [`Host`]. So the code that decides in the kernel is the code that is simulated.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod backup_monitor;
mod canary;
mod checkpoint;
mod digest;
mod doubt;
mod effects;
mod findings;
mod host;
mod journaled_service;
mod monitor_silence;
mod replica;
mod shared_journal;
mod state;
mod state_watch;
mod vigil;

pub use backup_monitor::BackupMonitor;
pub use canary::CanaryError;
pub use checkpoint::CheckpointedState;
pub use host::{Host, ReplicaLimits, ReplicationStatus};
pub use journaled_service::{Inherited, JournaledService};
pub use monitor_silence::MonitorSilence;
pub use replica::Replica;
pub use shared_journal::{SharedJournal, open_journal};
pub use state::ReplicaState;
pub use state_watch::StateWatch;
