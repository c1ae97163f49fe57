//! The epoch in which this instance owns the machine.

use core::sync::atomic::{AtomicU64, Ordering};

static EPOCH: AtomicU64 = AtomicU64::new(0);

/// Notes that this instance owns the machine in `epoch`.
pub fn begin(epoch: u64) {
    EPOCH.store(epoch, Ordering::Release);
}

/// Returns the epoch in which this instance owns the machine; 0 before it does.
pub fn own() -> u64 {
    EPOCH.load(Ordering::Acquire)
}
