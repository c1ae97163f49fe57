//! What both fake units share: caches that keep everything, absent entries too, until they are told to forget; and
//! devices that access memory whenever a register is written.

use std::collections::HashMap;
use std::vec::Vec;

use super::memory::FakeMemory;

/// Which tables a function has: the address of the top one, and the levels. `None` if it has none.
pub type Root = Option<(u64, u32)>;

/// What a unit remembers.
#[derive(Default)]
pub struct Caches {
    pub functions: HashMap<u16, Root>,
    pub pages: HashMap<(u64, u64), bool>,
}

/// What devices did, at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed as it was.
    Untranslated,
    /// It reached its own address.
    Reached,
    /// It was stopped.
    Stopped,
}

/// A device's access: function and address.
pub type Probe = (u16, u64);

impl Caches {
    /// Answers an access, from memory where the caches know nothing.
    pub fn access(
        &mut self,
        memory: &FakeMemory,
        (function, address): Probe,
        root: impl FnOnce(&FakeMemory, u16) -> Root,
        step: impl Fn(u64, u32) -> Step,
    ) -> Outcome {
        let root = *self
            .functions
            .entry(function)
            .or_insert_with(|| root(memory, function));
        let Some((top, levels)) = root else {
            return Outcome::Stopped;
        };
        let reaches = *self
            .pages
            .entry((top, address >> 12))
            .or_insert_with(|| walk(memory, top, levels, address, step));
        match reaches {
            true => Outcome::Reached,
            false => Outcome::Stopped,
        }
    }
}

/// What an entry is.
pub enum Step {
    Absent,
    Table(u64),
    Page(u64),
}

/// Walks through tables as hardware does. An address that is not its own is a fault of the tables.
pub fn walk(
    memory: &FakeMemory,
    top: u64,
    levels: u32,
    address: u64,
    step: impl Fn(u64, u32) -> Step,
) -> bool {
    if address >> (12 + 9 * levels) != 0 {
        return false;
    }
    let mut table = top;
    for level in (1..=levels).rev() {
        let shift = 12 + 9 * (level - 1);
        let entry = memory.unit_reads(table + (address >> shift & 511) * 8);
        match step(entry, level) {
            Step::Absent => return false,
            Step::Page(page) => {
                assert_eq!(page, address >> shift << shift, "not its own address");
                return true;
            }
            Step::Table(below) => table = below,
        }
    }
    panic!("a table below the last level");
}

/// Accesses that devices make again and again, and what came of them.
#[derive(Default)]
pub struct Traffic {
    pub probes: Vec<Probe>,
    pub seen: Vec<(Probe, Outcome)>,
}
