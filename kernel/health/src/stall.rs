//! Work that waits and does not go on.

/// For how long work may wait without progress before what should do it counts as broken, in ns.
pub const STALL_NS_MAX: u64 = 2_000_000_000;

/// Most time that counts between two looks, in ns. A machine that was stopped meanwhile has not waited.
const STEP_NS_MAX: u64 = 50_000_000;

/// For how long something has been waiting without progress, in time that this kernel was there.
#[derive(Clone, Debug, Default)]
pub struct Stall {
    last_ns: Option<u64>,
    progress: u64,
    waited_ns: u64,
}

impl Stall {
    /// Notes at `now_ns` whether something waits, and a count that changes with each progress. Returns for how long it
    /// has waited without progress, in ns.
    ///
    /// Only time between looks counts, and little of a long one. A clock that goes back counts as one that stands.
    pub fn look(&mut self, now_ns: u64, waits: bool, progress: u64) -> u64 {
        let step_ns = self
            .last_ns
            .map_or(0, |last_ns| now_ns.saturating_sub(last_ns))
            .min(STEP_NS_MAX);
        self.last_ns = Some(now_ns);
        if !waits || progress != self.progress {
            self.waited_ns = 0;
        } else {
            self.waited_ns = self.waited_ns.saturating_add(step_ns);
        }
        self.progress = progress;
        self.waited_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn waiting_adds_up_until_there_is_progress() {
        let mut stall = Stall::default();
        assert_eq!(stall.look(0, true, 1), 0);
        assert_eq!(stall.look(10 * MS, true, 1), 10 * MS);
        assert_eq!(stall.look(30 * MS, true, 1), 30 * MS);
        assert_eq!(stall.look(40 * MS, true, 2), 0);
        assert_eq!(stall.look(50 * MS, true, 2), 10 * MS);
        assert_eq!(stall.look(60 * MS, false, 2), 0);
        assert_eq!(stall.look(70 * MS, true, 2), 10 * MS);
    }

    #[test]
    fn a_machine_that_was_stopped_has_not_waited() {
        let mut stall = Stall::default();
        stall.look(0, true, 0);
        stall.look(10 * MS, true, 0);
        assert_eq!(stall.look(5_000 * MS, true, 0), 60 * MS);
        assert_eq!(stall.look(u64::MAX, true, 0), 110 * MS);
    }

    #[test]
    fn a_clock_that_goes_back_adds_nothing() {
        let mut stall = Stall::default();
        stall.look(500 * MS, true, 0);
        assert_eq!(stall.look(100 * MS, true, 0), 0);
        assert_eq!(stall.look(110 * MS, true, 0), 10 * MS);
    }

    #[test]
    fn slow_progress_is_progress() {
        let mut stall = Stall::default();
        for round in 0..1_000 {
            let waited_ns = stall.look(round * 100 * MS, true, round / 10);
            assert!(waited_ns <= 450 * MS, "round {round}: {waited_ns}");
        }
    }
}
