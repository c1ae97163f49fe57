//! The backup: it gets ready, early or late; it is lost, and perhaps replaced.

use sharedmem::cause::BackupLoss;

use super::{Backup, Machine, State, Successor, push};
use crate::action::{Action, Actions};
use crate::event::Event;
use crate::notice::Notice;

impl Machine {
    pub(super) fn on_backup(&mut self, event: Event<'_>, out: &mut Actions) {
        use State::{
            Booting, Dead, Fencing, Holding, Preparing, Promoting, Refused, Unprotected, Watching,
        };
        match (self.state, event) {
            (Booting | Promoting | Fencing(_) | Preparing(_) | Refused(_), Event::BackupReady)
                if self.is_loading() =>
            {
                self.backup = Backup::Ready
            }
            (Watching, Event::BackupReady) if self.is_loading() => {
                self.backup = Backup::Ready;
                push(out, Action::Notify(Notice::Protected));
            }
            (Holding { .. } | Dead, Event::BackupReady) if self.is_loading() => {
                self.backup = Backup::Ready;
                self.judge(out);
            }

            (_, Event::BackupLost(loss)) if !self.is_lost() => self.backup_lost(loss, out),

            (Booting | Promoting | Fencing(_) | Preparing(_) | Refused(_), Event::Rearmed)
                if self.is_lost() =>
            {
                self.backup = Backup::Loading
            }
            (Unprotected, Event::Rearmed) => {
                self.backup = Backup::Loading;
                self.state = Watching;
            }
            (Dead, Event::Rearmed) if self.is_lost() => {
                self.backup = Backup::Loading;
                self.judge(out);
            }

            _ => {}
        }
    }

    fn is_loading(&self) -> bool {
        self.backup == Backup::Loading
    }

    pub(super) fn is_lost(&self) -> bool {
        matches!(self.backup, Backup::Lost(_))
    }

    fn backup_lost(&mut self, loss: BackupLoss, out: &mut Actions) {
        self.backup = Backup::Lost(loss);
        push(out, Action::Notify(Notice::Unprotected(loss)));
        match self.state {
            State::Booting
            | State::Promoting
            | State::Unprotected
            | State::Dead
            | State::Stopped => {}
            State::Watching => self.state = State::Unprotected,
            // A restart under way needs no backup.
            _ if self.successor == Successor::Same => {}
            State::Holding { .. } | State::Fencing(_) | State::Preparing(_) | State::Refused(_) => {
                self.judge(out)
            }
        }
    }
}
