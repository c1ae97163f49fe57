//! Configuration space for tests.

use std::collections::HashMap;

use super::config::{ConfigSpace, REGISTER_CLASS, REGISTER_COMMAND, REGISTER_HEADER, REGISTER_ID};

/// Configuration space as a map; absent functions read as all ones.
#[derive(Default)]
pub struct Fake(HashMap<(u32, u8), u32>);

impl Fake {
    /// Adds a function, with all other registers zero.
    pub fn function(&mut self, address: u32, class: u32, header: u32) {
        for offset in (0..=0xfc).step_by(4) {
            self.set(address, offset, 0);
        }
        self.set(address, REGISTER_ID, 0x1041_1af4);
        self.set(address, REGISTER_CLASS, class << 8);
        self.set(address, REGISTER_HEADER, header << 16);
    }

    /// Sets a register to `value`, read-only bits too.
    pub fn set(&mut self, address: u32, offset: u8, value: u32) {
        self.0.insert((address, offset), value);
    }
}

impl ConfigSpace for Fake {
    fn read(&mut self, address: u32, offset: u8) -> u32 {
        self.0.get(&(address, offset)).copied().unwrap_or(u32::MAX)
    }

    fn write(&mut self, address: u32, offset: u8, value: u32) {
        let Some(word) = self.0.get_mut(&(address, offset)) else {
            return;
        };
        *word = if offset == REGISTER_COMMAND {
            // The status half is cleared by ones and kept by zeros.
            *word & 0xffff_0000 & !value | value & 0xffff
        } else {
            value
        };
    }
}
