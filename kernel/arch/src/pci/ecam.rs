//! Configuration space in memory (ECAM; PCI Express 5.0, 7.2.2), with the ports for what no window shows.

use alloc::vec::Vec;

use super::config::{ConfigSpace, PortConfigSpace};
use super::tree::BusRange;

/// Bytes of configuration space of a function. Those of the functions of a bus follow each other, and so do the buses.
const FUNCTION_BYTES: u16 = 4096;
/// Functions of a bus.
const BUS_FUNCTIONS: u32 = 256;

/// A mapped window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcamWindow {
    /// Address of the first function that it could show.
    first: u32,
    /// How many functions it could show.
    count: u32,
    /// Where the first of them begins.
    base: u64,
}

impl EcamWindow {
    /// Describes a window that shows `buses`, and begins at `base`.
    pub fn new(buses: BusRange, base: u64) -> Self {
        Self {
            first: u32::from(buses.segment) << 16 | u32::from(buses.first) << 8,
            count: buses.count() as u32 * BUS_FUNCTIONS,
            base,
        }
    }

    /// Returns its length.
    pub fn len_bytes(&self) -> u64 {
        u64::from(self.count) * u64::from(FUNCTION_BYTES)
    }

    /// Returns the buses that it shows.
    fn buses(&self) -> BusRange {
        let first = (self.first >> 8) as u8;
        BusRange {
            segment: (self.first >> 16) as u16,
            first,
            last: first + (self.count / BUS_FUNCTIONS - 1) as u8,
        }
    }

    /// Returns where a register is, if the window shows it.
    #[inline]
    fn place(&self, address: u32, offset: u16) -> Option<u64> {
        let index = address.wrapping_sub(self.first);
        let is_here = index < self.count && offset < FUNCTION_BYTES;
        let function = u64::from(index) * u64::from(FUNCTION_BYTES);
        is_here.then_some(self.base + function + u64::from(offset & !3))
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
        let others = self.windows.iter().map(EcamWindow::buses);
        [BusRange::SEGMENT_0]
            .into_iter()
            .chain(others.filter(|buses| buses.segment != 0))
            .collect()
    }

    #[inline]
    fn place(&self, address: u32, offset: u16) -> Option<u64> {
        self.windows
            .iter()
            .find_map(|window| window.place(address, offset))
    }
}

impl ConfigSpace for MachineConfigSpace {
    #[inline]
    fn read(&mut self, address: u32, offset: u16) -> u32 {
        match self.place(address, offset) {
            // SAFETY: inside a window, by `new`.
            Some(place) => unsafe { (place as *const u32).read_volatile() },
            None => self.ports.read(address, offset),
        }
    }

    #[inline]
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
        let window = EcamWindow::new(buses, 0x1_e000_0000);
        assert_eq!(window.buses(), buses);
        assert_eq!(window.len_bytes(), 64 << 20);
        assert_eq!(window.place(0x2_4000, 0), Some(0x1_e000_0000));
        assert_eq!(window.place(0x2_410b, 0x104), Some(0x1_e010_b104));
        assert_eq!(window.place(0x2_410b, 0x1000), None);
        for address in [0x2_3fff, 0x2_8000, 0x4000, 0x1_4000] {
            assert_eq!(window.place(address, 0), None, "{address:#x}");
        }
        let all = EcamWindow::new(BusRange::SEGMENT_0, 0);
        assert_eq!(
            (all.len_bytes(), all.buses()),
            (256 << 20, BusRange::SEGMENT_0)
        );
    }
}
