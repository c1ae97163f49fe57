//! Configuration space in memory (ECAM; PCI Express 5.0, 7.2.2), with the ports for what no window shows.

use alloc::vec::Vec;

use super::config::{ConfigSpace, PortConfigSpace};
use super::tree::BusRange;

/// Bytes of configuration space of a bus.
const BUS_BYTES: u64 = 1 << 20;
/// Bytes of configuration space of a function.
const FUNCTION_BYTES: u16 = 4096;

/// A mapped window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcamWindow {
    /// The buses that it shows.
    pub buses: BusRange,
    /// Where the first of them begins.
    pub base: u64,
}

impl EcamWindow {
    /// Returns its length.
    pub fn len_bytes(&self) -> u64 {
        (u64::from(self.buses.last) - u64::from(self.buses.first) + 1) * BUS_BYTES
    }

    /// Returns where a register is, if the window shows it.
    fn place(&self, address: u32, offset: u16) -> Option<u64> {
        let is_here = self.buses.contains(address >> 8) && offset < FUNCTION_BYTES;
        let bus = u64::from(address >> 8 & 0xff).checked_sub(self.buses.first.into())?;
        let function = u64::from(address & 0xff) * u64::from(FUNCTION_BYTES);
        is_here.then_some(self.base + bus * BUS_BYTES + function + u64::from(offset & !3))
    }
}

/// The configuration space of a machine.
pub struct MachineConfigSpace {
    windows: Vec<EcamWindow>,
    ports: PortConfigSpace,
}

impl MachineConfigSpace {
    /// Makes it from `windows` and the ports.
    ///
    /// # Safety
    /// The windows are identity mapped, uncached, writable, and are what they are said to be, for as long as this
    /// lives. Nobody else uses the ports while it is used.
    pub unsafe fn new(windows: Vec<EcamWindow>) -> Self {
        Self {
            windows,
            // SAFETY: by the caller's promise.
            ports: unsafe { PortConfigSpace::take() },
        }
    }

    /// Returns the buses that can be reached: those of the windows, and all of segment 0.
    pub fn buses(&self) -> Vec<BusRange> {
        let others = self.windows.iter().map(|window| window.buses);
        [BusRange::SEGMENT_0]
            .into_iter()
            .chain(others.filter(|buses| buses.segment != 0))
            .collect()
    }

    fn place(&self, address: u32, offset: u16) -> Option<u64> {
        self.windows
            .iter()
            .find_map(|window| window.place(address, offset))
    }
}

impl ConfigSpace for MachineConfigSpace {
    fn read(&mut self, address: u32, offset: u16) -> u32 {
        match self.place(address, offset) {
            // SAFETY: inside a window, by `new`.
            Some(place) => unsafe { (place as *const u32).read_volatile() },
            None => self.ports.read(address, offset),
        }
    }

    fn write(&mut self, address: u32, offset: u16, value: u32) {
        match self.place(address, offset) {
            // SAFETY: inside a window, by `new`.
            Some(place) => unsafe { (place as *mut u32).write_volatile(value) },
            None => self.ports.write(address, offset, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_its_buses_and_nothing_else() {
        let buses = BusRange {
            segment: 2,
            first: 0x40,
            last: 0x7f,
        };
        let window = EcamWindow {
            buses,
            base: 0x1_e000_0000,
        };
        assert_eq!(window.len_bytes(), 64 << 20);
        assert_eq!(window.place(0x2_4000, 0), Some(0x1_e000_0000));
        assert_eq!(window.place(0x2_410b, 0x104), Some(0x1_e010_b104));
        assert_eq!(window.place(0x2_410b, 0x1000), None);
        for address in [0x2_3fff, 0x2_8000, 0x4000, 0x1_4000] {
            assert_eq!(window.place(address, 0), None, "{address:#x}");
        }
    }
}
