//! What the supervisor's main loop tells the trap handlers beside it: the seat's keepalives, each of which answers one
//! of the primary's and says how often the main loop came round; and what a monitor does that cannot go on.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use sharedmem::Control;
use sharedmem::keepalive::SeatKeepalive;

/// How often the timer looks whether the main loop comes round, in ns.
pub const MAIN_LOOP_LOOK_NS: u64 = 100_000_000;

/// Looks without a round after which the main loop is stuck: three seconds, longer than anything that it does in one
/// piece. Looks are counted and not time, so a pause of the whole machine counts as one.
const LOOKS_MAX: u32 = 30;

/// No core's number.
const NOBODY: u32 = u32::MAX;

/// What the main loop and the interrupt handler beside it have in common.
pub struct KeepaliveAnswer {
    rounds: AtomicU64,
    sequence: AtomicU64,
    answers_to: AtomicU32,
    must_reset: AtomicBool,
    /// The rounds at the last look, and how many looks in a row have found as many.
    looked_at: AtomicU64,
    looks: AtomicU32,
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
            looked_at: AtomicU64::new(0),
            looks: AtomicU32::new(0),
        }
    }

    /// Counts a round of the main loop.
    #[inline]
    pub(crate) fn count_round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes whether a monitor that cannot go on must reset the machine, because nobody serves. Returns whether that
    /// begins to be so.
    #[inline]
    pub(crate) fn set_must_reset(&self, must_reset: bool) -> bool {
        let is_change = self.must_reset.load(Ordering::Relaxed) != must_reset;
        if is_change {
            self.must_reset.store(must_reset, Ordering::Release);
        }
        is_change && must_reset
    }

    /// Returns whether a monitor that cannot go on must reset the machine. If not, either somebody serves, or the
    /// operator does not want resets.
    pub fn must_reset(&self) -> bool {
        self.must_reset.load(Ordering::Acquire)
    }

    /// Looks whether the main loop is stuck while nobody serves, so that the monitor must end.
    pub fn is_stuck(&self) -> bool {
        let rounds = self.rounds.load(Ordering::Relaxed);
        if self.looked_at.swap(rounds, Ordering::Relaxed) != rounds || !self.must_reset() {
            self.looks.store(0, Ordering::Relaxed);
            return false;
        }
        self.looks.fetch_add(1, Ordering::Relaxed) >= LOOKS_MAX
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
        let mut keepalive = SeatKeepalive::first(control.epoch.current(), 1);
        keepalive.sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        keepalive.time_ns = now_ns;
        keepalive.progress[0] =
            self.rounds.load(Ordering::Relaxed) + control.backup.progress.load(Ordering::Relaxed);
        control.seat_keepalive.publish(&keepalive);
        let core = self.answers_to.load(Ordering::Acquire);
        (core != NOBODY).then_some(core)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_loop_that_does_not_come_round_is_stuck_only_while_nobody_serves() {
        let answer = KeepaliveAnswer::new();
        let look = |times| (0..times).fold(false, |_, _| answer.is_stuck());
        assert!(!look(10 * LOOKS_MAX));
        answer.set_must_reset(true);
        answer.count_round();
        assert!(!look(LOOKS_MAX));
        answer.count_round();
        assert!(!look(LOOKS_MAX + 1));
        assert!(look(1));
    }
}
