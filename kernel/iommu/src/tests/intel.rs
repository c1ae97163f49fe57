//! A unit of VT-d that keeps what it has read, and does what it is told at the last moment.

use std::cell::RefCell;
use std::rc::Rc;
use std::vec::Vec;

use super::hardware::{Caches, Outcome, Probe, Root, Step, Traffic};
use super::memory::FakeMemory;
use crate::unit::Registers;

pub const QUEUE: u64 = 1 << 1;
pub const COHERENT: u64 = 1;
pub const WRITE_BUFFER: u64 = 1 << 4;
pub const PROTECTED_MEMORY: u64 = 1 << 5;

/// The unit; clones are the same one.
#[derive(Clone)]
pub struct FakeIntel(pub Rc<RefCell<State>>);

pub struct State {
    pub memory: FakeMemory,
    pub capability: u64,
    pub extended: u64,
    pub status: u32,
    pub root_written: u64,
    pub root: u64,
    pub protected: u32,
    pub queue: [u64; 3],
    pub caches: Caches,
    pub traffic: Traffic,
    pub records: [[u64; 2]; 2],
    pub fault_status: u32,
    /// Bits of the command register that it does not obey.
    pub ignores: u32,
    /// It does not obey the registers and descriptors that invalidate.
    pub is_deaf: bool,
}

const IOTLB: u64 = 0xf8;
const RECORDS: u64 = 0x220;

impl FakeIntel {
    /// Makes a unit with four levels and pages of 1 GiB, with these abilities beside.
    pub fn new(memory: &FakeMemory, capability: u64, extended: u64) -> Self {
        let usual = 1 << 10 | 0b11 << 34 | (RECORDS / 16) << 24 | 1 << 40 | 0b11 << 54;
        Self(Rc::new(RefCell::new(State {
            memory: memory.clone(),
            capability: usual | capability,
            extended: ((IOTLB - 8) / 16) << 8 | extended,
            status: 0,
            root_written: 0,
            root: 0,
            protected: 0,
            queue: [0; 3],
            caches: Caches::default(),
            traffic: Traffic::default(),
            records: [[0; 2]; 2],
            fault_status: 0,
            ignores: 0,
            is_deaf: false,
        })))
    }

    pub fn access(&self, probe: Probe) -> Outcome {
        self.0.borrow_mut().access(probe)
    }
}

fn root(memory: &FakeMemory, table: u64, function: u16) -> Root {
    let [number, bus] = function.to_le_bytes().map(u64::from);
    let bus = memory.unit_reads(table + bus * 16);
    if bus & 1 == 0 {
        return None;
    }
    let context = (bus & !0xfff) + number * 16;
    let entry = memory.unit_reads(context);
    let high = memory.unit_reads(context + 8);
    if entry & 1 == 0 {
        return None;
    }
    assert_eq!(
        entry & 0xffe,
        0,
        "translation of untranslated requests only"
    );
    assert_ne!(high >> 8, 0, "domain 0 is the unit's own in caching mode");
    Some((entry & !0xfff, (high & 7) as u32 + 2))
}

fn step(entry: u64, level: u32) -> Step {
    match entry & 0b11 {
        0 => Step::Absent,
        0b11 if level == 1 || entry & 1 << 7 != 0 => Step::Page(entry & 0x000f_ffff_ffff_f000),
        0b11 => Step::Table(entry & 0x000f_ffff_ffff_f000),
        rights => panic!("rights {rights:#b}"),
    }
}

impl State {
    pub fn access(&mut self, probe: Probe) -> Outcome {
        if self.status >> 31 == 0 {
            return Outcome::Untranslated;
        }
        let table = self.root & !0xfff;
        let find = |memory: &FakeMemory, function| root(memory, table, function);
        let outcome = self.caches.access(&self.memory, probe, find, step);
        if outcome == Outcome::Stopped {
            self.note(probe);
        }
        outcome
    }

    fn note(&mut self, (function, address): Probe) {
        match self.records.iter_mut().find(|it| it[1] >> 63 == 0) {
            Some(record) => *record = [address & !0xfff, 1 << 63 | 5 << 32 | u64::from(function)],
            None => self.fault_status |= 1,
        }
    }

    /// Lets devices access memory, so that caches fill at the worst time.
    fn run_devices(&mut self) {
        for probe in self.traffic.probes.clone() {
            let outcome = self.access(probe);
            self.traffic.seen.push((probe, outcome));
        }
    }

    fn forget_functions(&mut self) {
        if !self.is_deaf {
            self.caches.functions.clear();
        }
    }

    fn forget_pages(&mut self) {
        if !self.is_deaf {
            self.caches.pages.clear();
        }
    }

    fn command(&mut self, value: u32) {
        let once = 1 << 30 | 1 << 29 | 1 << 27 | 1 << 24;
        let kept = 1 << 31 | 1 << 26 | 1 << 25;
        let changed = (value ^ self.status) & kept & !self.ignores;
        self.status ^= changed;
        let ordered = value & once & !self.ignores;
        assert!(
            (changed | ordered).count_ones() <= 1,
            "one command at a time: {value:#x}"
        );
        if ordered & 1 << 30 != 0 {
            self.root = self.root_written;
            self.status |= 1 << 30;
        }
        if ordered & 1 << 27 != 0 {
            self.memory.flush();
        }
        if value & 1 << 27 != 0 && self.ignores & 1 << 27 != 0 {
            self.status |= 1 << 27;
        }
        if changed & 1 << 26 != 0 && self.status & 1 << 26 != 0 {
            self.queue[0] = 0;
        }
    }

    /// Carries out the descriptors up to the tail.
    fn run_queue(&mut self) {
        let [mut head, tail, address] = self.queue;
        while head != tail && !self.is_deaf {
            let place = (address & !0xfff) + head;
            let low = self.memory.unit_reads(place);
            match low & 0xf {
                1 => self.forget_functions(),
                2 => self.forget_pages(),
                5 => {
                    let answer = self.memory.unit_reads(place + 8);
                    self.memory.unit_writes(answer, low >> 32);
                }
                other => panic!("descriptor {other}"),
            }
            head = (head + 16) % 4096;
        }
        self.queue[0] = head;
    }
}

impl Registers for FakeIntel {
    fn read32(&mut self, offset: u64) -> u32 {
        let state = self.0.borrow();
        match offset {
            0x1c => state.status,
            0x34 => state.fault_status,
            0x64 => state.protected,
            _ => panic!("read of {offset:#x}"),
        }
    }

    fn read64(&mut self, offset: u64) -> u64 {
        let state = self.0.borrow();
        match offset {
            0x08 => state.capability,
            0x10 => state.extended,
            0x20 => state.root_written,
            0x28 | IOTLB if state.is_deaf => u64::MAX,
            0x28 | IOTLB => 0,
            0x80 => state.queue[0],
            _ => {
                let record = (offset - RECORDS) / 16;
                state.records[record as usize][(offset / 8 % 2) as usize]
            }
        }
    }

    fn write32(&mut self, offset: u64, value: u32) {
        let state = &mut *self.0.borrow_mut();
        state.run_devices();
        match offset {
            0x18 => state.command(value),
            0x34 => state.fault_status &= !value,
            0x38 => {}
            0x64 => state.protected = if value >> 31 == 0 { 0 } else { state.protected },
            _ => panic!("write to {offset:#x}"),
        }
        state.run_devices();
    }

    fn write64(&mut self, offset: u64, value: u64) {
        let state = &mut *self.0.borrow_mut();
        state.run_devices();
        match offset {
            0x20 => state.root_written = value,
            0x28 => {
                assert_eq!(value, 0b101 << 61);
                state.forget_functions();
            }
            IOTLB => {
                assert_eq!(value >> 60, 0b1001);
                assert_eq!(value >> 48 & 0b11, 0b11, "accesses are drained");
                state.forget_pages();
            }
            0x88 => {
                state.queue[1] = value;
                if state.status & 1 << 26 != 0 {
                    state.run_queue();
                }
            }
            0x90 => state.queue[2] = value,
            _ => {
                let record = (offset - RECORDS) / 16;
                assert_eq!(value, 1 << 63);
                state.records[record as usize][1] = 0;
            }
        }
        state.run_devices();
    }
}

/// Fills memory with tables of another owner, in which `functions` reach all of the first GiB.
pub fn old_tables(memory: &FakeMemory, at: u64, functions: &[u16]) -> Vec<u64> {
    let (context, top, middle) = (at + 0x1000, at + 0x2000, at + 0x3000);
    for word in 0..512 {
        for table in [at, context, top, middle] {
            memory.unit_writes(table + word * 8, 0);
        }
    }
    for function in functions {
        let [number, bus] = function.to_le_bytes().map(u64::from);
        memory.unit_writes(at + bus * 16, context | 1);
        memory.unit_writes(context + number * 16, top | 1);
        memory.unit_writes(context + number * 16 + 8, 7 << 8 | 2);
    }
    memory.unit_writes(top, middle | 3);
    memory.unit_writes(middle, 1 << 7 | 3);
    [at].into()
}
