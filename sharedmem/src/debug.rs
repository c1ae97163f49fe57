//! Fault injection.

use crate::numbered::numbered;
use crate::sync::{AtomicU64, Ordering};

numbered! {
    /// What the next promoted instance must do at once.
    pub enum PromotionFault {
        Panic = 1, "panic", "it must panic";
        Hang = 2, "hang", "it must hang";
    }
}

/// Words of fault injection and scripts; used only with `debug=1` or `qualify=`. Writer: the primary.
#[repr(C)]
#[derive(core::fmt::Debug, Default)]
pub struct Debug {
    /// Not 0: the backup must panic in its next step.
    pub panic_backup: AtomicU64,
    /// Not 0: the backup must loop for ever in its next step.
    pub hang_backup: AtomicU64,
    /// When the last fault was injected, in ns since the machine's boot; 0 if none was.
    pub injected_ns: AtomicU64,
    /// When the first primary began to serve, in ns since the machine's boot. The script's time 0.
    pub script_start_ns: AtomicU64,
    /// Number of clauses of the script that have begun.
    pub script_position: AtomicU64,
    promotion_fault: AtomicU64,
    /// With `qualify=`: how many requests of the trial were acknowledged, by all primaries.
    pub trial_acknowledged: AtomicU64,
    /// With `qualify=`: how many replies were wrong.
    pub trial_wrong: AtomicU64,
    /// With `qualify=`: the newest epoch whose primary has looked at its predecessors' state.
    pub trial_epoch: AtomicU64,
}

impl Debug {
    /// Orders the next promoted instance to fail.
    pub fn order_promotion_fault(&self, fault: PromotionFault) {
        self.promotion_fault
            .store(fault.number(), Ordering::Release);
    }

    /// Takes the order, if there is one, for the instance that is promoted.
    pub fn take_promotion_fault(&self) -> Option<PromotionFault> {
        PromotionFault::from_number(self.promotion_fault.swap(0, Ordering::AcqRel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_taken_once() {
        let debug = Debug::default();
        assert_eq!(debug.take_promotion_fault(), None);
        debug.order_promotion_fault(PromotionFault::Hang);
        assert_eq!(debug.take_promotion_fault(), Some(PromotionFault::Hang));
        assert_eq!(debug.take_promotion_fault(), None);
    }
}
