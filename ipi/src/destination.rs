//! Which processors a destination field can name.

use core::error::Error;
use core::fmt;

/// The highest APIC id that 8 destination bits can name: 0xff means "all".
const EIGHT_BIT_MAX: u32 = 0xfe;

/// The highest APIC id that 32 destination bits can name: all ones mean "all".
const X2APIC_MAX: u32 = 0xffff_fffe;

/// An APIC id that the destination field cannot hold.
///
/// Broadcasts are refused along with ids that do not fit, because an interrupt sent to all by mistake stops the sender
/// too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestinationError {
    /// The APIC id that was given.
    pub destination: u32,
    /// The highest that would work.
    pub max: u32,
}

impl fmt::Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { destination, max } = self;
        write!(
            f,
            "destination {destination:#x}: the destination field can name APIC ids up to {max:#x}"
        )
    }
}

impl Error for DestinationError {}

/// Checks a destination of 8 bits: for xAPIC mode, and for I/O APIC and MSI without interrupt remapping.
pub(crate) const fn eight_bit(destination: u32) -> Result<u8, DestinationError> {
    if destination > EIGHT_BIT_MAX {
        return Err(DestinationError {
            destination,
            max: EIGHT_BIT_MAX,
        });
    }
    Ok(destination as u8)
}

/// Checks a destination of 32 bits: for the ICR in x2APIC mode.
pub(crate) const fn x2apic(destination: u32) -> Result<u32, DestinationError> {
    if destination > X2APIC_MAX {
        return Err(DestinationError {
            destination,
            max: X2APIC_MAX,
        });
    }
    Ok(destination)
}
