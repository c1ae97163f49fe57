//! The primary's console: commands come in from the boot line's script and the serial port, and log text goes out.

mod script;
mod serial;

use alloc::string::String;

use sharedmem::event::Exec;

use self::script::Script;
use self::serial::SerialTerminal;
use crate::context::Context;

/// The console of a primary. It has a serial port once [`adopt_serial_port`](Self::adopt_serial_port) has taken it from
/// the monitor.
pub struct PrimaryConsole {
    script: Script,
    serial: Option<SerialTerminal>,
}

impl PrimaryConsole {
    /// Makes the console, without a serial port.
    pub fn new(context: &Context) -> Self {
        Self {
            script: Script::new(context),
            serial: None,
        }
    }

    /// Takes the serial port over from the monitor.
    pub fn adopt_serial_port(&mut self, context: &Context) {
        self.serial = Some(SerialTerminal::adopt(context));
    }

    /// Returns the next command: of the script, if one is due, or a line that was typed.
    pub fn next_command(&mut self, context: &Context) -> Option<String> {
        if let Some(command) = self.script.next_due(context) {
            let exec = Exec {
                command: command.as_str().into(),
            };
            log::info!("{exec}");
            return Some(command);
        }
        self.serial.as_mut().and_then(SerialTerminal::read_line)
    }

    /// Returns whether a command of the script is due.
    pub fn is_script_due(&self, now_ns: u64) -> bool {
        self.script.is_due(now_ns)
    }

    /// Moves some log text to the serial port. Returns whether there is more.
    pub fn pump(&mut self, context: &Context) -> bool {
        log::logger().flush();
        self.serial
            .as_mut()
            .is_some_and(|serial| serial.pump(context))
    }
}
