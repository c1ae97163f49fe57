//! Interrupts as messages: a write of `data` to `address` (Intel SDM vol. 3A, 11.11).

use core::error::Error;
use core::fmt;

use crate::VECTOR_MIN;
use crate::destination::{self, DestinationError};

/// The addresses that mean an interrupt: 0xfee in bits 20 to 31, and 0 above.
const ADDRESS_BASE: u64 = 0xfee0_0000;
const ADDRESS_BASE_MASK: u64 = !0xf_ffff;
const DESTINATION_SHIFT: u32 = 12;

/// Bit 4 says that the address holds an index into a table of remapped interrupts, not a destination (VT-d 5.1.2.2).
const ADDRESS_REMAPPABLE: u64 = 1 << 4;

/// A message that interrupts a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsiMessage {
    /// The address the device writes to.
    pub address: u64,
    /// The value it writes.
    pub data: u32,
}

/// Why a message cannot be made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// The APIC id needs interrupt remapping.
    Destination(DestinationError),
    /// The vector belongs to an exception.
    Vector(u8),
    /// The address is not that of a message with a destination in it.
    Address(u64),
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MSI: ")?;
        match self {
            Self::Destination(error) => write!(f, "{error} without interrupt remapping"),
            Self::Vector(vector) => {
                write!(
                    f,
                    "vector {vector} belongs to an exception; {VECTOR_MIN} to 255 would work"
                )
            }
            Self::Address(address) => {
                write!(
                    f,
                    "address {address:#x} names no destination; one from 0xfee00000 with bit 4 clear would"
                )
            }
        }
    }
}

impl Error for MessageError {}

impl MsiMessage {
    /// Makes an edge-triggered interrupt with `vector` for the processor whose APIC id is `destination`.
    ///
    /// # Errors
    /// [`MessageError::Destination`] for ids above 0xfe, [`MessageError::Vector`] for vectors below [`VECTOR_MIN`].
    pub const fn fixed(destination: u32, vector: u8) -> Result<Self, MessageError> {
        if vector < VECTOR_MIN {
            return Err(MessageError::Vector(vector));
        }
        match address_of(destination) {
            Ok(address) => Ok(Self {
                address,
                data: vector as u32,
            }),
            Err(error) => Err(error),
        }
    }

    /// Returns the same message for another processor.
    ///
    /// # Errors
    /// [`MessageError::Destination`] for ids above 0xfe, [`MessageError::Address`] if this is not a message with a
    /// destination.
    pub const fn retarget(self, destination: u32) -> Result<Self, MessageError> {
        if self.address & ADDRESS_BASE_MASK != ADDRESS_BASE
            || self.address & ADDRESS_REMAPPABLE != 0
        {
            return Err(MessageError::Address(self.address));
        }
        // The new address leaves out the old one's redirection hint and destination mode: it names one processor, by
        // its APIC id.
        match address_of(destination) {
            Ok(address) => Ok(Self {
                address,
                data: self.data,
            }),
            Err(error) => Err(error),
        }
    }
}

const fn address_of(destination: u32) -> Result<u64, MessageError> {
    match destination::eight_bit(destination) {
        Ok(destination) => Ok(ADDRESS_BASE | (destination as u64) << DESTINATION_SHIFT),
        Err(error) => Err(MessageError::Destination(error)),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_message_names_processor_and_vector() {
        let message = MsiMessage {
            address: 0xfee0_3000,
            data: 0x51,
        };
        assert_eq!(MsiMessage::fixed(3, 0x51), Ok(message));
        assert_eq!(
            MsiMessage::fixed(0xfe, 0xff).map(|message| message.address),
            Ok(0xfeef_e000)
        );
    }

    #[test]
    fn a_destination_of_more_than_8_bits_is_refused() {
        for destination in [0xff, 0x100, 0x103, u32::MAX] {
            let error = MessageError::Destination(DestinationError {
                destination,
                max: 0xfe,
            });
            assert_eq!(MsiMessage::fixed(destination, 0x51), Err(error));
        }
        let error = MsiMessage::fixed(0x103, 0x51).unwrap_err().to_string();
        assert!(
            error.contains("0x103") && error.contains("up to 0xfe"),
            "{error}"
        );
    }

    #[test]
    fn a_vector_of_an_exception_is_refused() {
        assert_eq!(MsiMessage::fixed(1, 31), Err(MessageError::Vector(31)));
        assert!(MsiMessage::fixed(1, 32).is_ok());
    }

    #[test]
    fn retargeting_changes_the_destination_and_makes_it_physical() {
        let logical = MsiMessage {
            address: 0xfee0_300c,
            data: 0x4051,
        };
        assert_eq!(
            logical.retarget(7),
            Ok(MsiMessage {
                address: 0xfee0_7000,
                data: 0x4051
            })
        );
    }

    #[test]
    fn what_is_no_message_is_not_retargeted() {
        for address in [
            0,
            0xfed0_3000,
            0xfef0_0000,
            0x1_fee0_3000,
            0xfee0_3010,
            u64::MAX,
        ] {
            let message = MsiMessage {
                address,
                data: 0x51,
            };
            assert_eq!(message.retarget(7), Err(MessageError::Address(address)));
        }
    }
}
