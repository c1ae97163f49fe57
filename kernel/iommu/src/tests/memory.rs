//! Memory as a unit sees it: late, unless it is told.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::memory::TableMemory;

#[derive(Default)]
struct State {
    /// What processors read.
    written: HashMap<u64, u64>,
    /// What is on its way, if the unit has a write buffer.
    buffered: HashMap<u64, u64>,
    /// What the unit reads.
    seen: HashMap<u64, u64>,
    is_coherent: bool,
    has_write_buffer: bool,
}

/// Memory; clones are the same one.
#[derive(Clone, Default)]
pub struct FakeMemory(Rc<RefCell<State>>);

impl FakeMemory {
    pub fn new(is_coherent: bool, has_write_buffer: bool) -> Self {
        Self(Rc::new(RefCell::new(State {
            is_coherent,
            has_write_buffer,
            ..State::default()
        })))
    }

    /// Reads as the unit. What was never written holds anything.
    pub fn unit_reads(&self, address: u64) -> u64 {
        let state = self.0.borrow();
        let junk = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        state.seen.get(&address).copied().unwrap_or(junk)
    }

    /// Writes as the unit.
    pub fn unit_writes(&self, address: u64, value: u64) {
        let mut state = self.0.borrow_mut();
        state.seen.insert(address, value);
        state.written.insert(address, value);
    }

    /// Empties the write buffer.
    pub fn flush(&self) {
        let state = &mut *self.0.borrow_mut();
        state.seen.extend(state.buffered.drain());
    }

    fn show(state: &mut State, address: u64) {
        let value = state.written[&address];
        match state.has_write_buffer {
            true => state.buffered.insert(address, value),
            false => state.seen.insert(address, value),
        };
    }
}

impl TableMemory for FakeMemory {
    fn read(&mut self, address: u64) -> u64 {
        let state = self.0.borrow();
        state.written.get(&address).copied().unwrap_or(0xdead_beef)
    }

    fn write(&mut self, address: u64, value: u64) {
        assert_eq!(address % 8, 0);
        let state = &mut *self.0.borrow_mut();
        state.written.insert(address, value);
        if state.is_coherent {
            Self::show(state, address);
        }
    }

    fn write_back(&mut self, address: u64) {
        Self::show(&mut self.0.borrow_mut(), address);
    }
}
