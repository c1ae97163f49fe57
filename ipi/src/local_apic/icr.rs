//! Inter-processor interrupts, sent through the interrupt command register (Intel SDM vol. 3A, 11.6.1).
//!
//! **x2APIC**: the register is one MSR of 64 bits, so a send is one write. WRMSR to it does not wait for earlier
//! stores, as an uncached store would. So a fence goes before it, and the receiver sees what was written to memory
//! before the send.
//!
//! **xAPIC**: the destination goes into the high half. The write of the low half sends, with whatever the high half
//! holds then. A handler that sends between the two writes, such as an NMI's, would change the destination of the
//! interrupted send. So every send leaves the high half as it found it. The one exception is an interrupt that is still
//! pending when the wait is given up: the high half is part of it and stays.

use core::error::Error;
use core::fmt;

use super::LocalApic;
use crate::VECTOR_MIN;
use crate::destination::{self, DestinationError};
use crate::mode::Mode;
use crate::registers::{Register, Registers};

/// Polls of the delivery status after which a send in xAPIC mode gives up: about 1 ms of uncached reads. If the
/// receiver can be reached at all, a delivery takes some microseconds at most.
pub const IDLE_POLLS_MAX: u32 = 10_000;

/// Bits of the low half. Level is "assert" for every message except INIT de-assert, which modern processors ignore.
/// Trigger is edge.
const ICR_NMI: u32 = 4 << 8;
const ICR_INIT: u32 = 5 << 8;
const ICR_STARTUP: u32 = 6 << 8;
const ICR_ASSERT: u32 = 1 << 14;

/// Delivery status, in xAPIC mode only: the last interrupt is still being sent.
const ICR_SEND_PENDING: u32 = 1 << 12;

/// What one processor can send to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipi {
    /// An interrupt with this vector, [`VECTOR_MIN`] or above.
    Fixed(u8),
    /// A non-maskable interrupt.
    Nmi,
    /// Resets the processor, which then waits for SIPI. The boot processor restarts in the firmware instead.
    Init,
    /// SIPI: starts a processor that waits for it, in real mode at this page of 4 KiB.
    Startup {
        /// Page number: physical address / 4096. 0xa0 to 0xbf are reserved (MultiProcessor Specification 1.4, B.4.2).
        page: u8,
    },
}

impl Ipi {
    /// Returns an error if no processor may be sent this.
    fn check(self) -> Result<(), SendError> {
        match self {
            Ipi::Fixed(vector) if vector < VECTOR_MIN => Err(SendError::Vector(vector)),
            Ipi::Startup {
                page: page @ 0xa0..=0xbf,
            } => Err(SendError::StartupPage(page)),
            Ipi::Fixed(_) | Ipi::Nmi | Ipi::Init | Ipi::Startup { .. } => Ok(()),
        }
    }

    /// Returns the low half of the register.
    fn low_word(self) -> u32 {
        let message = match self {
            Ipi::Fixed(vector) => u32::from(vector),
            Ipi::Nmi => ICR_NMI,
            Ipi::Init => ICR_INIT,
            Ipi::Startup { page } => ICR_STARTUP | u32::from(page),
        };
        message | ICR_ASSERT
    }
}

/// Why an interrupt was not sent, or not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The destination field cannot hold the APIC id. Nothing was sent.
    Destination(DestinationError),
    /// The vector belongs to an exception. Nothing was sent.
    Vector(u8),
    /// The page is in a reserved range. Nothing was sent.
    StartupPage(u8),
    /// An earlier interrupt is still pending after [`IDLE_POLLS_MAX`] polls. Nothing was sent.
    Busy,
    /// The interrupt itself is still pending after [`IDLE_POLLS_MAX`] polls. It may still arrive.
    Unconfirmed,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IPI: ")?;
        match self {
            Self::Destination(error) => error.fmt(f),
            Self::Vector(vector) => {
                write!(
                    f,
                    "vector {vector} belongs to an exception; {VECTOR_MIN} to 255 would work"
                )
            }
            Self::StartupPage(page) => {
                write!(
                    f,
                    "start-up page {page:#x} is in the reserved range 0xa0 to 0xbf; \
                     a page of usable memory below would work"
                )
            }
            Self::Busy => {
                f.write_str("not sent: the previous one is still pending; a later try may work")
            }
            Self::Unconfirmed => {
                f.write_str("sent, but still pending: it is not known whether it arrives")
            }
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Destination(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DestinationError> for SendError {
    fn from(error: DestinationError) -> Self {
        Self::Destination(error)
    }
}

impl<R: Registers> LocalApic<R> {
    /// Sends `ipi` to the processor with APIC id `destination`. When the interrupt arrives, the receiver sees every
    /// store made before the call.
    ///
    /// # Errors
    /// [`SendError`]. x2APIC mode has no delivery status, hence neither [`SendError::Busy`] nor
    /// [`SendError::Unconfirmed`].
    pub fn send(&self, destination: u32, ipi: Ipi) -> Result<(), SendError> {
        ipi.check()?;
        match self.mode {
            Mode::X2Apic => {
                let destination = destination::x2apic(destination)?;
                self.registers.fence();
                match ipi {
                    Ipi::Fixed(vector) => self.registers.x2apic_send(destination, vector),
                    Ipi::Nmi => self.registers.x2apic_send_nmi(destination),
                    Ipi::Init => self.registers.x2apic_send_init(destination),
                    Ipi::Startup { page } => self.registers.x2apic_send_startup(destination, page),
                }
                Ok(())
            }
            Mode::XApic => self.send_xapic(destination::eight_bit(destination)?, ipi.low_word()),
        }
    }

    fn send_xapic(&self, destination: u8, low: u32) -> Result<(), SendError> {
        if !self.wait_idle() {
            return Err(SendError::Busy);
        }
        let found = self.registers.read_mmio(Register::IcrHigh);
        self.registers
            .write_mmio(Register::IcrHigh, u32::from(destination) << 24);
        self.registers.write_mmio(Register::Icr, low);
        if !self.wait_idle() {
            return Err(SendError::Unconfirmed);
        }
        self.registers.write_mmio(Register::IcrHigh, found);
        Ok(())
    }

    fn wait_idle(&self) -> bool {
        for _ in 0..IDLE_POLLS_MAX {
            if self.registers.read_mmio(Register::Icr) & ICR_SEND_PENDING == 0 {
                return true;
            }
            self.registers.relax();
        }
        false
    }
}
