//! Base address registers: the addresses in them, and how large the device made them (PCI 3.0, 6.2.5.1).

use sharedmem::linux::LinuxFunction;

use super::config::{ConfigSpace, REGISTER_COMMAND, REGISTER_HEADER};

pub(super) const REGISTER_BARS: u16 = 0x10;
const COMMAND_DECODE: u32 = 0b11;
const ROM_ADDRESS: u32 = 0xffff_f800;

/// Class of host bridges. Their decoding must stay on, because memory itself may be behind them.
const CLASS_HOST_BRIDGE: u32 = 0x0600;

/// Returns the physical address in memory BAR `bar`; `None` if the BAR is for ports.
pub fn memory_bar(space: &mut impl ConfigSpace, address: u32, bar: u8) -> Option<u64> {
    let register = REGISTER_BARS + u16::from(bar.min(5)) * 4;
    let low = space.read(address, register);
    if low & 1 != 0 {
        return None;
    }
    let high = if low >> 1 & 3 == 2 && bar < 5 {
        space.read(address, register + 4)
    } else {
        0
    };
    Some(u64::from(high) << 32 | u64::from(low & !0xf))
}

/// Describes a function and the sizes of its BARs. `class` is its class register.
///
/// To learn the sizes, it writes all ones to each BAR, reads it back and restores it; nobody may use the device
/// meanwhile.
pub fn describe(space: &mut impl ConfigSpace, address: u32, id: u32, class: u32) -> LinuxFunction {
    let header = space.read(address, REGISTER_HEADER) >> 16 & 0xff;
    let (bars, rom) = match header & 0x7f {
        0 => (6, Some(0x30)),
        1 => (2, Some(0x38)),
        _ => (0, None),
    };
    let mut function = LinuxFunction {
        address,
        id,
        class,
        header,
        ..LinuxFunction::default()
    };
    if class >> 16 == CLASS_HOST_BRIDGE {
        return function;
    }
    let command = space.read(address, REGISTER_COMMAND) & 0xffff;
    space.write(address, REGISTER_COMMAND, command & !COMMAND_DECODE);
    for index in 0..bars {
        let register = REGISTER_BARS + 4 * index as u16;
        (function.bars[index], function.bar_masks[index]) =
            size(space, address, register, u32::MAX);
    }
    if let Some(register) = rom {
        (function.rom, function.rom_mask) = size(space, address, register, ROM_ADDRESS);
    }
    space.write(address, REGISTER_COMMAND, command);
    function
}

/// Returns what the register holds, and what it reads after `ones` were written to it.
fn size(space: &mut impl ConfigSpace, address: u32, register: u16, ones: u32) -> (u32, u32) {
    let value = space.read(address, register);
    space.write(address, register, ones);
    let mask = space.read(address, register);
    space.write(address, register, value);
    (value, mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::fake::Fake as ConfigMap;

    /// A function with one memory BAR of 16 KiB, one I/O BAR of 32 ports, and a ROM of 64 KiB. It notices BARs that are
    /// sized while decoding is on.
    struct Fake {
        command: u32,
        bars: [u32; 6],
        rom: u32,
        decoded_wrong: bool,
    }

    impl ConfigSpace for Fake {
        fn read(&mut self, _address: u32, offset: u16) -> u32 {
            match offset {
                0x04 => self.command | 0x10_0000,
                0x0c => 0,
                0x10..0x28 => self.bars[(offset as usize - 0x10) / 4],
                0x30 => self.rom,
                _ => u32::MAX,
            }
        }
        fn write(&mut self, _address: u32, offset: u16, value: u32) {
            let is_one = value == u32::MAX || value == ROM_ADDRESS;
            self.decoded_wrong |= is_one && self.command & COMMAND_DECODE != 0;
            match offset {
                0x04 => self.command = value & 0xffff,
                0x10 => self.bars[0] = value & 0xffff_c000,
                0x14 => self.bars[1] = value & 0xffe0 | 1,
                0x30 => self.rom = value & 0xffff_0001,
                _ => {}
            }
        }
    }

    #[test]
    fn a_64_bit_bar_takes_two_registers() {
        let mut fake = ConfigMap::default();
        fake.function(0x18, 0x02_0000, 0);
        fake.set(0x18, 0x20, 0xfe00_000c);
        fake.set(0x18, 0x24, 0x38);
        fake.set(0x18, 0x14, 0xc001);
        assert_eq!(memory_bar(&mut fake, 0x18, 4), Some(0x38_fe00_0000));
        assert_eq!(memory_bar(&mut fake, 0x18, 1), None);
    }

    #[test]
    fn sizes_are_read_and_everything_is_put_back() {
        let mut fake = Fake {
            command: 7,
            bars: [0xfe00_0000, 0xc021, 0, 0, 0, 0],
            rom: 0xfea0_0000,
            decoded_wrong: false,
        };
        let function = describe(&mut fake, 0x18, 0x1041_1af4, 0x0200_0001);
        assert_eq!(function.bars[..2], [0xfe00_0000, 0xc021]);
        assert_eq!(function.bar_masks, [0xffff_c000, 0xffe1, 0, 0, 0, 0]);
        assert_eq!(
            (function.rom, function.rom_mask),
            (0xfea0_0000, 0xffff_0000)
        );
        assert_eq!(
            (fake.command, fake.bars[0], fake.bars[1], fake.rom),
            (7, 0xfe00_0000, 0xc021, 0xfea0_0000)
        );
        assert!(!fake.decoded_wrong);
    }

    #[test]
    fn a_host_bridge_is_not_touched() {
        let mut fake = Fake {
            command: 7,
            bars: [1; 6],
            rom: 0,
            decoded_wrong: false,
        };
        let function = describe(&mut fake, 0, 0x29c0_8086, 0x0600_0000);
        assert_eq!((function.bars, fake.bars), ([0; 6], [1; 6]));
    }
}
