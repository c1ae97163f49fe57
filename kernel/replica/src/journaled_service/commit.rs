//! Commits a record: appends it, then applies it. If there is no room, waits for the backup, but not for ever.

use alloc::vec::Vec;

use journal::{AppendError, Appended};
use network::Fact;
use sharedmem::RecordKind;
use sharedmem::event::RetentionLost;

use super::JournaledService;
use super::room_wait::{Patience, RoomWait};
use crate::host::Host;
use crate::replica::Replica;

impl<H: Host> JournaledService<H> {
    /// Commits a record, then applies it. If there is no room, waits for the backup as long as the backup gets on.
    pub(super) fn commit(
        &mut self,
        kind: RecordKind,
        encode: impl FnOnce(&mut Vec<u8>),
        apply: impl FnOnce(&mut Replica<H>),
    ) {
        self.replica.compose(encode);
        let appended = self.append(kind);
        self.journal.begin_applying(appended);
        apply(&mut self.replica);
        self.journal.end_applying(appended);
        if !self.is_followed() {
            self.journal.free_applied();
        }
    }

    /// Commits a fact about a connection. An impossible one is not committed: the backup could not apply it either.
    pub(super) fn commit_fact(&mut self, fact: &Fact) {
        if let Err(error) = self.replica.flows().check(fact) {
            return self.doubt_memory(&error);
        }
        self.commit(
            RecordKind::Connection,
            |payload| fact.encode(payload),
            |replica| replica.apply_fact(fact),
        );
    }

    fn append(&mut self, kind: RecordKind) -> Appended {
        let mut wait = None;
        loop {
            let payload: &[&[u8]] = &[self.replica.composed()];
            let error = match self.journal.append(self.epoch, kind.into(), payload) {
                Ok(appended) => return appended,
                Err(AppendError::Overwritten(_)) => {
                    self.check_words();
                    continue;
                }
                Err(error) => error,
            };
            match error {
                // If the cursors make no sense, the one that this primary does not write is wrong. A backup that lives
                // writes it again.
                AppendError::Full { .. } | AppendError::CursorsCorrupt { .. } => {
                    let wait = wait.get_or_insert_with(|| RoomWait::begin(self.host.now_ns()));
                    self.make_room(&error, wait);
                }
                error => panic!("the journal cannot be written: {error}"),
            }
        }
    }

    /// Makes room in a full journal: waits a little for the backup, or gives up one that is dead or stands still.
    fn make_room(&mut self, error: &AppendError, wait: &mut RoomWait) {
        // This counts as work, because the wait has an end.
        self.host.advance();
        let control = self.host.region().control;
        if !self.is_primary() {
            self.host.superseded(control.epoch.current());
        }
        let signs = [
            self.replica.journal().cursors().consumed,
            control
                .backup
                .progress
                .load(sharedmem::sync::Ordering::Relaxed),
        ];
        let patience = wait.look(self.host.now_ns(), signs);
        if patience == Patience::Exhausted {
            panic!("the journal cannot be written, and nobody makes room: {error}");
        }
        if self.retain_nothing_more() {
            return;
        }
        let is_silent = self.backup.look(&self.host).is_loss();
        if !self.is_followed() {
            self.journal.free_applied();
        } else if (is_silent || patience == Patience::Over) && control.protection.drop_backup() {
            log::error!(
                "{error}: the backup does not get on, is given up, and the journal goes on without it"
            );
        }
        self.host.pause();
    }

    /// Gives up what is retained, if that takes the room. Returns whether it did.
    fn retain_nothing_more(&mut self) -> bool {
        let journal = self.replica.journal();
        let is_in_the_way = journal
            .retained()
            .is_some_and(|position| position < journal.cursors().consumed);
        if is_in_the_way {
            log::warn!("{}", RetentionLost {});
            self.journal.retain(None);
        }
        is_in_the_way
    }

    /// Returns whether a backup, alive or silent, may still need the journal. A parked Linux never reads it.
    fn is_followed(&self) -> bool {
        use sharedmem::protection::ProtectionState::{Armed, Claimed, Filling};
        let control = self.host.region().control;
        let is_armed = matches!(control.protection.state(), Armed | Claimed | Filling);
        let other = self.host.instance().other();
        is_armed && control.resume_slots[other].ticket().is_none()
    }
}
