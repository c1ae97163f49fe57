//! The virtual functions of a function (SR-IOV; PCI Express 5.0, 9.3.3). They answer with no identity, so no walk meets
//! them; the register of their function says where they are. Each masters the bus by a bit of its own.

use super::config::{ConfigSpace, REGISTER_COMMAND};
use super::node::Node;

/// Registers, from the capability on.
const CONTROL: u16 = 0x08;
const TOTAL: u16 = 0x0c;
const COUNT: u16 = 0x10;
const PLACES: u16 = 0x14;

const ENABLE: u32 = 1 << 0;
const MEMORY: u32 = 1 << 3;

/// Calls `found` with the address of each virtual function that is switched on. What the registers say is hostile: no
/// address leaves the segment, and there are no more than the device can have.
pub fn each<C: ConfigSpace>(space: &mut C, node: &Node, mut found: impl FnMut(&mut C, u32)) {
    let Some(at) = node.sr_iov else { return };
    let own = node.address();
    let control = space.read(own, at + CONTROL);
    if control == u32::MAX || control & ENABLE == 0 {
        return;
    }
    let total = space.read(own, at + TOTAL) >> 16;
    let count = (space.read(own, at + COUNT) & 0xffff).min(total);
    let places = space.read(own, at + PLACES);
    let (first, stride) = (places & 0xffff, places >> 16);
    let mut routing_id = (own & 0xffff) + first;
    for _ in 0..count {
        // An offset of 0 would be the function itself.
        if routing_id > 0xffff || routing_id == own & 0xffff {
            return;
        }
        found(space, own & 0xffff_0000 | routing_id);
        routing_id += stride.max(1);
    }
}

/// Keeps the virtual functions from mastering the bus.
pub fn stop(space: &mut impl ConfigSpace, node: &Node) {
    // Command has no other bit in a virtual function (9.3.4.1.3).
    each(space, node, |space, address| {
        space.write(address, REGISTER_COMMAND, 0)
    });
}

/// Switches the virtual functions off, as they are after power-on. Returns false if they stay.
pub fn switch_off(space: &mut impl ConfigSpace, node: &Node) -> bool {
    let Some(at) = node.sr_iov else { return true };
    let control = space.read(node.address(), at + CONTROL);
    if control & ENABLE == 0 {
        return true;
    }
    let off = control & 0xffff & !(ENABLE | MEMORY);
    space.write(node.address(), at + CONTROL, off);
    space.read(node.address(), at + CONTROL) & ENABLE == 0
}
