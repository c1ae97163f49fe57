//! The machine's hardware watchdog: it resets the machine when nobody pets it in time, whatever hangs.
//!
//! - [`Tco`]: the timer of Intel's ICH6 to ICH10 and of the PCHs up to series 9.
//! - [`Wdat`]: any timer that the ACPI table WDAT describes.
//!
//! Both do everything through the trait [`Registers`], so a test can play any hardware to them.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod registers;
mod tco;
mod wdat;

pub use registers::{Place, Registers};
pub use tco::Tco;
pub use wdat::Wdat;

use core::fmt;

/// Why a watchdog does not guard the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchdogError {
    /// The table lacks what is needed for this.
    Missing(&'static str),
    /// The shortest and the longest time that can be set, in ms.
    Time(u64, u64),
    /// Its end would not reset the machine: a strap of the board forbids it.
    NoReset,
    /// It does not count though it was started.
    NotRunning,
}

impl fmt::Display for WatchdogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "the table does not say how to {what}"),
            Self::Time(least, most) => write!(f, "it counts {least} to {most} ms"),
            Self::NoReset => f.write_str("the board does not let it reset the machine"),
            Self::NotRunning => f.write_str("it was started and does not count"),
        }
    }
}

impl core::error::Error for WatchdogError {}

/// A hardware watchdog.
#[derive(Clone, Debug)]
pub enum Watchdog {
    /// By the chipset.
    Tco(Tco),
    /// By the ACPI table.
    Wdat(Wdat),
}

impl Watchdog {
    /// Returns its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tco(_) => "TCO",
            Self::Wdat(_) => "WDAT",
        }
    }

    /// Lets it count: it resets the machine when it was not petted for `timeout_ms`.
    ///
    /// # Errors
    /// Why it does not guard the machine. It stands still then, as far as it obeys.
    pub fn start(
        &self,
        registers: &mut impl Registers,
        timeout_ms: u64,
    ) -> Result<(), WatchdogError> {
        let started = match self {
            Self::Tco(tco) => tco.start(registers, timeout_ms),
            Self::Wdat(wdat) => wdat.start(registers, timeout_ms),
        };
        if started.is_err() {
            self.stop(registers);
        }
        started
    }

    /// Begins its countdown anew.
    ///
    /// # Errors
    /// Somebody stopped it.
    pub fn pet(&self, registers: &mut impl Registers) -> Result<(), WatchdogError> {
        match self {
            Self::Tco(tco) => tco.pet(registers),
            Self::Wdat(wdat) => wdat.pet(registers),
        }
    }

    /// Lets it stand.
    pub fn stop(&self, registers: &mut impl Registers) {
        match self {
            Self::Tco(tco) => tco.stop(registers),
            Self::Wdat(wdat) => wdat.stop(registers),
        }
    }
}
