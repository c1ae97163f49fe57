//! The console owner: who drains the logs to the serial port.

use crate::instance::Instance;
use crate::numbered::numbered;
use crate::sync::{AtomicU64, Ordering};

numbered! {
    /// Who drains the logs to the serial port.
    pub enum ConsoleOwner {
        Monitor = 0, "monitor", "the monitor";
        InstanceA = 1, "a", "instance a";
        InstanceB = 2, "b", "instance b";
        Nobody = 0xffff_ffff_ffff_ffff, "nobody", "nobody, until the next primary takes it";
    }
}

impl From<Instance> for ConsoleOwner {
    fn from(instance: Instance) -> Self {
        match instance {
            Instance::A => Self::InstanceA,
            Instance::B => Self::InstanceB,
        }
    }
}

/// The word that names the owner. Writer: the owner itself, or the monitor once the owner is fenced.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ConsoleWord(AtomicU64);

impl ConsoleWord {
    /// Returns who owns the console. An unknown number reads as nobody, so that no two kernels print at a time.
    pub fn owner(&self) -> ConsoleOwner {
        let number = self.0.load(Ordering::Acquire);
        ConsoleOwner::from_number(number).unwrap_or(ConsoleOwner::Nobody)
    }

    /// Passes the console to `owner`.
    pub fn give_to(&self, owner: ConsoleOwner) {
        self.0.store(owner.number(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monitor_has_the_console_until_it_is_passed_on() {
        let word = ConsoleWord::default();
        assert_eq!(word.owner(), ConsoleOwner::Monitor);
        for owner in ConsoleOwner::ALL {
            word.give_to(owner);
            assert_eq!(word.owner(), owner);
        }
        word.0.store(7, Ordering::Relaxed);
        assert_eq!(word.owner(), ConsoleOwner::Nobody);
    }

    #[test]
    fn each_instance_has_a_number_of_its_own() {
        for instance in Instance::ALL {
            let owner = ConsoleOwner::from(instance);
            assert_eq!(owner.number(), instance.number() + 1);
            assert_eq!(owner.name(), instance.name());
        }
    }
}
