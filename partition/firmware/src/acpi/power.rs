//! How the machine is powered off: the PM1 control registers of the FADT (4.8.3.2), and what is written there for the
//! state S5, which the DSDT's object `\_S5` says (7.4.2).
//!
//! The object is found by its name and not by executing the table: in all firmware it is a package of constants.

use crate::physical::{Block, InputError, PhysicalMemory, Problem};

use super::fixed::{Register, generic_address};
use super::root::read_table;

/// Offsets in the FADT.
const DSDT: usize = 40;
const X_DSDT: usize = 140;
const PM1_CONTROL: [usize; 2] = [64, 68];
const X_PM1_CONTROL: [usize; 2] = [172, 184];

/// AML (20.2): the name, the package that follows it, and the prefix of a byte.
const NAME: &[u8] = b"_S5_";
const PACKAGE: u8 = 0x12;
const BYTE_PREFIX: u8 = 0x0a;

/// Bits of the register: the sleep type from here on, and the one that begins the state.
const SLEEP_TYPE_SHIFT: u32 = 10;
const SLEEP_TYPE_MAX: u8 = 7;
const SLEEP_ENABLE: u16 = 1 << 13;

/// The ports that power the machine off, and what is written there. The second one may be absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerOff {
    /// In the order in which they are written.
    pub ports: [Option<(u16, u16)>; 2],
}

/// Reads how the machine is powered off.
pub(super) fn parse(fadt: &Block, memory: &dyn PhysicalMemory) -> Result<PowerOff, InputError> {
    let address = match fadt.u64(X_DSDT, "X_DSDT") {
        Ok(address) if address != 0 => address,
        _ => fadt.u32(DSDT, "DSDT")?.into(),
    };
    let dsdt = read_table(address, "DSDT", memory, &mut alloc::vec::Vec::new())?;
    let types = sleep_types(&dsdt.bytes).ok_or(dsdt.error("\\_S5", Problem::Missing))?;
    let mut ports = [None; 2];
    for (number, sleep_type) in types.into_iter().enumerate() {
        if sleep_type > SLEEP_TYPE_MAX {
            return Err(dsdt.error("\\_S5", Problem::Value(sleep_type.into(), "at most 7")));
        }
        let old = fadt.u32(PM1_CONTROL[number], "PM1_CNT_BLK")?;
        let port = match u16::try_from(old) {
            Ok(0) => match generic_address(fadt, X_PM1_CONTROL[number], "X_PM1_CNT_BLK") {
                Ok(Some(Register::Port(port))) => Some(port),
                _ => None,
            },
            Ok(port) => Some(port),
            Err(_) => {
                return Err(fadt.error("PM1_CNT_BLK", Problem::Value(old.into(), "an I/O port")));
            }
        };
        let value = u16::from(sleep_type) << SLEEP_TYPE_SHIFT | SLEEP_ENABLE;
        ports[number] = port.map(|port| (port, value));
    }
    match ports[0] {
        Some(_) => Ok(PowerOff { ports }),
        None => Err(fadt.error("PM1a_CNT_BLK", Problem::Missing)),
    }
}

/// Finds the sleep types of S5 in a table of AML: the first two elements of the package.
fn sleep_types(table: &[u8]) -> Option<[u8; 2]> {
    let names = table
        .windows(NAME.len())
        .enumerate()
        .filter(|(_, it)| *it == NAME);
    let mut found = names.filter_map(|(at, _)| package(&table[at + NAME.len()..]));
    found.next()
}

fn package(aml: &[u8]) -> Option<[u8; 2]> {
    let (&PACKAGE, rest) = aml.split_first()? else {
        return None;
    };
    // The length takes as many bytes more as the two highest bits of its first byte say.
    let rest = rest.get(1 + usize::from(rest.first()? >> 6)..)?;
    let (count, elements) = rest.split_first()?;
    let (first, rest) = constant(elements)?;
    match count {
        0 => None,
        // The firmware of old put both into one element.
        1 => Some([first, first]),
        _ => Some([first, constant(rest)?.0]),
    }
}

/// Reads a constant of one byte: `Zero`, `One`, or a prefixed one.
fn constant(aml: &[u8]) -> Option<(u8, &[u8])> {
    match aml {
        [value @ (0 | 1), rest @ ..] | [BYTE_PREFIX, value, rest @ ..] => Some((*value, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fadt, machine, qemu_madt, read, seal, table};
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const PLACE: u32 = 0x7f0_0000;

    /// Returns what a machine with this FADT and this AML says.
    fn power_off(change: impl Fn(&mut Vec<u8>), aml: &[u8]) -> Result<PowerOff, InputError> {
        let mut fadt = fadt();
        fadt[DSDT..][..4].copy_from_slice(&PLACE.to_le_bytes());
        fadt[PM1_CONTROL[0]..][..4].copy_from_slice(&0x604_u32.to_le_bytes());
        change(&mut fadt);
        let mut memory = machine(&[qemu_madt(), seal(fadt)]);
        memory.put(PLACE.into(), &table(b"DSDT", aml));
        read(&memory).unwrap().power_off
    }

    #[test]
    fn ports_and_values_are_those_of_both_tables() {
        let ports = |change: fn(&mut Vec<u8>)| {
            power_off(change, b"\x08_S5_\x12\x06\x04\x0a\x07\x0a\x05\0\0").map(|it| it.ports)
        };
        let first = Some((0x604, 7 << 10 | 1 << 13));
        assert_eq!(ports(|_| ()), Ok([first, None]));
        let second = |fadt: &mut Vec<u8>| fadt[PM1_CONTROL[1]..][..2].copy_from_slice(&[0x84, 6]);
        assert_eq!(ports(second), Ok([first, Some((0x684, 5 << 10 | 1 << 13))]));
        // Only in the register of ACPI 2.0; the table only in the pointer of that.
        let newer = |fadt: &mut Vec<u8>| {
            fadt[PM1_CONTROL[0]..][..4].fill(0);
            fadt[X_PM1_CONTROL[0]..][..12].copy_from_slice(&[1, 16, 0, 2, 4, 6, 0, 0, 0, 0, 0, 0]);
            fadt.copy_within(DSDT..DSDT + 4, X_DSDT);
            fadt[DSDT..][..4].fill(0);
        };
        assert_eq!(ports(newer), Ok([first, None]));
    }

    #[test]
    fn what_is_missing_is_named_and_the_machine_boots() {
        let aml = b"\x08_S5_\x12\x06\x04\0\0\0\0";
        let too_high = b"\x08_S5_\x12\x06\x04\x0a\x08\0\0\0";
        let no_register: fn(&mut Vec<u8>) = |fadt| fadt[PM1_CONTROL[0]..][..4].fill(0);
        let no_table: fn(&mut Vec<u8>) = |fadt| fadt[DSDT..][..4].fill(0);
        for (change, aml, expected) in [
            (no_register, &aml[..], "PM1a_CNT_BLK"),
            (no_table, aml, "DSDT"),
            (|_| (), b"\x08_S4_\x12\x06\x04\0\0\0\0", "\\_S5"),
            (|_| (), too_high, "at most 7"),
        ] {
            let error = power_off(change, aml).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn sleep_types_are_found_in_what_firmware_has() {
        // SeaBIOS; OVMF; a board whose types differ and whose length takes two bytes; reserved elements as bytes.
        for (aml, expected) in [
            (&b"\x08_S5_\x12\x06\x04\x00\x00\x00\x00"[..], Some([0, 0])),
            (b"\x08_S5_\x12\x07\x04\x01\x01\x00\x00", Some([1, 1])),
            (
                b"\x08\\_S5_\x12\x4a\x00\x04\x0a\x07\x0a\x05\x00\x00",
                Some([7, 5]),
            ),
            (
                b"..._S5_ no package _S5_\x12\x08\x02\x0a\x05\x0a\x04",
                Some([5, 4]),
            ),
            (b"\x08_S5_\x12\x03\x01\x0a\x06", Some([6, 6])),
            (b"\x08_S5_\x12\x06\x04", None),
            (b"\x08_S5_\x12", None),
            (b"\x08_S4_\x12\x06\x04\x00\x00\x00\x00", None),
        ] {
            assert_eq!(sleep_types(aml), expected, "{aml:?}");
        }
    }

    proptest! {
        #[test]
        fn no_table_is_too_much(mut table in proptest::collection::vec(any::<u8>(), 0..64), at in 0_usize..60) {
            let end = (at + NAME.len()).min(table.len());
            if at < end {
                table[at..end].copy_from_slice(&NAME[..end - at]);
            }
            let _ = sleep_types(&table);
        }
    }
}
