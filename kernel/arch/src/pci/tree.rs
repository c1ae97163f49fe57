//! All functions of the machine, each with the bridge above it.

use alloc::vec;
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

    /// Returns how many buses these are.
    pub(super) fn count(self) -> usize {
        usize::from(self.last.saturating_sub(self.first)) + 1
    }

    fn buses(self) -> impl Iterator<Item = u32> {
        (self.first..=self.last).map(move |bus| u32::from(self.segment) << 8 | u32::from(bus))
    }
}

/// The buses that can be reached, and the round in which each was last walked over.
#[derive(Debug, Default)]
pub(super) struct Buses {
    ranges: Vec<BusRange>,
    walked: Vec<u32>,
}

impl Buses {
    fn new(ranges: Vec<BusRange>) -> Self {
        let count = ranges.iter().map(|range| range.count()).sum();
        Self {
            ranges,
            walked: vec![0; count],
        }
    }

    fn all(&self) -> Vec<u32> {
        self.ranges.iter().flat_map(|range| range.buses()).collect()
    }

    /// Begins to walk over a bus. Returns false if it cannot be reached, or was walked over in this round already: so
    /// a loop in hostile bus numbers ends.
    pub(super) fn enter(&mut self, bus: u32, round: u32) -> bool {
        let mut first = 0;
        for range in &self.ranges {
            if range.contains(bus) {
                let index = first + (bus & 0xff) as usize - usize::from(range.first);
                return core::mem::replace(&mut self.walked[index], round) != round;
            }
            first += range.count();
        }
        false
    }
}

/// The functions of the machine.
///
/// A takeover waits for the walk over them, so they lie in one piece of memory, and a walk that meets nothing new
/// allocates next to nothing.
#[derive(Debug, Default)]
pub struct Tree {
    /// By address.
    pub(super) nodes: Vec<Node>,
    pub(super) buses: Buses,
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
            buses: Buses::new(ranges),
            // No bus was walked over in a round before the first.
            round: 1,
            ..Self::default()
        };
        for bus in tree.buses.all() {
            let known = tree.next_number + tree.left_out;
            tree.walk(space, bus);
            if tree.next_number + tree.left_out > known {
                tree.roots.push(bus);
            }
        }
        for (number, node) in tree.nodes.iter_mut().enumerate() {
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
        for index in 0..self.roots.len() {
            self.walk(space, self.roots[index]);
        }
        // A bridge whose bus numbers were overwritten leads the walk past functions that still answer.
        let round = self.round;
        for node in self.nodes.iter_mut().filter(|it| it.round != round) {
            if identity(space, node.address()) == Some(node.function.id) {
                node.round = round;
            }
        }
        let added = self.nodes.iter().filter(|it| it.number >= first_new);
        added.map(Node::address).collect()
    }

    /// Returns the function at `address`.
    pub(super) fn get(&self, address: u32) -> Option<&Node> {
        self.index(address).ok().map(|index| &self.nodes[index])
    }

    /// Returns where the function at `address` is among the nodes, or where it would be.
    pub(super) fn index(&self, address: u32) -> Result<usize, usize> {
        self.nodes.binary_search_by_key(&address, Node::address)
    }

    /// Returns the functions by their numbers: those of the first walk by address, and then what was plugged since.
    pub fn in_order(&self) -> Vec<Node> {
        let mut nodes = self.nodes.clone();
        nodes.sort_unstable_by_key(|node| node.number);
        nodes
    }

    /// Returns the roots, with the segment in bits 23..8.
    pub fn roots(&self) -> &[u32] {
        &self.roots
    }

    /// Returns the number of the last bus in the segment of `bus` on which something is.
    pub fn last_bus(&self, bus: u32) -> u32 {
        let is_there = |node: &&Node| node.address() >> 16 == bus >> 8;
        let last = self.nodes.iter().rfind(is_there);
        last.map_or(bus & 0xff, |node| node.address() >> 8 & 0xff)
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
            above = self.get(bridge).and_then(|it| it.above);
            Some(bridge)
        })
        // A chain of bridges is no longer than a segment has buses.
        .take(256)
    }
}
