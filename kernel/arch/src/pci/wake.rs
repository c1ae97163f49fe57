//! Functions that sleep (D3hot; PCI Power Management 1.2, 5.4.1) are woken, because a driver expects a function as it
//! is after power-on. Waking may reset a function. A function that obeys nothing else may be put to sleep: then it
//! must not master the bus.

use alloc::vec::Vec;

use super::config::ConfigSpace;
use super::node::Node;
use super::saved::Saved;

/// Register Power Management Control/Status, from the capability on, and its state: 0 is awake, 3 is D3hot.
const CONTROL: u16 = 4;
const STATE: u32 = 0b11;
const D3_HOT: u32 = 0b11;
/// The status bit "wake-up event", which is cleared by a one.
const EVENT: u32 = 1 << 15;

/// How long a function may take to wake up.
pub const WAKE_NS: u64 = 10_000_000;

/// Wakes the functions that sleep. They may be used after [`WAKE_NS`] and [`Saved::restore`].
pub fn wake<'a>(
    space: &mut impl ConfigSpace,
    functions: impl Iterator<Item = &'a Node>,
) -> Vec<Saved> {
    let mut waking = Vec::new();
    for node in functions {
        let Some(at) = node.power.map(|at| u16::from(at) + CONTROL) else {
            continue;
        };
        let control = space.read(node.address(), at);
        if control == u32::MAX || control & STATE == 0 {
            continue;
        }
        waking.push(Saved::of(space, node));
        let awake = control & 0xffff & !(STATE | EVENT);
        space.write(node.address(), at, awake);
    }
    waking
}

/// Puts a function to sleep. Returns whether it sleeps.
pub fn put_to_sleep(space: &mut impl ConfigSpace, node: &Node) -> bool {
    let Some(at) = node.power.map(|at| u16::from(at) + CONTROL) else {
        return false;
    };
    let control = space.read(node.address(), at);
    let asleep = control & 0xffff & !EVENT | D3_HOT;
    space.write(node.address(), at, asleep);
    let control = space.read(node.address(), at);
    control != u32::MAX && control & STATE == D3_HOT
}
