//! What a waiting backup does about damage that costs it nothing yet: it restores its own word, begins again, waits.
//! Each of these has an end.

use alloc::string::ToString;

use sharedmem::own_word::OwnWord;
use sharedmem::protection::ProtectionState;
use sharedmem::sync::Ordering::Acquire;

use crate::doubt::Doubt;
use crate::findings::log_restored;
use crate::host::Host;
use crate::shared_journal::SharedJournal;

/// So often a backup that is being filled discards what it has, because of damage, and waits for another checkpoint.
const DISCARDS_MAX: u32 = 8;

/// The cursors may make no sense to a backup for this time, in ns. A primary that lives restores them in each round.
const ASTRAY_NS_MAX: u64 = 1_000_000_000;

/// What a backup remembers of such damage.
#[derive(Default)]
pub(crate) struct Vigil {
    /// The cursor `consumed`, while only this backup writes it.
    consumed: Option<OwnWord<'static>>,
    restored: u64,
    discards: u32,
    astray_since_ns: Option<u64>,
}

impl Vigil {
    /// Notes that a new reader begins, which has set the cursor.
    pub fn begin_reading(&mut self) {
        self.consumed = None;
    }

    /// Writes the cursor `consumed` again if somebody else wrote it. Without a backup that counts, the primary does.
    pub fn keep_consumed(&mut self, host: &impl Host, position: u64) {
        let control = host.region().control;
        let is_own = matches!(
            control.protection.state(),
            ProtectionState::Armed | ProtectionState::Filling
        );
        match (is_own, &self.consumed) {
            (false, _) => self.consumed = None,
            (true, None) => {
                let mut consumed = OwnWord::adopt("consumed", &control.journal.consumed);
                consumed.set(position);
                self.consumed = Some(consumed);
            }
            (true, Some(consumed)) => {
                // A primary that begins declares everything consumed that it has recovered.
                let primarys = consumed.value()..=control.journal.applied.load(Acquire);
                let overwritten = consumed.restore();
                if let Some(overwritten) = overwritten.filter(|it| !primarys.contains(&it.found)) {
                    self.restored += 1;
                    log_restored(&overwritten, self.restored);
                }
            }
        }
    }

    /// Notes that everything below `position` was applied.
    pub fn mark_consumed(&mut self, journal: &SharedJournal, position: u64) {
        match &mut self.consumed {
            Some(consumed) => consumed.set(position),
            None => journal.mark_consumed(position),
        }
    }

    /// Returns whether a backup that is being filled may discard its state because of damage and go on. If it
    /// `has_begun`, that is one of a limited number of times.
    pub fn may_discard(&mut self, has_begun: bool) -> bool {
        self.discards += u32::from(has_begun);
        self.discards <= DISCARDS_MAX
    }

    /// Notes whether the cursors made sense at `now_ns`, seen from `position`. If they have not for too long, returns
    /// that nothing will come of it.
    pub fn note_astray(&mut self, is_astray: bool, now_ns: u64, position: u64) -> Option<Doubt> {
        if !is_astray {
            self.astray_since_ns = None;
            return None;
        }
        let since_ns = *self.astray_since_ns.get_or_insert(now_ns);
        (now_ns.saturating_sub(since_ns) >= ASTRAY_NS_MAX).then(|| Doubt::Damaged {
            position,
            what: "the journal's cursors make no sense for a second".to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_backup_that_finds_only_damage_discards_its_state_eight_times() {
        let mut vigil = Vigil::default();
        for _ in 0..DISCARDS_MAX {
            assert!(vigil.may_discard(true));
            // More damage before the next checkpoint is the same damage.
            assert!((0..100).all(|_| vigil.may_discard(false)));
        }
        assert!(!vigil.may_discard(true));
    }

    #[test]
    fn cursors_that_make_no_sense_for_a_second_cost_the_backup() {
        let mut vigil = Vigil::default();
        assert!((0..1_000).all(|ms| vigil.note_astray(true, ms * MS, 64).is_none()));
        assert!(vigil.note_astray(true, 1_000 * MS, 64).is_some());
        let mut vigil = Vigil::default();
        assert!((0..5_000).all(|ms| vigil.note_astray(ms % 900 != 0, ms * MS, 64).is_none()));
    }
}
