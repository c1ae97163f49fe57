//! The walk over the buses.

use alloc::vec;
use alloc::vec::Vec;

use super::config::{ConfigSpace, REGISTER_BUSES};
use super::node::{Node, identity};
use super::tree::{FUNCTIONS_MAX, Tree};

/// Register Device Control 2, from the PCI Express capability on, and its bit: more than eight functions of the device
/// below are reached.
const DEVICE_CONTROL_2: u16 = 0x28;
const ARI_FORWARDING: u32 = 1 << 5;

/// A bus to walk over, and the bridge above it.
type Pending = (u32, Option<u32>);

impl Tree {
    /// Meets every function on a bus and behind it.
    pub(super) fn walk(&mut self, space: &mut impl ConfigSpace, bus: u32) {
        let mut pending = vec![(bus, None)];
        while let Some((bus, above)) = pending.pop() {
            if self.buses.enter(bus, self.round) {
                self.walk_bus(space, bus, above, &mut pending);
            }
        }
    }

    fn walk_bus(
        &mut self,
        space: &mut impl ConfigSpace,
        bus: u32,
        above: Option<u32>,
        pending: &mut Vec<Pending>,
    ) {
        let port = above.and_then(|above| self.get(above).copied());
        let port = port.filter(Node::is_single_port);
        let devices = if port.is_some() { 1 } else { 32 };
        for device in 0..devices {
            let first = bus << 8 | device << 3;
            // Most places are empty, and a takeover waits for the look at each.
            let Some(id) = identity(space, first) else {
                continue;
            };
            let Some(node) = self.meet(space, first, id, above, pending) else {
                continue;
            };
            if port.is_some_and(|port| forwards_ari(space, &port)) && node.ari.is_some() {
                self.walk_ari(space, node, above, pending);
            } else if node.is_multi_function() {
                for function in 1..8 {
                    if let Some(id) = identity(space, first | function) {
                        self.meet(space, first | function, id, above, pending);
                    }
                }
            }
        }
    }

    /// Follows the list of functions of a device with more than eight (PCI Express 5.0, 7.8.8). The numbers must rise,
    /// so a list that loops ends.
    fn walk_ari(
        &mut self,
        space: &mut impl ConfigSpace,
        first: Node,
        above: Option<u32>,
        pending: &mut Vec<Pending>,
    ) {
        let mut node = first;
        while let Some(ari) = node.ari {
            let next = space.read(node.address(), ari + 4) >> 8 & 0xff;
            if next <= node.address() & 0xff {
                return;
            }
            let address = node.address() & !0xff | next;
            let Some(id) = identity(space, address) else {
                return;
            };
            let Some(found) = self.meet(space, address, id, above, pending) else {
                return;
            };
            node = found;
        }
    }

    /// Notes the function `id` at `address`, and the bus behind it, if it is a bridge. `None` if there is no room, or
    /// if it is gone again.
    fn meet(
        &mut self,
        space: &mut impl ConfigSpace,
        address: u32,
        id: u32,
        above: Option<u32>,
        pending: &mut Vec<Pending>,
    ) -> Option<Node> {
        let node = match self.index(address) {
            // A function that is as before costs no further access: a takeover waits for this.
            Ok(index) if self.nodes[index].function.id == id => {
                self.nodes[index].round = self.round;
                self.nodes[index]
            }
            place => self.note(Node::read(space, address)?, above, place)?,
        };
        if node.is_bridge() {
            let bus = space.read(address, REGISTER_BUSES) >> 8 & 0xff;
            pending.push((address >> 16 << 8 | bus, Some(address)));
        }
        Some(node)
    }

    /// Takes in a function that is new, or another one at an address that was known. `place` is what `index` says.
    fn note(
        &mut self,
        mut node: Node,
        above: Option<u32>,
        place: Result<usize, usize>,
    ) -> Option<Node> {
        if self.nodes.len() >= FUNCTIONS_MAX && place.is_err() {
            self.left_out += 1;
            return None;
        }
        node.number = self.next_number;
        self.next_number += 1;
        node.function.number = node.number;
        node.round = self.round;
        node.above = above;
        match place {
            Ok(index) => self.nodes[index] = node,
            Err(index) => self.nodes.insert(index, node),
        }
        Some(node)
    }
}

fn forwards_ari(space: &mut impl ConfigSpace, port: &Node) -> bool {
    let express = port.express.map(u16::from);
    express.is_some_and(|at| {
        let control = space.read(port.address(), at + DEVICE_CONTROL_2);
        control != u32::MAX && control & ARI_FORWARDING != 0
    })
}
