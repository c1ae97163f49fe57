//! The WDAT table: how the machine's hardware watchdog is driven (Microsoft, "Hardware Watchdog Timers Design
//! Specification", 1.01; named in ACPI 6.5, table 5.6).

use alloc::vec::Vec;

use super::root::HEADER_BYTES;
use crate::physical::{Block, InputError, Problem};

/// Where the entries begin, and the bytes of each.
const ENTRIES: usize = HEADER_BYTES + 32;
const ENTRY_BYTES: usize = 24;

/// Maximum number of entries. A table names 21 actions, most of them once.
const ENTRIES_MAX: usize = 64;

/// What is done to the watchdog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchdogAction {
    /// Begin the countdown anew.
    Pet,
    /// Set what the countdown begins with.
    SetCountdown,
    /// Ask whether it counts.
    IsRunning,
    /// Let it count.
    Start,
    /// Let it stand.
    Stop,
    /// Let its end reset the machine.
    ResetAtEnd,
}

/// How an action is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchdogInstruction {
    /// Read the field and compare it with the entry's value.
    Compare,
    /// Write the entry's value.
    Write,
    /// Write the countdown.
    WriteCountdown,
}

/// A field of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchdogField {
    /// Whether it is a port; else it is in memory.
    pub is_port: bool,
    /// Its address.
    pub address: u64,
    /// Bits of an access: 8, 16 or 32.
    pub width: u8,
    /// The first bit of the field.
    pub shift: u8,
    /// The field's bits, behind the shift.
    pub mask: u32,
    /// Whether the register's other bits stay.
    pub keeps_others: bool,
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchdogEntry {
    /// What it is for.
    pub action: WatchdogAction,
    /// What is done.
    pub instruction: WatchdogInstruction,
    /// Where.
    pub field: WatchdogField,
    /// The value that is written or compared.
    pub value: u32,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchdogTable {
    /// Length of a count, in ms.
    pub count_ms: u32,
    /// The smallest and the largest countdown.
    pub counts: core::ops::RangeInclusive<u32>,
    /// What is understood of the entries, in their order.
    pub entries: Vec<WatchdogEntry>,
}

pub(super) fn parse(table: &Block) -> Result<WatchdogTable, InputError> {
    let count_ms = table.u32(48, "timer period")?;
    let (most, least) = (
        table.u32(52, "maximum count")?,
        table.u32(56, "minimum count")?,
    );
    if count_ms == 0 {
        return Err(table.error("timer period", Problem::Value(0, "not 0")));
    }
    if least > most {
        let expected = "not above the maximum count";
        return Err(table.error("minimum count", Problem::Value(least.into(), expected)));
    }
    let count = table.u32(64, "number of entries")? as usize;
    if count > ENTRIES_MAX {
        return Err(table.error("number of entries", Problem::TooLong(ENTRIES_MAX as u64)));
    }
    let mut entries = Vec::new();
    for index in 0..count {
        entries.extend(entry(table, ENTRIES + index * ENTRY_BYTES)?);
    }
    Ok(WatchdogTable {
        count_ms,
        counts: least..=most,
        entries,
    })
}

/// Reads an entry. `None` if it is of an action that is not needed.
fn entry(table: &Block, at: usize) -> Result<Option<WatchdogEntry>, InputError> {
    const KEEPS_OTHERS: u8 = 0x80;
    let action = match table.u8(at, "action")? {
        1 => WatchdogAction::Pet,
        6 => WatchdogAction::SetCountdown,
        8 => WatchdogAction::IsRunning,
        9 => WatchdogAction::Start,
        11 => WatchdogAction::Stop,
        17 => WatchdogAction::ResetAtEnd,
        _ => return Ok(None),
    };
    let raw = table.u8(at + 1, "instruction")?;
    let instruction = match raw & !KEEPS_OTHERS {
        0 => WatchdogInstruction::Compare,
        2 => WatchdogInstruction::Write,
        3 => WatchdogInstruction::WriteCountdown,
        _ => {
            let problem = Problem::Value(raw.into(), "an instruction for this action");
            return Err(table.error("instruction", problem));
        }
    };
    // A generic address (ACPI 6.5, 5.2.3.2).
    let space = table.u8(at + 4, "address space")?;
    let bits = table.u8(at + 5, "register width")?;
    let shift = table.u8(at + 6, "register offset")?;
    let width = match table.u8(at + 7, "access size")? {
        1 => 8,
        2 => 16,
        3 => 32,
        // Not said: what holds the register.
        0 => bits.max(8).next_power_of_two(),
        size => {
            let problem = Problem::Value(size.into(), "1 to 3 for up to 32 bits");
            return Err(table.error("access size", problem));
        }
    };
    let address = table.u64(at + 8, "register address")?;
    let is_right = matches!(width, 8 | 16 | 32)
        && shift < width
        && match space {
            0 => address != 0 && address.is_multiple_of(u64::from(width / 8)),
            1 => address < 0x1_0000 && address + u64::from(width / 8) <= 0x1_0000,
            _ => false,
        };
    if !is_right {
        let problem = Problem::Value(address, "a register of up to 32 bits in memory or in ports");
        return Err(table.error("register", problem));
    }
    Ok(Some(WatchdogEntry {
        action,
        instruction,
        field: WatchdogField {
            is_port: space == 1,
            address,
            width,
            shift,
            mask: table.u32(at + 20, "mask")?,
            keeps_others: raw & KEEPS_OTHERS != 0,
        },
        value: table.u32(at + 16, "value")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    /// Makes a table of 100 ms counts, from 2 to 1000, with these entries.
    fn table(entries: &[[u8; ENTRY_BYTES]]) -> Block {
        let mut bytes = vec![0; ENTRIES];
        bytes[..4].copy_from_slice(b"WDAT");
        for (at, value) in [(48, 100), (52, 1000), (56, 2), (64, entries.len() as u32)] {
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        bytes.extend(entries.concat());
        Block {
            name: "WDAT",
            bytes,
        }
    }

    fn entry_of(action: u8, instruction: u8, access: u8, address: u64) -> [u8; ENTRY_BYTES] {
        let mut entry = [0; ENTRY_BYTES];
        entry[..8].copy_from_slice(&[action, instruction, 0, 0, 1, 16, 3, access]);
        entry[8..16].copy_from_slice(&address.to_le_bytes());
        entry[16] = 5;
        entry[20] = 0xff;
        entry
    }

    #[test]
    fn what_is_needed_is_read_and_other_actions_are_passed_over() {
        let entries = [
            entry_of(1, 2, 2, 0x660),
            entry_of(32, 9, 9, 0),
            entry_of(6, 0x83, 0, 0x672),
        ];
        let read = parse(&table(&entries)).unwrap();
        assert_eq!((read.count_ms, read.counts), (100, 2..=1000));
        let field = WatchdogField {
            is_port: true,
            address: 0x660,
            width: 16,
            shift: 3,
            mask: 0xff,
            keeps_others: false,
        };
        let pet = WatchdogEntry {
            action: WatchdogAction::Pet,
            instruction: WatchdogInstruction::Write,
            field,
            value: 5,
        };
        assert_eq!(read.entries[0], pet);
        assert_eq!(read.entries[1].action, WatchdogAction::SetCountdown);
        assert_eq!(
            read.entries[1].instruction,
            WatchdogInstruction::WriteCountdown
        );
        assert!(read.entries[1].field.keeps_others);
        assert_eq!(read.entries.len(), 2);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (bytes, expected) in [
            (entry_of(1, 7, 2, 0x660), "instruction"),
            (entry_of(1, 2, 4, 0x660), "access size"),
            (entry_of(1, 2, 2, 0xffff), "register"),
        ] {
            let error = parse(&table(&[bytes])).unwrap_err();
            assert_eq!(error.field, expected);
        }
        let mut short = table(&[entry_of(1, 2, 2, 0x660)]);
        short.bytes.pop();
        assert!(parse(&short).is_err());
        for (at, value) in [(48, 0), (56, 1001), (64, 65)] {
            let mut wrong = table(&[]);
            wrong.bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
            assert!(parse(&wrong).is_err(), "{at}");
        }
    }
}
