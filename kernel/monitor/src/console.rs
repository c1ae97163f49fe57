//! The serial console while it is the monitor's: before the first primary has taken it, and when nobody is left to.

use core::sync::atomic::Ordering;

use arch::console::Console;
use sharedmem::Control;
use sharedmem::log_ring::LogRing;

/// Who prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The monitor.
    Monitor,
    /// The next primary will, when it has brought the port up.
    Nobody,
    /// This instance, which has the port.
    Instance(usize),
}

/// Number of the monitor in the shared word.
const MONITOR: u64 = 0;

/// Number of "nobody" in the shared word: no instance's number plus one.
const NOBODY: u64 = u64::MAX;

/// The monitor's hold on the console.
pub struct MonitorConsole {
    console: Option<Console>,
}

impl MonitorConsole {
    /// Takes the port, at boot.
    pub fn take() -> Self {
        // SAFETY: at boot no other kernel runs; and in a panic nobody else may be left to print.
        let console = unsafe { Console::take() };
        Self {
            console: Some(console),
        }
    }

    /// Passes the console on, or takes it back when no owner is left who could print.
    pub fn give_to(&mut self, control: &Control, owner: Owner) {
        match owner {
            Owner::Nobody => {
                self.console = None;
                control.console_owner.store(NOBODY, Ordering::Release);
            }
            Owner::Instance(number) => {
                self.console = None;
                control
                    .console_owner
                    .store(number as u64 + 1, Ordering::Release);
            }
            Owner::Monitor => {
                // SAFETY: the last owner is dead, or so far gone that a line of two is a smaller evil than a silent machine.
                self.console = Some(unsafe { Console::take() });
                control.console_owner.store(MONITOR, Ordering::Release);
            }
        }
    }

    /// Whether the monitor has the port.
    pub fn is_taken(&self) -> bool {
        self.console.is_some()
    }

    /// Prints some of what was logged. True if there is more. A new owner that says it has the port is left alone with it: two who print at a time
    /// are not to be read, and what is slow here is slow for it, too. What was not printed is still in the rings.
    pub fn pump(&mut self, control: &Control) -> bool {
        if control.console_owner.load(Ordering::Acquire) != MONITOR {
            self.console = None;
        }
        let rings = [
            &*control.monitor_log,
            &*control.instance_logs[0],
            &*control.instance_logs[1],
        ];
        self.console
            .as_mut()
            .is_some_and(|console| console.pump(rings.into_iter()))
    }

    /// Prints what was logged before there was a shared region.
    pub fn print_early(&mut self, early: Option<&LogRing>) {
        if let Some(console) = &mut self.console {
            console.flush(early.into_iter());
        }
    }

    /// Prints all that was logged.
    pub fn flush(&mut self, control: &Control) {
        while self.pump(control) {
            core::hint::spin_loop();
        }
    }
}
