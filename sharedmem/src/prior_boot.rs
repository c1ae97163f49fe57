//! What outlives a reset of the machine: the journal's ring, which stays where it is, and what is needed to read it.
//! Everything else in the control block is made anew.

use crate::control::{Control, NOTHING_RETAINED};
use crate::sync::Ordering::{Acquire, Relaxed, Release};

/// What an earlier boot left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorBoot {
    /// The journal's salt, without which its records cannot be read.
    pub salt: u64,
    /// The epoch of the last primary.
    pub epoch: u64,
    /// The journal's cursor of the same name.
    pub reserved: u64,
    /// The journal's cursor of the same name.
    pub applied: u64,
    /// The position from which the journal makes the whole state.
    pub retained: u64,
    /// The record that was being applied, and the suspect: see [`Applying`](crate::applying::Applying).
    pub applying: [u64; 2],
    /// How long the machine had run, in ns, as far as is known.
    pub time_ns: u64,
    /// How many clauses of the script of `exec=` had begun.
    pub script_position: u64,
}

impl PriorBoot {
    /// Reads what an earlier boot left in a control block. Returns `None` if its journal does not make the whole state.
    pub fn of(control: &Control) -> Option<Self> {
        let (header, journal) = (&control.header, &control.journal);
        let retained = journal.retained.load(Acquire);
        let reserved = journal.reserved.load(Acquire);
        // A primary that never wrote a record has left nothing to continue from.
        if retained == NOTHING_RETAINED || reserved == 0 {
            return None;
        }
        let run_ns = control
            .primary_keepalive
            .read()
            .map_or(0, |keepalive| keepalive.time_ns);
        Some(Self {
            salt: header.journal_salt.load(Relaxed),
            epoch: control.epoch.current(),
            reserved,
            applied: journal.applied.load(Acquire),
            retained,
            applying: journal.applying.save(),
            time_ns: header.time_before_ns.load(Relaxed).saturating_add(run_ns),
            script_position: control.debug.script_position.load(Relaxed),
        })
    }

    /// Writes it into the new control block of the same region. The next epoch continues where it ended.
    pub fn restore(&self, control: &Control) {
        let (header, journal) = (&control.header, &control.journal);
        header.time_before_ns.store(self.time_ns, Relaxed);
        control
            .debug
            .script_position
            .store(self.script_position, Relaxed);
        control.epoch.reset(self.epoch.saturating_add(1));
        journal.retained.store(self.retained, Release);
        journal.applying.restore(self.applying);
        journal.consumed.store(self.retained, Release);
        journal.applied.store(self.applied, Release);
        journal.reserved.store(self.reserved, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;

    #[test]
    fn a_journal_that_makes_the_state_is_gone_on_with_in_the_next_epoch() {
        let (old, new) = (Box::<Control>::default(), Box::<Control>::default());
        old.epoch.reset(7);
        old.journal.reserved.store(512, Relaxed);
        old.journal.applied.store(496, Relaxed);
        old.journal.consumed.store(480, Relaxed);
        old.journal.retained.store(64, Relaxed);
        old.journal.applying.begin(496);
        let left = PriorBoot::of(&old).unwrap();
        left.restore(&new);
        assert_eq!(new.epoch.current(), 8);
        let journal = &new.journal;
        let cursors = [
            &journal.reserved,
            &journal.applied,
            &journal.consumed,
            &journal.retained,
        ];
        assert_eq!(
            cursors.map(|cursor| cursor.load(Relaxed)),
            [512, 496, 64, 64]
        );
        assert_eq!(journal.applying.settle().map(|it| it.position), Some(496));
    }

    #[test]
    fn a_journal_that_does_not_make_the_state_is_left() {
        let control = Box::<Control>::default();
        assert_eq!(PriorBoot::of(&control), None, "nothing was ever written");
        control.journal.reserved.store(512, Relaxed);
        control.journal.retained.store(NOTHING_RETAINED, Relaxed);
        assert_eq!(PriorBoot::of(&control), None);
    }
}
