//! What happens at each access to shared memory: time passes, a fault may strike, interrupts are taken, and other cores
//! execute.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use sharedmem::sync::Observer;

use crate::machine::core::Core;
use crate::world::World;

/// Limit of the time that one access takes if nothing stalls it, in ns.
const ACCESS_NS_MAX: u64 = 30;

impl World {
    /// Makes an access by the core that executes, and returns that core. Returns nothing if no core executes.
    fn access(&self) -> Option<&Core> {
        let core = self.scheduler.current()?;
        let mut cost_ns = 1 + self.random.below(ACCESS_NS_MAX);
        if self.random.once_in(self.scenario.stall_once_in) {
            cost_ns += self.random.below(self.scenario.stall_ns_max);
        }
        self.faults.before_access(self, core);
        self.spend(cost_ns);
        Some(core)
    }

    fn store_to(&self, word: &AtomicU64, value: Option<u64>) {
        if let Some(core) = self.access() {
            let part = self.memory.part_at(ptr::from_ref(word).addr());
            self.faults.before_store(self, core, part);
            self.oracle
                .before_store(&self.scheduler, &self.memory, core, part, value);
        }
    }

    fn is_ending(&self) -> bool {
        self.scheduler.cores.iter().any(|core| core.is_ending.get())
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
        self.store_to(word, Some(value));
        word.store(value, Ordering::SeqCst);
    }

    fn exclusive(&self, word: &AtomicU64) {
        if !self.is_ending() {
            self.store_to(word, None);
        }
    }
}
