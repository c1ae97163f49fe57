//! How long a primary waits for its backup to make room in the journal.
//!
//! Such a wait counts as work for the monitor, so it must end: a backup may look alive and free nothing for ever.

/// The backup may show no sign of work for this time, in ns. The monitor gives up one that stands still for a second.
const STILL_NS_MAX: u64 = 1_500_000_000;
/// The whole wait takes this time at most, in ns, even if the backup works all the while.
const WAIT_NS_MAX: u64 = 10_000_000_000;
/// Without a backup that could be in the way, there must be room after this time, in ns.
const EXHAUSTED_NS: u64 = 1_000_000_000;

/// What a waiting primary does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It waits.
    Lasts,
    /// It gives the backup up.
    Over,
    /// The backup was given up, and there is no room all the same.
    Exhausted,
}

/// A wait for room.
#[derive(Clone, Copy, Debug)]
pub struct RoomWait {
    begun_ns: u64,
    moved_ns: u64,
    signs: Option<[u64; 2]>,
    over_ns: Option<u64>,
}

impl RoomWait {
    /// Begins to wait at `now_ns`.
    pub fn begin(now_ns: u64) -> Self {
        Self {
            begun_ns: now_ns,
            moved_ns: now_ns,
            signs: None,
            over_ns: None,
        }
    }

    /// Looks at `now_ns`. `signs` change while the backup works.
    pub fn look(&mut self, now_ns: u64, signs: [u64; 2]) -> Patience {
        if self.signs.replace(signs) != Some(signs) {
            self.moved_ns = now_ns;
        }
        let is_over = now_ns.saturating_sub(self.moved_ns) >= STILL_NS_MAX
            || now_ns.saturating_sub(self.begun_ns) >= WAIT_NS_MAX;
        if is_over {
            self.over_ns.get_or_insert(now_ns);
        }
        match self.over_ns {
            None => Patience::Lasts,
            Some(over_ns) if now_ns.saturating_sub(over_ns) >= EXHAUSTED_NS => Patience::Exhausted,
            Some(_) => Patience::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Returns when the backup is given up, and when the primary gives up itself, in ms after the beginning.
    fn ends_ms(signs: impl Fn(u64) -> [u64; 2]) -> (u64, u64) {
        let mut wait = RoomWait::begin(7 * MS);
        let mut first = |wanted| {
            let mut times = 0..100_000;
            let at = times.find(|ms| wait.look((7 + ms) * MS, signs(*ms)) == wanted);
            at.expect("a wait ends")
        };
        (first(Patience::Over), first(Patience::Exhausted))
    }

    #[test]
    fn a_backup_that_stands_still_is_waited_for_for_a_second_and_a_half() {
        assert_eq!(ends_ms(|_| [0, 0]), (1_500, 2_500));
        assert_eq!(ends_ms(|ms| [ms.min(800), 0]), (2_300, 3_300));
    }

    #[test]
    fn a_backup_that_only_seems_to_work_is_waited_for_for_ten_seconds() {
        assert_eq!(ends_ms(|ms| [0, ms]), (10_000, 11_000));
        // A cursor that goes back and forth is no end either.
        assert_eq!(ends_ms(|ms| [ms % 2, 0]), (10_000, 11_000));
    }
}
