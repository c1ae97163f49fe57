//! Functions that sleep (D3hot; PCI Power Management 1.2, 5.4.1) are woken, because a driver expects a function as it
//! is after power-on. Waking may reset a function, and its base addresses with it, so they are put back.

use alloc::vec::Vec;

use super::bars::REGISTER_BARS;
use super::config::{ConfigSpace, REGISTER_COMMAND, REGISTER_HEADER};
use super::node::Node;

/// Register Power Management Control/Status, from the capability on, and its state: 0 is awake, 3 is D3hot.
const CONTROL: u16 = 4;
const STATE: u32 = 0b11;
/// The status bit "wake-up event", which is cleared by a one.
const EVENT: u32 = 1 << 15;

/// How long a function may take to wake up.
pub const WAKE_NS: u64 = 10_000_000;

/// What may be lost: cache line size, base addresses, ROM and interrupt line.
const KEPT: [u16; 9] = [
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

/// A function that is waking up.
#[derive(Debug)]
pub struct Waking {
    address: u32,
    kept: [u32; KEPT.len()],
}

/// Wakes the functions that sleep. They may be used after [`WAKE_NS`] and [`restore`].
pub fn wake<'a>(
    space: &mut impl ConfigSpace,
    functions: impl Iterator<Item = &'a Node>,
) -> Vec<Waking> {
    let mut waking = Vec::new();
    for node in functions {
        let Some(at) = node.power.map(|at| u16::from(at) + CONTROL) else {
            continue;
        };
        let (address, control) = (node.address(), space.read(node.address(), at));
        if control == u32::MAX || control & STATE == 0 {
            continue;
        }
        let kept = KEPT.map(|register| space.read(address, register));
        space.write(address, at, control & 0xffff & !(STATE | EVENT));
        waking.push(Waking { address, kept });
    }
    waking
}

/// Puts back what waking up has reset. Address decoding stays off, as after power-on.
pub fn restore(space: &mut impl ConfigSpace, waking: &[Waking]) {
    for it in waking {
        let is_reset = space.read(it.address, REGISTER_BARS) != it.kept[1];
        let command = space.read(it.address, REGISTER_COMMAND);
        if is_reset && command != u32::MAX {
            for (register, value) in KEPT.into_iter().zip(it.kept) {
                space.write(it.address, register, value);
            }
        }
    }
}
