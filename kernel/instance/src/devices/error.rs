//! Why a device is not used.

use core::fmt;

/// Why a device is not used, or why it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceError {
    /// The machine has no device that a driver here drives.
    Missing,
    /// The first core's APIC id does not fit a message.
    Destination,
    /// The device lacks a structure of registers that its kind must have.
    NoStructure,
    /// A base address register is for ports, or the structure behind it is malformed.
    NotInMemory,
    /// The registers cannot be mapped.
    NotMapped,
    /// The device has no MSI-X.
    NoMsix,
    /// The MSI-X table lacks the entry, or cannot hold the message.
    MsixEntry,
    /// The device does not end its reset.
    Reset,
    /// The device's queues cannot be set up.
    Queues,
    /// The disk is not one for incidents.
    NoLabel,
    /// The disk is full.
    Full,
    /// A sector cannot be read.
    Read,
    /// A sector cannot be written.
    Write,
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is none that this image can drive",
            Self::Destination => "the first core's APIC id does not fit a message",
            Self::NoStructure => "it lacks registers of its kind",
            Self::NotInMemory => "its registers are not in memory",
            Self::NotMapped => "its registers cannot be mapped",
            Self::NoMsix => "it has no MSI-X",
            Self::MsixEntry => "its MSI-X table has no such entry",
            Self::Reset => "it does not end its reset",
            Self::Queues => "its queues cannot be set up",
            Self::NoLabel => "it does not carry the label of an incident disk, and is left alone",
            Self::Full => "it is full",
            Self::Read => "a sector cannot be read",
            Self::Write => "a sector cannot be written",
        })
    }
}
