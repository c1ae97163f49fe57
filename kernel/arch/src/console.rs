//! The serial console: log rings are drained into the first serial port, and typed bytes are read from it.

use sharedmem::log_ring::{LINE_BYTES, LogRing};
use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::IER;
use uart_16550::{BaudRate, Config, Uart16550};

/// I/O port of the first serial port.
const COM1: u16 = 0x3f8;

/// As boot loaders and Linux consoles are usually set up: 115,200 baud, 8 data bits, no parity, 1 stop bit. The
/// library's default of 9600 baud would be garbage behind GRUB's output, and too slow for a log.
const CONFIGURATION: Config = Config {
    baud_rate: BaudRate::Baud115200,
    ..Config::DEFAULT
};

/// Most bytes that one call of [`SerialConsole::pump`] hands to the port.
const BURST_BYTES: usize = 256;

/// The serial console. Only one kernel uses it at a time.
pub struct SerialConsole {
    port: Option<Uart16550<PioBackend>>,
    /// Text that was taken from a ring and is not yet sent, in this range.
    carry: [u8; LINE_BYTES],
    carry_range: (usize, usize),
}

impl SerialConsole {
    /// Takes the serial port over. On a machine without one, text is discarded.
    ///
    /// # Safety
    /// No other kernel uses the port now.
    pub unsafe fn take() -> Self {
        // SAFETY: COM1's eight ports are the console's by the caller's promise.
        let port = unsafe { Uart16550::new_port(COM1) }
            .ok()
            .and_then(|mut port| port.init(CONFIGURATION).is_ok().then_some(port));
        Self {
            port,
            carry: [0; LINE_BYTES],
            carry_range: (0, 0),
        }
    }

    /// Moves some text from `rings` to the port, without waiting for the port. Returns whether there is more.
    pub fn pump<'a>(&mut self, rings: impl Iterator<Item = &'a LogRing> + Clone) -> bool {
        let mut budget = BURST_BYTES;
        while budget > 0 {
            if self.carry_range.0 == self.carry_range.1 && !self.refill(rings.clone()) {
                return false;
            }
            let (start, end) = self.carry_range;
            let sent = match &mut self.port {
                Some(port) => port.send_bytes(&self.carry[start..end]),
                None => end - start,
            };
            if sent == 0 {
                return true;
            }
            self.carry_range.0 += sent;
            budget = budget.saturating_sub(sent);
        }
        true
    }

    /// Moves all text in `rings` to the port, and waits for the port.
    pub fn flush<'a>(&mut self, rings: impl Iterator<Item = &'a LogRing> + Clone) {
        while self.pump(rings.clone()) {
            core::hint::spin_loop();
        }
    }

    /// Lets the port interrupt when a byte has been typed.
    pub fn interrupt_on_input(&mut self) {
        if let Some(port) = &mut self.port {
            port.enable_interrupts(IER::DATA_READY);
        }
    }

    /// Returns the next typed byte.
    pub fn read(&mut self) -> Option<u8> {
        self.port.as_mut()?.try_receive_byte().ok()
    }

    /// Takes the next piece of text from one ring, up to the end of a line, so that lines of different writers do not
    /// mix. Returns whether there was any.
    fn refill<'a>(&mut self, mut rings: impl Iterator<Item = &'a LogRing>) -> bool {
        let Some(ring) = rings.find(|ring| !ring.is_drained()) else {
            return false;
        };
        let (taken, _lost) = ring.drain_line(&mut self.carry);
        self.carry_range = (0, taken);
        taken > 0
    }
}
