//! The error status register.

use bitflags::bitflags;

use super::LocalApic;
use crate::registers::{Register, Registers};

bitflags! {
    /// Errors the local APIC has met (Intel SDM vol. 3A, 11.5.3). Bits without a name are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ErrorStatus: u32 {
        /// A message that was sent had a wrong checksum (P6 only).
        const SEND_CHECKSUM = 1 << 0;
        /// A message that was received had a wrong checksum (P6 only).
        const RECEIVE_CHECKSUM = 1 << 1;
        /// Nobody accepted a message that was sent (P6 only).
        const SEND_ACCEPT = 1 << 2;
        /// Nobody accepted a message that was received (P6 only).
        const RECEIVE_ACCEPT = 1 << 3;
        /// A lowest-priority IPI where there are none.
        const REDIRECTABLE_IPI = 1 << 4;
        /// Sent: a vector from 0 to 15.
        const SEND_ILLEGAL_VECTOR = 1 << 5;
        /// Received, or in a local vector: a vector from 0 to 15.
        const RECEIVE_ILLEGAL_VECTOR = 1 << 6;
        /// A register that does not exist.
        const ILLEGAL_REGISTER = 1 << 7;
        const _ = !0;
    }
}

impl<R: Registers> LocalApic<R> {
    /// Errors since the last call, which forgets them.
    pub fn error_status(&self) -> ErrorStatus {
        // The register shows the errors as of its last write, not as of now.
        self.write(Register::ErrorStatus, 0);
        ErrorStatus::from_bits_retain(self.read(Register::ErrorStatus))
    }
}
