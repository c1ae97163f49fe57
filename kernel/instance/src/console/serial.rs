//! The serial port of the primary: log text of all programs goes out, typed lines come in.

use alloc::string::String;

use arch::console::SerialConsole;
use ipi::{IoApic, Redirection};

use crate::context::Context;
use crate::memory;
use crate::vectors;

/// Longest line that can be typed.
const LINE_BYTES_MAX: usize = 512;

/// Most bytes that are taken from the port in one round of the main loop.
const BYTES_PER_ROUND: usize = 64;

/// The registers of an I/O APIC, up to its EOI register. Another one may be in the same page.
const IO_APIC_BYTES: u64 = 0x44;

/// The serial port, and the line that is being typed.
pub struct SerialTerminal {
    console: SerialConsole,
    line: String,
}

impl SerialTerminal {
    /// Takes over the serial port and its interrupt from the monitor.
    pub fn adopt(context: &Context) -> Self {
        if let Err(reason) = route_interrupt(context) {
            log::warn!("the serial port does not interrupt: {reason}");
        }
        // SAFETY: this instance owns the machine; the monitor stops using the port when it reads the owner stored
        // below.
        let mut console = unsafe { SerialConsole::take() };
        console.interrupt_on_input();
        context
            .region
            .control
            .console
            .give_to(context.instance().into());
        Self {
            console,
            line: String::new(),
        }
    }

    /// Moves some log text to the port: the monitor's, then this instance's, then the other's. Returns whether there is
    /// more.
    pub fn pump(&mut self, context: &Context) -> bool {
        let control = context.region.control;
        let own = context.instance();
        if control.console.owner() != own.into() {
            return false;
        }
        let rings = [
            &*control.monitor_log,
            &*control.instance_logs[own],
            &*control.instance_logs[own.other()],
        ];
        self.console.pump(rings.into_iter())
    }

    /// Returns the next whole line that was typed. Takes some bytes at a time: a port that is broken has always more.
    pub fn read_line(&mut self) -> Option<String> {
        for _ in 0..BYTES_PER_ROUND {
            let byte = self.console.read()?;
            match byte {
                b'\r' | b'\n' if self.line.is_empty() => {}
                b'\r' | b'\n' => return Some(core::mem::take(&mut self.line)),
                b' '..=b'~' if self.line.len() < LINE_BYTES_MAX => self.line.push(char::from(byte)),
                _ => {}
            }
        }
        None
    }
}

/// Routes the serial port's interrupt to this instance's first core.
fn route_interrupt(context: &Context) -> Result<(), &'static str> {
    let hand_off = context.hand_off;
    if hand_off.serial_is_level == 1 {
        // The handler does not read the port, so a level would interrupt for ever. Typed bytes are read at the timer's
        // ticks instead.
        return Err("it is level triggered");
    }
    if hand_off.serial_io_apic == 0 {
        return Err("no I/O APIC has its pin");
    }
    // SAFETY: an I/O APIC of the machine this instance owns.
    let registers = unsafe { memory::map_device(hand_off.serial_io_apic, IO_APIC_BYTES) }
        .map_err(|_| "the I/O APIC cannot be mapped")?;
    // SAFETY: its registers, used by this core alone.
    let mut io_apic =
        unsafe { IoApic::new(registers as *mut u8) }.map_err(|_| "the I/O APIC does not answer")?;
    let pin = hand_off.serial_pin;
    if pin >= io_apic.pin_count() {
        return Err("the I/O APIC has no such pin");
    }
    let destination =
        u8::try_from(hand_off.cores()[0]).map_err(|_| "the core's APIC id has more than 8 bits")?;
    let redirection = Redirection::fixed(vectors::SERIAL, destination);
    io_apic
        .write(pin, redirection)
        .map_err(|_| "the I/O APIC refuses the route")
}
