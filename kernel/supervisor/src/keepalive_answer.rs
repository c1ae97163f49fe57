//! The seat's keepalives: each answers one of the primary's, and says how often the main loop came round.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use sharedmem::Control;
use sharedmem::keepalive::Keepalive;

/// No core's number.
const NOBODY: u32 = u32::MAX;

/// What the main loop and the interrupt handler beside it have in common.
pub struct KeepaliveAnswer {
    rounds: AtomicU64,
    sequence: AtomicU64,
    answers_to: AtomicU32,
}

impl Default for KeepaliveAnswer {
    fn default() -> Self {
        Self::new()
    }
}

impl KeepaliveAnswer {
    /// Makes an answer that has seen no round and is sent to nobody.
    pub const fn new() -> Self {
        Self {
            rounds: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
            answers_to: AtomicU32::new(NOBODY),
        }
    }

    /// Counts a round of the main loop.
    #[inline]
    pub(crate) fn count_round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// Sets the core to which keepalives go; `None` if the primary polls for them.
    pub(crate) fn answer_to(&self, core: Option<u32>) {
        self.answers_to
            .store(core.unwrap_or(NOBODY), Ordering::Release);
    }

    /// Leaves the answer to the primary's keepalive, which came at `now_ns`, in its slot. Returns the core to
    /// interrupt, if one is to be.
    #[inline]
    pub fn answer(&self, control: &Control, now_ns: u64) -> Option<u32> {
        let mut keepalive = Keepalive::first(control.epoch.current(), 1);
        keepalive.sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        keepalive.time_ns = now_ns;
        keepalive.progress[0] =
            self.rounds.load(Ordering::Relaxed) + control.backup.progress.load(Ordering::Relaxed);
        control.seat_keepalive.publish(&keepalive);
        let core = self.answers_to.load(Ordering::Acquire);
        (core != NOBODY).then_some(core)
    }
}
