//! What a function loses when it is reset, and what was set up for it before any kernel ran: it is put back, because a
//! driver expects to find it.

use super::bars::REGISTER_BARS;
use super::config::{ConfigSpace, REGISTER_COMMAND, REGISTER_HEADER};
use super::node::Node;

/// Cache line size, base addresses, ROM and interrupt line.
const HEADER: [u16; 9] = [
    REGISTER_HEADER,
    REGISTER_BARS,
    REGISTER_BARS + 4,
    REGISTER_BARS + 8,
    REGISTER_BARS + 12,
    REGISTER_BARS + 16,
    REGISTER_BARS + 20,
    0x30,
    0x3c,
];

/// From the PCI Express capability on: Device Control, whose payload must suit the ports above, Link Control and Device
/// Control 2. The upper halves are status.
const EXPRESS: [u16; 3] = [0x08, 0x10, 0x28];

/// Device Control without what a driver switches on (error reports) and without what begins a reset.
const DEVICE_CONTROL_KEPT: u32 = 0x7ff0;

/// The registers of a function before a reset.
#[derive(Debug)]
pub struct Saved {
    address: u32,
    header: [u32; HEADER.len()],
    express: Option<(u16, [u32; EXPRESS.len()])>,
}

impl Saved {
    /// Reads what a reset would lose.
    pub fn of(space: &mut impl ConfigSpace, node: &Node) -> Self {
        let address = node.address();
        let mut read = |register| space.read(address, register);
        Self {
            address,
            header: HEADER.map(&mut read),
            express: node.express.map(|at| {
                let at = u16::from(at);
                (at, EXPRESS.map(|register| read(at + register)))
            }),
        }
    }

    /// Returns the function's address.
    pub fn address(&self) -> u32 {
        self.address
    }

    /// Puts back what was lost. Address decoding stays off, as after power-on.
    pub fn restore(&self, space: &mut impl ConfigSpace) {
        let address = self.address;
        if space.read(address, REGISTER_COMMAND) == u32::MAX {
            return;
        }
        for (register, value) in HEADER.into_iter().zip(self.header) {
            if space.read(address, register) != value {
                space.write(address, register, value);
            }
        }
        let Some((at, values)) = self.express else {
            return;
        };
        for (register, value) in EXPRESS.into_iter().zip(values) {
            let kept = match register {
                0x08 => DEVICE_CONTROL_KEPT,
                _ => 0xffff,
            };
            if (space.read(address, at + register) ^ value) & kept != 0 {
                space.write(address, at + register, value & kept);
            }
        }
    }
}
