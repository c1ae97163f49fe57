//! A unit of AMD-Vi that keeps what it has read.

use std::cell::RefCell;
use std::rc::Rc;
use std::vec::Vec;

use super::hardware::{Caches, Outcome, Probe, Root, Step, Traffic};
use super::memory::FakeMemory;
use crate::unit::Registers;

/// The unit; clones are the same one.
#[derive(Clone)]
pub struct FakeAmd(pub Rc<RefCell<State>>);

pub struct State {
    pub memory: FakeMemory,
    pub control: u64,
    pub table: u64,
    pub features: u64,
    pub commands: [u64; 3],
    pub events: [u64; 3],
    pub overflow: bool,
    pub caches: Caches,
    pub traffic: Traffic,
    /// It carries out no command.
    pub is_deaf: bool,
}

impl FakeAmd {
    pub fn new(memory: &FakeMemory, can_invalidate_all: bool) -> Self {
        Self(Rc::new(RefCell::new(State {
            memory: memory.clone(),
            control: 0,
            table: 0,
            features: u64::from(can_invalidate_all) << 6,
            commands: [0; 3],
            events: [0; 3],
            overflow: false,
            caches: Caches::default(),
            traffic: Traffic::default(),
            is_deaf: false,
        })))
    }

    pub fn access(&self, probe: Probe) -> Outcome {
        self.0.borrow_mut().access(probe)
    }
}

/// Bits IR and IW.
const READ_WRITE: u64 = 0b11 << 61;

/// Reads an entry of the device table. One that is not valid lets accesses pass, which nobody may want.
fn root(memory: &FakeMemory, table: u64, function: u16) -> Root {
    let place = (table & 0x000f_ffff_ffff_f000) + u64::from(function) * 32;
    assert!(place < (table & !0xfff) + ((table & 0x1ff) + 1) * 4096);
    let words: Vec<u64> = (0..4).map(|it| memory.unit_reads(place + it * 8)).collect();
    assert_eq!(words[0] & 0b11, 0b11, "entry {function:#x} is not valid");
    assert_eq!(words[2] & 1, 0, "interrupts are not remapped");
    let levels = (words[0] >> 9 & 7) as u32;
    assert!((1..7).contains(&levels), "untranslated");
    (words[0] & READ_WRITE == READ_WRITE).then_some((words[0] & 0x000f_ffff_ffff_f000, levels))
}

fn step(entry: u64, level: u32) -> Step {
    let (address, next) = (entry & 0x000f_ffff_ffff_f000, (entry >> 9 & 7) as u32);
    if entry & 1 == 0 {
        return Step::Absent;
    }
    assert_eq!(entry & READ_WRITE, READ_WRITE);
    match next {
        0 => Step::Page(address),
        below if below + 1 == level => Step::Table(address),
        other => panic!("from level {level} to {other}"),
    }
}

impl State {
    pub fn access(&mut self, probe: Probe) -> Outcome {
        if self.control & 1 == 0 {
            return Outcome::Untranslated;
        }
        let table = self.table;
        let find = |memory: &FakeMemory, function| root(memory, table, function);
        let outcome = self.caches.access(&self.memory, probe, find, step);
        if outcome == Outcome::Stopped {
            self.note(probe);
        }
        outcome
    }

    fn note(&mut self, (function, address): Probe) {
        let [base, head, tail] = self.events;
        let next = (tail + 16) % 4096;
        if self.control & 1 << 2 == 0 || self.overflow {
            return;
        }
        if next == head {
            self.overflow = true;
            return;
        }
        let place = (base & 0x000f_ffff_ffff_f000) + tail;
        let low = 2 << 60 | 1 << 53 | u64::from(function);
        self.memory.unit_writes(place, low);
        self.memory.unit_writes(place + 8, address);
        self.events[2] = next;
    }

    fn run_devices(&mut self) {
        for probe in self.traffic.probes.clone() {
            let outcome = self.access(probe);
            self.traffic.seen.push((probe, outcome));
        }
    }

    fn run_commands(&mut self) {
        let runs = self.control & (1 | 1 << 12) == 1 | 1 << 12;
        let [base, mut head, tail] = self.commands;
        while runs && head != tail && !self.is_deaf {
            let place = (base & 0x000f_ffff_ffff_f000) + head;
            let (low, high) = (
                self.memory.unit_reads(place),
                self.memory.unit_reads(place + 8),
            );
            match low >> 60 {
                1 => {
                    assert_eq!(low & 0b111, 1);
                    let answer = low & 0x000f_ffff_ffff_fff8;
                    self.memory.unit_writes(answer, high);
                }
                2 => {
                    self.caches.functions.remove(&(low as u16));
                }
                3 => {
                    assert_eq!(low >> 32 & 0xffff, 1, "the domain");
                    assert_eq!(high, 0x7fff_ffff_ffff_f003);
                    self.caches.pages.clear();
                }
                8 => {
                    assert_ne!(self.features & 1 << 6, 0);
                    self.caches = Caches::default();
                }
                other => panic!("command {other}"),
            }
            head = (head + 16) % 4096;
        }
        self.commands[1] = head;
    }
}

impl Registers for FakeAmd {
    fn read32(&mut self, offset: u64) -> u32 {
        panic!("read of 32 bits at {offset:#x}")
    }

    fn read64(&mut self, offset: u64) -> u64 {
        let state = self.0.borrow();
        let is_on = |bit: u64| state.control >> bit & state.control & 1;
        match offset {
            0x18 => state.control,
            0x30 => state.features,
            0x2020 => is_on(2) << 3 | is_on(12) << 4 | u64::from(state.overflow),
            _ => panic!("read of {offset:#x}"),
        }
    }

    fn write32(&mut self, offset: u64, _: u32) {
        panic!("write of 32 bits at {offset:#x}")
    }

    fn write64(&mut self, offset: u64, value: u64) {
        let state = &mut *self.0.borrow_mut();
        state.run_devices();
        match offset {
            0x00 => state.table = value,
            0x08 => state.commands = [value, 0, 0],
            0x10 => state.events = [value, 0, 0],
            0x18 => {
                state.control = value;
                state.run_commands();
            }
            0x20 => assert_eq!(value, 0, "nothing is excluded from translation"),
            0x2000 => state.commands[1] = value,
            0x2008 => {
                state.commands[2] = value;
                state.run_commands();
            }
            0x2010 => state.events[1] = value,
            0x2018 => state.events[2] = value,
            0x2020 => state.overflow &= value & 1 == 0,
            _ => panic!("write to {offset:#x}"),
        }
        state.run_devices();
    }
}

/// Fills memory with a device table of another owner, whose `functions` reach all of the first 512 GiB.
pub fn old_tables(memory: &FakeMemory, at: u64, functions: &[u16]) {
    let top = at + 0x20_0000;
    for function in 0..=u16::MAX {
        let mine = functions.contains(&function);
        let rights = if mine { READ_WRITE } else { 0 };
        let place = at + u64::from(function) * 32;
        let words = [top | 4 << 9 | 0b11 | rights, 1, 0, 0];
        for (index, word) in words.into_iter().enumerate() {
            memory.unit_writes(place + index as u64 * 8, word);
        }
    }
    for word in 0..512 {
        memory.unit_writes(top + word * 8, 0);
        memory.unit_writes(top + 0x1000 + word * 8, word << 30 | READ_WRITE | 1);
    }
    memory.unit_writes(top, (top + 0x1000) | 3 << 9 | READ_WRITE | 1);
}
