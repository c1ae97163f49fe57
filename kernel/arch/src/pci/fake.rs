//! Configuration space for tests: a machine whose functions may be hostile.

use std::collections::{HashMap, HashSet};

use super::config::{
    COMMAND_BUS_MASTER, ConfigSpace, REGISTER_BUSES, REGISTER_CLASS, REGISTER_COMMAND,
    REGISTER_HEADER, REGISTER_ID, STATUS_CAPABILITIES,
};

/// Configuration space as a map; absent functions read as all ones.
#[derive(Default)]
pub struct Fake {
    registers: HashMap<(u32, u16), u32>,
    /// Functions whose bus mastering stays on.
    pub stubborn: HashSet<u32>,
    /// Functions that ignore every write.
    pub deaf: HashSet<u32>,
    /// Functions that can be reset, and how many reads they ask to be asked again after that.
    pub can_reset: HashMap<u32, u32>,
    /// Functions that a reset brings to reason.
    pub obeys_after_reset: HashSet<u32>,
    /// Functions that were reset, and how many more reads they ask to be asked again.
    resetting: HashMap<u32, u32>,
    /// After so many more accesses, the function reads as all ones.
    pub dies_after: HashMap<u32, u32>,
    /// Registers whose bit stays set for so many more reads.
    pub pending: HashMap<(u32, u16), u32>,
    /// Number of accesses.
    pub accesses: u32,
}

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

    /// Adds a network card that masters the bus, with the capabilities for messages and PCI Express.
    pub fn card(&mut self, address: u32) {
        self.function(address, 0x02_0000, 0);
        self.set(address, REGISTER_COMMAND, STATUS_CAPABILITIES | 7);
        self.set(address, 0x34, 0x40);
        self.set(address, 0x40, 0x8003_0000 | 0x50 << 8 | 0x11);
        self.set(address, 0x50, 0x0081_0000 | 0x60 << 8 | 0x05);
        self.set(address, 0x60, 0x0002_0000 | 0x10);
        self.set(address, 0x68, 0);
    }

    /// Gives a card the capability to be reset; it does not answer for so many reads then.
    pub fn resettable(&mut self, address: u32, reads: u32) {
        self.set(address, 0x64, 1 << 28);
        self.can_reset.insert(address, reads);
    }

    /// Gives a card the capability to sleep.
    pub fn sleeper(&mut self, address: u32) {
        self.set(address, 0x60, 0x0002_0000 | 0x70 << 8 | 0x10);
        self.set(address, 0x70, 1);
    }

    /// Adds a port with a link, that forwards, and whose bus is `bus`.
    pub fn port(&mut self, address: u32, bus: u32) {
        self.bridge(address, bus);
        self.set(address, REGISTER_COMMAND, STATUS_CAPABILITIES | 7);
        self.set(address, 0x34, 0x40);
        self.set(address, 0x40, 0x0042_0010);
        self.set(address, 0x68, 0);
    }

    /// Adds a bridge with 32 devices.
    pub fn bridge(&mut self, address: u32, bus: u32) {
        self.function(address, 0x06_0400, 1);
        self.set(address, REGISTER_COMMAND, 7);
        self.set(address, REGISTER_BUSES, bus << 16 | bus << 8);
    }

    /// Takes a function away.
    pub fn remove(&mut self, address: u32) {
        self.registers.retain(|(at, _), _| *at != address);
    }

    /// Sets a register to `value`, read-only bits too.
    pub fn set(&mut self, address: u32, offset: u16, value: u32) {
        self.registers.insert((address, offset), value);
    }

    /// Returns whether the function is there, awake, holds nobody in reset, and masters the bus.
    pub fn masters(&self, address: u32) -> bool {
        let register = |offset| self.registers.get(&(address, offset)).copied().unwrap_or(0);
        let is_asleep = register(0x70) == 1 && register(0x74) & 3 == 3;
        let is_bridge = register(REGISTER_HEADER) >> 16 & 0x7f == 1;
        let is_holding = is_bridge && register(0x3c) & 1 << 22 != 0;
        register(REGISTER_COMMAND) & COMMAND_BUS_MASTER != 0 && !is_asleep && !is_holding
    }

    /// Resets a function: what configuration space has of its own is as after power-on.
    fn reset(&mut self, address: u32) {
        let reads = self.can_reset[&address];
        self.resetting.insert(address, reads);
        for offset in [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x30, 0x3c, 0x68] {
            self.set(address, offset, 0);
        }
        if self.obeys_after_reset.contains(&address) {
            self.stubborn.remove(&address);
        }
        let command = self.registers[&(address, REGISTER_COMMAND)];
        let mastering = match self.stubborn.contains(&address) {
            true => COMMAND_BUS_MASTER,
            false => 0,
        };
        self.set(address, REGISTER_COMMAND, command & 0xffff_0000 | mastering);
        self.pending.remove(&(address, 0x68));
    }

    /// Counts an access; false if the function no longer answers.
    fn answers(&mut self, address: u32) -> bool {
        self.accesses += 1;
        match self.dies_after.get_mut(&address) {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }
}

impl ConfigSpace for Fake {
    fn read(&mut self, address: u32, offset: u16) -> u32 {
        if !self.answers(address) {
            return u32::MAX;
        }
        if let Some(left) = self.resetting.get_mut(&address).filter(|left| **left > 0) {
            *left -= 1;
            return if offset == REGISTER_ID {
                0xffff_0001
            } else {
                u32::MAX
            };
        }
        let value = self.registers.get(&(address, offset));
        let value = value
            .copied()
            .unwrap_or(match self.registers.get(&(address, 0)) {
                // What a function has not, reads as zeros.
                Some(_) => 0,
                None => u32::MAX,
            });
        match self.pending.get_mut(&(address, offset)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                value | 1 << 21
            }
            _ => value,
        }
    }

    fn write(&mut self, address: u32, offset: u16, mut value: u32) {
        if !self.answers(address) || self.deaf.contains(&address) {
            return;
        }
        if offset == 0x68 && value & 1 << 15 != 0 && self.can_reset.contains_key(&address) {
            return self.reset(address);
        }
        if offset == REGISTER_COMMAND && self.stubborn.contains(&address) {
            value |= COMMAND_BUS_MASTER;
        }
        let Some(word) = self.registers.get_mut(&(address, offset)) else {
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
