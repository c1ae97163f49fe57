//! The TCO timer (Intel I/O Controller Hub 9 datasheet, 13.9; 10.1.75 for GCS).
//!
//! It counts down twice: at the end of the first countdown it interrupts the firmware, at the end of the second it
//! resets the machine.

use crate::WatchdogError;
use crate::registers::{Place, Registers};

/// Offsets of the TCO's registers in the ACPI ports.
const TCO: u16 = 0x60;
const RELOAD: u16 = TCO;
const STATUS_1: u16 = TCO + 0x04;
const STATUS_2: u16 = TCO + 0x06;
const CONTROL: u16 = TCO + 0x08;
const COUNT: u16 = TCO + 0x12;

/// STATUS_1: the first countdown has ended. STATUS_2: the second, and the machine was reset for it. 1 clears them.
const FIRST_END: u32 = 1 << 3;
const SECOND_END: u32 = 1 << 1 | 1 << 2;
/// CONTROL: it stands.
const HALTED: u32 = 1 << 11;

/// Offset of GCS in the chipset's configuration space, and its bit that keeps the machine from being reset.
const GCS: u64 = 0x3410;
const NO_REBOOT: u32 = 1 << 5;

/// A count, in ms. The smallest and the largest number of counts.
const COUNT_MS: u64 = 600;
const COUNTS_MIN: u64 = 4;
const COUNTS_MAX: u64 = 0x3ff;

/// Of the chipset's LPC bridge: vendor and devices (ICH6 to ICH10, PCH series 5 to 9 have the same registers), and
/// registers of its configuration space.
const INTEL: u32 = 0x8086;
const ACPI_PORTS: u16 = 0x40;
const ACPI_CONTROL: u16 = 0x44;
const ACPI_ENABLED: u32 = 1 << 7;
const ROOT_COMPLEX: u16 = 0xf0;
const ROOT_COMPLEX_ENABLED: u32 = 1;

/// The timer of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tco {
    ports: u16,
    gcs: u64,
}

impl Tco {
    /// Looks at the function that is the LPC bridge in Intel's chipsets (bus 0, device 31, function 0), of whose
    /// configuration space `read` reads a register. `None` if it is not one of the known ones, or not set up.
    pub fn find(mut read: impl FnMut(u16) -> u32) -> Option<Self> {
        let id = read(0);
        let has_timer = matches!(
            id >> 16,
            0x2640..=0x2642
                | 0x27b8..=0x27bd
                | 0x2810..=0x2815
                | 0x2912..=0x2919
                | 0x3a14..=0x3a1a
                | 0x3b00..=0x3b16
                | 0x1c41..=0x1c5f
                | 0x1e41..=0x1e5f
                | 0x8c41..=0x8c5c
                | 0x9c41..=0x9c47
                | 0x9cc1..=0x9cc9
        );
        if id & 0xffff != INTEL || !has_timer || read(ACPI_CONTROL) & ACPI_ENABLED == 0 {
            return None;
        }
        let ports = (read(ACPI_PORTS) & 0xff80) as u16;
        let root_complex = read(ROOT_COMPLEX);
        let gcs = u64::from(root_complex & !0x3fff) + GCS;
        let is_set_up = ports != 0 && root_complex & ROOT_COMPLEX_ENABLED != 0;
        is_set_up.then_some(Self { ports, gcs })
    }

    /// Returns the physical address of the one register that is in memory.
    pub fn memory(&self) -> u64 {
        self.gcs
    }

    fn place(&self, offset: u16) -> Place {
        Place::Port(self.ports + offset)
    }

    pub(crate) fn start(
        &self,
        registers: &mut impl Registers,
        timeout_ms: u64,
    ) -> Result<(), WatchdogError> {
        // Two countdowns make the time.
        let counts = (timeout_ms / 2).div_ceil(COUNT_MS);
        if !(COUNTS_MIN..=COUNTS_MAX).contains(&counts) {
            let [least, most] = [COUNTS_MIN, COUNTS_MAX].map(|counts| 2 * counts * COUNT_MS);
            return Err(WatchdogError::Time(least, most));
        }
        let gcs = Place::Memory(self.gcs);
        let before = registers.read(gcs, 32);
        registers.write(gcs, 32, before & !NO_REBOOT);
        if registers.read(gcs, 32) & NO_REBOOT != 0 {
            return Err(WatchdogError::NoReset);
        }
        self.stop(registers);
        registers.write(self.place(COUNT), 16, counts as u32);
        self.go_on(registers);
        match self.is_running(registers) {
            true => Ok(()),
            false => Err(WatchdogError::NotRunning),
        }
    }

    fn is_running(&self, registers: &mut impl Registers) -> bool {
        registers.read(self.place(CONTROL), 16) & HALTED == 0
    }

    /// Forgets countdowns that have ended, and begins the first one.
    fn go_on(&self, registers: &mut impl Registers) {
        registers.write(self.place(RELOAD), 16, 1);
        registers.write(self.place(STATUS_1), 16, FIRST_END);
        registers.write(self.place(STATUS_2), 16, SECOND_END);
        let control = registers.read(self.place(CONTROL), 16);
        registers.write(self.place(CONTROL), 16, control & !HALTED);
    }

    pub(crate) fn pet(&self, registers: &mut impl Registers) -> Result<(), WatchdogError> {
        let was_running = self.is_running(registers);
        self.go_on(registers);
        match was_running {
            true => Ok(()),
            false => Err(WatchdogError::NotRunning),
        }
    }

    pub(crate) fn stop(&self, registers: &mut impl Registers) {
        let control = registers.read(self.place(CONTROL), 16);
        registers.write(self.place(CONTROL), 16, control | HALTED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::tests::FakeRegisters;

    const PORTS: u16 = 0x600;

    /// Reads the bridge of QEMU's q35.
    fn bridge(register: u16) -> u32 {
        match register {
            0 => 0x2918_8086,
            ACPI_PORTS => u32::from(PORTS) | 1,
            ACPI_CONTROL => ACPI_ENABLED,
            ROOT_COMPLEX => 0xfed1_c001,
            _ => panic!("{register:#x}"),
        }
    }

    #[test]
    fn a_bridge_that_is_known_and_set_up_has_the_timer() {
        let tco = Tco::find(bridge).unwrap();
        assert_eq!((tco.ports, tco.memory()), (PORTS, 0xfed1_f410));
        for (register, value) in [
            (0, 0xffff_ffff),
            (0, 0xa304_8086),
            (0, 0x2918_1022),
            (ACPI_CONTROL, 0),
            (ACPI_PORTS, 1),
            (ROOT_COMPLEX, 0xfed1_c000),
        ] {
            let read = |other| match other == register {
                true => value,
                false => bridge(other),
            };
            assert_eq!(Tco::find(read), None, "{register:#x}: {value:#x}");
        }
    }

    #[test]
    fn it_counts_half_of_the_time_twice_and_only_if_the_board_lets_it_reset() {
        let tco = Tco::find(bridge).unwrap();
        let mut registers = FakeRegisters::default();
        let gcs = Place::Memory(tco.memory());
        registers.values.insert(gcs, NO_REBOOT | 1);
        assert_eq!(tco.start(&mut registers, 30_000), Ok(()));
        assert_eq!(registers.values[&gcs], 1);
        assert_eq!(registers.values[&tco.place(COUNT)], 25);
        assert!(tco.is_running(&mut registers));
        registers.stuck.insert(gcs, NO_REBOOT);
        registers.values.insert(gcs, NO_REBOOT);
        let refused = Err(WatchdogError::NoReset);
        assert_eq!(tco.start(&mut registers, 30_000), refused);
        for wrong_ms in [1_000, 2_000_000] {
            let refused = Err(WatchdogError::Time(4_800, 1_227_600));
            assert_eq!(tco.start(&mut registers, wrong_ms), refused);
        }
    }

    #[test]
    fn one_that_somebody_stopped_goes_on_and_that_is_said() {
        let tco = Tco::find(bridge).unwrap();
        let mut registers = FakeRegisters::default();
        tco.start(&mut registers, 30_000).unwrap();
        registers.written.clear();
        assert_eq!(tco.pet(&mut registers), Ok(()));
        assert!(registers.written.contains(&(tco.place(RELOAD), 1)));
        assert!(
            registers
                .written
                .contains(&(tco.place(STATUS_1), FIRST_END))
        );
        tco.stop(&mut registers);
        assert!(!tco.is_running(&mut registers));
        assert_eq!(tco.pet(&mut registers), Err(WatchdogError::NotRunning));
        assert!(tco.is_running(&mut registers));
        registers.stuck.insert(tco.place(CONTROL), HALTED);
        registers.values.insert(tco.place(CONTROL), HALTED);
        let refused = Err(WatchdogError::NotRunning);
        assert_eq!(tco.start(&mut registers, 30_000), refused);
    }
}
