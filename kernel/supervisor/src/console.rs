//! The serial console while it is the monitor's: before the first primary has taken it, and when nobody is left to.

use sharedmem::Control;
use sharedmem::console::ConsoleOwner;

/// The serial port.
pub trait Port {
    /// Takes it over and brings it up, whoever had it.
    fn take() -> Self;

    /// Prints some of what was logged. True if there is more.
    fn pump(&mut self, control: &Control) -> bool;
}

/// The monitor's hold on the console.
pub struct Console<P> {
    port: Option<P>,
}

impl<P: Port> Console<P> {
    /// Makes a console of which the monitor has the port.
    pub fn new(port: P) -> Self {
        Self { port: Some(port) }
    }

    /// Passes the console on, or takes it back when no owner is left who could print.
    pub fn give_to(&mut self, control: &Control, owner: ConsoleOwner) {
        self.port = match owner {
            ConsoleOwner::Monitor => Some(P::take()),
            ConsoleOwner::InstanceA | ConsoleOwner::InstanceB | ConsoleOwner::Nobody => None,
        };
        control.console.give_to(owner);
    }

    /// Returns whether the monitor has the port.
    pub fn is_taken(&self) -> bool {
        self.port.is_some()
    }

    /// Prints some of what was logged. Returns whether there is more. Leaves the port alone once a primary says that it
    /// has it: the output of two would be mixed. What was not printed is still in the rings.
    pub fn pump(&mut self, control: &Control) -> bool {
        log::logger().flush();
        if control.console.owner() != ConsoleOwner::Monitor {
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
