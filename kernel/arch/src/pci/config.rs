//! Configuration space: what every access goes through, and the ports 0xCF8 and 0xCFC, which every machine has.

use x86_64::instructions::port::Port;

/// Access to configuration space, one 32-bit register at a time.
///
/// A function's address is its segment << 16, bus number << 8, device number << 3 and function number; the lower half
/// is its requester ID.
pub trait ConfigSpace {
    /// Reads the register at byte `offset` (a multiple of 4) of the function at `address`. An absent function reads as
    /// all ones.
    fn read(&mut self, address: u32, offset: u16) -> u32;
    /// Writes the register at byte `offset` (a multiple of 4) of the function at `address`.
    fn write(&mut self, address: u32, offset: u16, value: u32);
}

/// Vendor and device.
pub const REGISTER_ID: u16 = 0x00;
/// Command (low half) and status.
pub const REGISTER_COMMAND: u16 = 0x04;
/// Class (upper three bytes) and revision.
pub const REGISTER_CLASS: u16 = 0x08;
/// Header type, in the third byte.
pub const REGISTER_HEADER: u16 = 0x0c;
/// Of a bridge: the buses above it and behind it, and the last bus behind it.
pub const REGISTER_BUSES: u16 = 0x18;

/// Command: the function answers at its ports.
pub const COMMAND_IO: u32 = 1 << 0;
/// Command: the function answers at its memory addresses.
pub const COMMAND_MEMORY: u32 = 1 << 1;
/// Command: the function may access memory by itself.
pub const COMMAND_BUS_MASTER: u32 = 1 << 2;
/// Command: no INTx.
pub const COMMAND_INTX_DISABLE: u32 = 1 << 10;
/// Status, in the command register: there is a list of capabilities.
pub const STATUS_CAPABILITIES: u32 = 1 << 20;

/// Sets bits of the command register. Writes zeros to the status half, which clears nothing there.
pub fn set_command(space: &mut impl ConfigSpace, address: u32, bits: u32) {
    let command = space.read(address, REGISTER_COMMAND) & 0xffff;
    space.write(address, REGISTER_COMMAND, command | bits);
}

/// Clears bits of the command register, and nothing in the status half.
pub fn clear_command(space: &mut impl ConfigSpace, address: u32, bits: u32) {
    let command = space.read(address, REGISTER_COMMAND) & 0xffff;
    space.write(address, REGISTER_COMMAND, command & !bits);
}

/// Configuration mechanism 1 (PCI 3.0, 3.2.2.3.2). It reaches the first 256 bytes of the functions of segment 0; all
/// others read as all ones.
pub struct PortConfigSpace {
    address: Port<u32>,
    data: Port<u32>,
}

impl PortConfigSpace {
    /// Takes the two ports.
    ///
    /// # Safety
    /// Nobody else uses them now: a second user could change the address before this one reads the data.
    pub const unsafe fn take() -> Self {
        Self {
            address: Port::new(0xcf8),
            data: Port::new(0xcfc),
        }
    }

    /// Selects a register; false if it is out of reach.
    fn select(&mut self, address: u32, offset: u16) -> bool {
        if address > 0xffff || offset > 0xff {
            return false;
        }
        // SAFETY: the ports are ours by `take`.
        unsafe {
            self.address
                .write(1 << 31 | address << 8 | u32::from(offset & 0xfc))
        };
        true
    }
}

impl ConfigSpace for PortConfigSpace {
    fn read(&mut self, address: u32, offset: u16) -> u32 {
        match self.select(address, offset) {
            // SAFETY: as in `select`.
            true => unsafe { self.data.read() },
            false => u32::MAX,
        }
    }

    fn write(&mut self, address: u32, offset: u16, value: u32) {
        if self.select(address, offset) {
            // SAFETY: as in `select`.
            unsafe { self.data.write(value) };
        }
    }
}
