//! The error status register.

use bitflags::bitflags;

use super::LocalApic;
use crate::registers::{Register, Registers};

bitflags! {
    /// Errors that the local APIC detected (Intel SDM vol. 3A, 11.5.3). Bits without a name are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ErrorStatus: u32 {
        /// A sent message had a wrong checksum (P6 only).
        const SEND_CHECKSUM = 1 << 0;
        /// A received message had a wrong checksum (P6 only).
        const RECEIVE_CHECKSUM = 1 << 1;
        /// No agent accepted a sent message (P6 only).
        const SEND_ACCEPT = 1 << 2;
        /// No agent accepted a received message (P6 only).
        const RECEIVE_ACCEPT = 1 << 3;
        /// A lowest-priority IPI was sent, on a processor that has none.
        const REDIRECTABLE_IPI = 1 << 4;
        /// A message with a vector from 0 to 15 was sent.
        const SEND_ILLEGAL_VECTOR = 1 << 5;
        /// A vector from 0 to 15 was received, or is in a local vector.
        const RECEIVE_ILLEGAL_VECTOR = 1 << 6;
        /// A register was accessed that does not exist.
        const ILLEGAL_REGISTER = 1 << 7;
        const _ = !0;
    }
}

impl<R: Registers> LocalApic<R> {
    /// Returns the errors since the last call, and clears them.
    pub fn error_status(&self) -> ErrorStatus {
        // The register shows the errors up to its last write.
        self.write(Register::ErrorStatus, 0);
        ErrorStatus::from_bits_retain(self.read(Register::ErrorStatus))
    }
}
