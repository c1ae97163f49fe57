//! The serial port, as the seat uses it.

use arch::console::SerialConsole;
use sharedmem::log_ring::LogRing;
use sharedmem::{Control, Instance};
use supervisor::Port;

/// The port, and what is on its way through it.
pub struct SerialPort(SerialConsole);

/// The monitor's hold on the console.
pub type MonitorConsole = supervisor::Console<SerialPort>;

impl SerialPort {
    /// Prints what was logged before there was a shared region.
    pub fn print_early(&mut self, early: Option<&LogRing>) {
        self.0.flush(early.into_iter());
    }
}

impl Port for SerialPort {
    fn take() -> Self {
        // SAFETY: at boot no other kernel runs. Later the last primary is dead, or so far gone that a line of two is a
        // smaller evil than a silent machine; and in a panic nobody else may be left to print.
        Self(unsafe { SerialConsole::take() })
    }

    fn pump(&mut self, control: &Control) -> bool {
        let rings = [
            &*control.monitor_log,
            &*control.instance_logs[Instance::A],
            &*control.instance_logs[Instance::B],
        ];
        self.0.pump(rings.into_iter())
    }
}
