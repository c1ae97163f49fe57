//! The serial console while it is the monitor's: before the first primary has taken it, and when nobody is left to.

use core::sync::atomic::Ordering;

use sharedmem::{Control, Instance};

use crate::platform::Port;

/// Who prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The monitor.
    Monitor,
    /// The next primary will, when it has brought the port up.
    Nobody,
    /// This instance, which has the port.
    Instance(Instance),
}

/// Number of the monitor in the shared word.
const MONITOR: u64 = 0;

/// Number of "nobody" in the shared word: no instance's number plus one.
const NOBODY: u64 = u64::MAX;

/// The monitor's hold on the console.
pub struct Console<P> {
    port: Option<P>,
}

impl<P: Port> Console<P> {
    /// The monitor has the port.
    pub fn new(port: P) -> Self {
        Self { port: Some(port) }
    }

    /// Passes the console on, or takes it back when no owner is left who could print.
    pub fn give_to(&mut self, control: &Control, owner: Owner) {
        match owner {
            Owner::Nobody => {
                self.port = None;
                control.console_owner.store(NOBODY, Ordering::Release);
            }
            Owner::Instance(instance) => {
                self.port = None;
                control
                    .console_owner
                    .store(instance.number() + 1, Ordering::Release);
            }
            Owner::Monitor => {
                self.port = Some(P::take());
                control.console_owner.store(MONITOR, Ordering::Release);
            }
        }
    }

    /// Whether the monitor has the port.
    pub fn is_taken(&self) -> bool {
        self.port.is_some()
    }

    /// Prints some of what was logged. True if there is more. A new owner that says it has the port is left alone with it: two who print at a time
    /// are not to be read, and what is slow here is slow for it, too. What was not printed is still in the rings.
    pub fn pump(&mut self, control: &Control) -> bool {
        if control.console_owner.load(Ordering::Acquire) != MONITOR {
            self.port = None;
        }
        self.port.as_mut().is_some_and(|port| port.pump(control))
    }

    /// Prints all that was logged.
    pub fn flush(&mut self, control: &Control) {
        while self.pump(control) {
            core::hint::spin_loop();
        }
    }
}
