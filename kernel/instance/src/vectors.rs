//! The interrupt vectors of a primary's cores.

use sharedmem::abi::Vector;

/// The seat's keepalive has come.
pub const KEEPALIVE: u8 = Vector::KeepaliveToPrimary.byte();
/// A core's own timer ticks.
pub const TICK: u8 = 0x50;
/// The network card has received.
pub const NETWORK: u8 = 0x51;
/// The serial port has received.
pub const SERIAL: u8 = 0x52;
/// The lead's timer has reached an instant that fault injection set.
pub const INSTANT: u8 = 0x53;
/// The local APIC reports a spurious interrupt.
pub const SPURIOUS: u8 = 0xff;
