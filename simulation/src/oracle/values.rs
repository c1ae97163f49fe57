//! A value in memory of which a bit changes: the kernel that has it must find that in time, and nobody else may believe
//! that it has one.

use std::cell::{Cell, RefCell};

use sharedmem::cause::BackupLoss;

use super::Law;
use crate::machine::MS;

/// The key whose value changes by itself. No client knows it.
pub const KEY: &[u8] = b"resting";
/// Its value.
pub const VALUE: &[u8] = b"what was stored once and is never asked for again";

/// Time within which a change must be found, in ns, beside the time in which the machine stood still.
const FOUND_NS: u64 = 1_000 * MS;

/// An incarnation in whose memory a bit has changed, and when.
struct Flip {
    incarnation: u32,
    at_ns: u64,
}

/// What is known of values that changed by themselves.
#[derive(Default)]
pub struct Values {
    /// Those that nobody has found yet.
    flips: RefCell<Vec<Flip>>,
    /// A primary had a changed value, so later kernels may have got it from that one.
    is_handed_on: Cell<bool>,
}

impl Values {
    /// Records that a bit changes in the memory of an incarnation.
    pub fn flips(&self, incarnation: u32, at_ns: u64, is_primary: bool) {
        let flip = Flip { incarnation, at_ns };
        self.flips.borrow_mut().push(flip);
        self.is_handed_on.set(self.is_handed_on.get() || is_primary);
    }

    /// Records that an incarnation has found its changed value, or is gone.
    pub fn found(&self, incarnation: u32) {
        let is_another = |flip: &Flip| flip.incarnation != incarnation;
        self.flips.borrow_mut().retain(is_another);
    }

    /// Returns whether no changed value is left to be found.
    pub fn are_found(&self) -> bool {
        self.flips.borrow().is_empty()
    }

    /// Checks how a call of a waiting backup ended. One that differs from its primary must have a reason.
    pub fn waits(&self, incarnation: u32, loss: Option<BackupLoss>) -> Law {
        let is_its = |flip: &Flip| flip.incarnation == incarnation;
        let is_excused = match loss {
            Some(BackupLoss::Corrupt) => self.flips.borrow().iter().any(is_its),
            Some(BackupLoss::Diverged) => self.is_handed_on.get(),
            _ => true,
        };
        if loss.is_some() {
            self.found(incarnation);
        }
        match (is_excused, loss) {
            (false, Some(loss)) => Err(format!(
                "a backup is given up that is as it should be: {loss}"
            )),
            _ => Ok(()),
        }
    }

    /// Checks what a new primary has. Nobody else lives; it has as long as any to find what is wrong with it.
    pub fn begins(&self, incarnation: u32, now_ns: u64, value: Option<&[u8]>) -> Law {
        let mut flips = self.flips.borrow_mut();
        flips.retain(|flip| flip.incarnation == incarnation);
        flips.iter_mut().for_each(|flip| flip.at_ns = now_ns);
        let is_struck = !flips.is_empty();
        self.is_handed_on.set(self.is_handed_on.get() || is_struck);
        match value {
            Some(value) if value != VALUE && !self.is_handed_on.get() => {
                Err("a damaged value is handed on that was found".into())
            }
            _ => Ok(()),
        }
    }

    /// Checks that no changed value is left for longer than it may be, in a machine that stood still for `still_ns`.
    pub fn look(&self, now_ns: u64, still_ns: u64) -> Law {
        let limit_ns = FOUND_NS + still_ns;
        let is_late = |flip: &Flip| now_ns.saturating_sub(flip.at_ns) > limit_ns;
        match self.flips.borrow().iter().find(|flip| is_late(flip)) {
            None => Ok(()),
            Some(flip) => Err(format!(
                "incarnation {} has a changed value, and nobody finds it for {} ms",
                flip.incarnation,
                limit_ns / MS
            )),
        }
    }

    /// Forgets everything, because the machine is reset.
    pub fn forget(&self) {
        self.flips.borrow_mut().clear();
    }
}
