//! At each access to shared memory: time passes, a fault may strike, interrupts are taken, others go on.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use sharedmem::sync::Observer;

use crate::machine::core::Core;
use crate::world::World;

/// The longest time that one access takes when nothing hinders it, in ns.
const ACCESS_NS_MAX: u64 = 30;

impl World {
    /// An access by the core that executes. `None` if there is none, or it is being dropped: then it has no effect.
    fn access(&self) -> Option<&Core> {
        let core = self.current()?;
        let mut cost_ns = 1 + self.below(ACCESS_NS_MAX);
        if self.once_in(self.scenario.stall_once_in) {
            cost_ns += self.below(self.scenario.stall_ns_max);
        }
        self.faults.at_access(self, core);
        self.spend(cost_ns);
        Some(core)
    }

    fn is_ending(&self) -> bool {
        self.cores.iter().any(|core| core.is_ending.get())
    }
}

impl Observer for World {
    fn load(&self, word: &AtomicU64) -> u64 {
        if !self.is_ending() {
            self.access();
        }
        word.load(Ordering::SeqCst)
    }

    fn store(&self, word: &AtomicU64, value: u64) {
        if self.is_ending() {
            return;
        }
        if let Some(core) = self.access() {
            self.oracle
                .stores(self, core, ptr::from_ref(word).addr(), Some(value));
        }
        word.store(value, Ordering::SeqCst);
    }

    fn exclusive(&self, word: &AtomicU64) {
        if self.is_ending() {
            return;
        }
        if let Some(core) = self.access() {
            self.oracle
                .stores(self, core, ptr::from_ref(word).addr(), None);
        }
    }
}
