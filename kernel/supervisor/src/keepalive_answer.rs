//! What the supervisor's main loop tells the trap handlers beside it: the seat's keepalives, each of which answers one
//! of the primary's and says how often the main loop came round; and what a monitor does that cannot go on.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use sharedmem::Control;
use sharedmem::keepalive::Keepalive;

/// No core's number.
const NOBODY: u32 = u32::MAX;

/// What the main loop and the interrupt handler beside it have in common.
pub struct KeepaliveAnswer {
    rounds: AtomicU64,
    sequence: AtomicU64,
    answers_to: AtomicU32,
    must_reset: AtomicBool,
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
            must_reset: AtomicBool::new(false),
        }
    }

    /// Counts a round of the main loop.
    #[inline]
    pub(crate) fn count_round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes whether a monitor that cannot go on must reset the machine, because nobody serves.
    pub(crate) fn set_must_reset(&self, must_reset: bool) {
        self.must_reset.store(must_reset, Ordering::Release);
    }

    /// Returns whether a monitor that cannot go on must reset the machine. If not, either somebody serves, or the
    /// operator does not want resets.
    pub fn must_reset(&self) -> bool {
        self.must_reset.load(Ordering::Acquire)
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
