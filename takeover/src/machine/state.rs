//! The states of the machine, of its backup, and of what follows the primary.

use sharedmem::cause::BackupLoss;

use crate::event::Stage;
use crate::fence::Fence;
use crate::notice::Refusal;

/// The state of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No keepalive of the first primary was seen yet.
    Booting,
    /// The primary is watched; a backup is ready, or is loading.
    Watching,
    /// The primary is watched; there is no backup.
    Unprotected,
    /// The primary is dead; the backup is still loading.
    Holding {
        /// When the wait for the backup ends, in ns.
        until_ns: u64,
    },
    /// The cores of the dead primary are being stopped.
    Fencing(Fence),
    /// The old primary is stopped; the executor works on this stage for the new one.
    Preparing(Stage),
    /// The backup was promoted, or the same image was started again; its first keepalive is awaited.
    Promoting,
    /// The takeover was given up; only [`Event::RetryRequested`](crate::Event::RetryRequested) begins it again.
    Refused(Refusal),
    /// The primary is dead, and there is no backup.
    Dead,
    /// The primary was told to halt, or to power the machine off. Nobody is watched, and nobody takes over.
    Stopped,
}

/// The state of the backup on the seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backup {
    /// It was loaded, and is getting ready.
    Loading,
    /// It may be promoted.
    Ready,
    /// There is none.
    Lost(BackupLoss),
}

/// Which image follows the primary once it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Successor {
    /// The backup's.
    Backup,
    /// The same, started again.
    Same,
}
