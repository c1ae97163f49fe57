//! All functions of the machine, each with the bridge above it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::config::ConfigSpace;
use super::node::{Node, identity};

/// Maximum number of functions of a machine. What is beyond is counted, and a machine with more is refused.
pub const FUNCTIONS_MAX: usize = sharedmem::linux::LINUX_FUNCTIONS_MAX;

/// Buses of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusRange {
    /// The segment.
    pub segment: u16,
    /// The first bus.
    pub first: u8,
    /// The last bus.
    pub last: u8,
}

impl BusRange {
    /// What the ports reach.
    pub const SEGMENT_0: Self = Self {
        segment: 0,
        first: 0,
        last: u8::MAX,
    };

    /// Returns whether a bus, given with its segment in bits 23..8, is one of these.
    pub fn contains(&self, bus: u32) -> bool {
        let numbers = u32::from(self.first)..=u32::from(self.last);
        bus >> 8 == u32::from(self.segment) && numbers.contains(&(bus & 0xff))
    }

    fn buses(self) -> impl Iterator<Item = u32> {
        (self.first..=self.last).map(move |bus| u32::from(self.segment) << 8 | u32::from(bus))
    }
}

/// The functions of the machine.
#[derive(Debug, Default)]
pub struct Tree {
    pub(super) nodes: BTreeMap<u32, Node>,
    pub(super) ranges: Vec<BusRange>,
    roots: Vec<u32>,
    pub(super) round: u32,
    pub(super) left_out: u32,
    pub(super) next_number: u32,
}

impl Tree {
    /// Finds every function on the buses of `ranges`. Reads only.
    ///
    /// A bus that no bridge leads to is the root of another tree if something answers there.
    pub fn find(space: &mut impl ConfigSpace, ranges: Vec<BusRange>) -> Self {
        let mut tree = Self {
            ranges,
            ..Self::default()
        };
        let mut seen = BTreeSet::new();
        let buses: Vec<u32> = tree.ranges.iter().flat_map(|range| range.buses()).collect();
        for bus in buses {
            let known = tree.next_number + tree.left_out;
            tree.walk(space, bus, &mut seen);
            if tree.next_number + tree.left_out > known {
                tree.roots.push(bus);
            }
        }
        for (number, node) in tree.nodes.values_mut().enumerate() {
            node.number = number as u32;
            node.function.number = number as u32;
        }
        tree
    }

    /// Looks again: meets what was plugged since, and forgets what it met in an earlier walk that answers no more.
    /// Returns the addresses of functions that were not there before.
    pub(super) fn look_again(&mut self, space: &mut impl ConfigSpace) -> Vec<u32> {
        self.round += 1;
        self.left_out = 0;
        let first_new = self.next_number;
        let mut seen = BTreeSet::new();
        for bus in self.roots.clone() {
            self.walk(space, bus, &mut seen);
        }
        // A bridge whose bus numbers were overwritten leads the walk past functions that still answer.
        for node in self.nodes.values_mut().filter(|it| it.round != self.round) {
            if identity(space, node.address()) == Some(node.function.id) {
                node.round = self.round;
            }
        }
        let added = self.nodes.values().filter(|it| it.number >= first_new);
        added.map(Node::address).collect()
    }

    /// Returns the functions by their numbers: those of the first walk by address, and then what was plugged since.
    pub fn in_order(&self) -> Vec<Node> {
        let mut nodes: Vec<Node> = self.nodes.values().copied().collect();
        nodes.sort_unstable_by_key(|node| node.number);
        nodes
    }

    /// Returns the roots, with the segment in bits 23..8.
    pub fn roots(&self) -> &[u32] {
        &self.roots
    }

    /// Returns the number of the last bus in the segment of `bus` on which something is.
    pub fn last_bus(&self, bus: u32) -> u32 {
        let segment = bus >> 8 << 16;
        let last = self.nodes.range(segment..=segment | 0xffff).next_back();
        last.map_or(bus & 0xff, |(address, _)| address >> 8 & 0xff)
    }

    /// Returns how many functions were left out because there is no room for them.
    pub fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Returns the addresses of the bridges above a function, from the nearest on. Ends even if they form a circle.
    pub(super) fn bridges_above(&self, node: &Node) -> impl Iterator<Item = u32> {
        let mut above = node.above;
        core::iter::from_fn(move || {
            let bridge = above?;
            above = self.nodes.get(&bridge).and_then(|it| it.above);
            Some(bridge)
        })
        // A chain of bridges is no longer than a segment has buses.
        .take(256)
    }
}
