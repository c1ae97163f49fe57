//! Registers, in ports and in memory.

/// Where a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// At a port.
    Port(u16),
    /// At a physical address.
    Memory(u64),
}

/// Access to registers of 8, 16 and 32 bits.
pub trait Registers {
    /// Reads a register of `width` bits.
    fn read(&mut self, place: Place, width: u8) -> u32;
    /// Writes a register of `width` bits.
    fn write(&mut self, place: Place, width: u8, value: u32);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    /// Registers that hold what was written, under bits that cannot be changed.
    #[derive(Default)]
    pub(crate) struct FakeRegisters {
        pub(crate) values: BTreeMap<Place, u32>,
        /// Bits that stay, whatever is written.
        pub(crate) stuck: BTreeMap<Place, u32>,
        pub(crate) written: Vec<(Place, u32)>,
    }

    impl Registers for FakeRegisters {
        fn read(&mut self, place: Place, width: u8) -> u32 {
            assert!(matches!(width, 8 | 16 | 32));
            self.values.get(&place).copied().unwrap_or(0)
        }

        fn write(&mut self, place: Place, width: u8, value: u32) {
            assert!(width == 32 || value >> width == 0, "{place:?}: {value:#x}");
            let stuck = self.stuck.get(&place).copied().unwrap_or(0);
            let before = self.read(place, width);
            self.values.insert(place, value & !stuck | before & stuck);
            self.written.push((place, value));
        }
    }
}
