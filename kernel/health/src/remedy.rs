//! What a primary does about a fault.

/// For how long a primary does not die of what its predecessor died of, in ns. So a card that stays broken costs a
/// takeover at most once in this time.
pub const CALM_NS: u64 = 60_000_000_000;

/// What a primary does about a fault of its service or its card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It dies, and the backup takes over.
    Die,
    /// It serves on as it can: it resets the card itself, or says that it does not answer.
    Repair,
}

impl Remedy {
    /// Chooses. A primary dies only while a backup can take over, and not soon after a predecessor that died of the
    /// same.
    pub fn choose(is_protected: bool, predecessor_died_of_it: bool, served_ns: u64) -> Self {
        let would_repeat = predecessor_died_of_it && served_ns < CALM_NS;
        match is_protected && !would_repeat {
            true => Self::Die,
            false => Self::Repair,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dies_only_while_a_backup_can_take_over() {
        assert_eq!(Remedy::choose(true, false, 0), Remedy::Die);
        assert_eq!(Remedy::choose(false, false, 0), Remedy::Repair);
        assert_eq!(Remedy::choose(false, false, u64::MAX), Remedy::Repair);
    }

    #[test]
    fn a_machine_whose_card_stays_broken_does_not_take_over_for_ever() {
        let (mut takeovers, mut served_ns, mut died_of_it) = (0, 0, false);
        // Ten minutes, a fault every 25 ms, and a backup that is always ready.
        for _ in 0..10 * 60 * 40 {
            served_ns += 25_000_000;
            if Remedy::choose(true, died_of_it, served_ns) == Remedy::Die {
                (takeovers, served_ns, died_of_it) = (takeovers + 1, 0, true);
            }
        }
        assert!((9..=11).contains(&takeovers), "{takeovers} takeovers");
    }
}
