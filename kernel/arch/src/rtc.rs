//! The real-time clock of a PC (MC146818 and its descendants; ACPI 6.5, 4.8.2.4): read once at boot.

use x86_64::instructions::port::Port;

/// Index and data port.
const PORTS: (u16, u16) = (0x70, 0x71);
/// Status register A, and its bit that an update is under way.
const STATUS_A: (u8, u8) = (0x0a, 1 << 7);
/// Status register B.
const STATUS_B: u8 = 0x0b;
/// Status B: hours count to 24.
const HOURS_24: u8 = 1 << 1;
/// Status B: numbers are binary; otherwise they are decimal, four bits a digit.
const BINARY: u8 = 1 << 2;
/// Hours: afternoon, if hours count to 12.
const AFTERNOON: u8 = 1 << 7;
/// Reads before a clock that is never at rest counts as none. An update takes 2 ms, a read of a register about 1 us.
const READS_MAX: u32 = 20_000;

/// The registers of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// Second, minute, hour, day of the month, month and year of the century.
    pub fields: [u8; 6],
    /// Status register B, which says how the fields are written.
    pub status_b: u8,
}

/// Reads the clock. Returns seconds since 1970, UTC, or `None` if there is no clock that tells a time.
///
/// # Safety
/// Nobody else uses the ports 0x70 and 0x71 now.
pub unsafe fn unix_seconds() -> Option<u64> {
    let (mut index, mut data) = (Port::<u8>::new(PORTS.0), Port::<u8>::new(PORTS.1));
    let mut read = |register: u8| {
        // SAFETY: the ports are ours; reading these registers changes nothing.
        unsafe {
            index.write(register);
            data.read()
        }
    };
    let mut last = None;
    for _ in 0..READS_MAX {
        if read(STATUS_A.0) & STATUS_A.1 != 0 {
            continue;
        }
        let registers = Registers {
            fields: [0, 2, 4, 7, 8, 9].map(&mut read),
            status_b: read(STATUS_B),
        };
        // Two equal reads: no update came in between.
        if last == Some(registers) {
            return registers.unix_seconds();
        }
        last = Some(registers);
    }
    None
}

impl Registers {
    /// Returns seconds since 1970, UTC, or `None` if this is no time. Years are of this century.
    pub fn unix_seconds(&self) -> Option<u64> {
        let number = |field: u8| match self.status_b & BINARY {
            0 if field >> 4 > 9 || field & 0xf > 9 => None,
            0 => Some(u64::from(field >> 4) * 10 + u64::from(field & 0xf)),
            _ => Some(u64::from(field)),
        };
        let [second, minute, hour, day, month, year] = self.fields;
        let is_24 = self.status_b & HOURS_24 != 0;
        let hour = match is_24 {
            true => number(hour)?,
            false => {
                let twelve = number(hour & !AFTERNOON)?;
                let is_afternoon = hour & AFTERNOON != 0;
                (1..=12).contains(&twelve).then_some(twelve % 12)? + 12 * u64::from(is_afternoon)
            }
        };
        let (second, minute, day) = (number(second)?, number(minute)?, number(day)?);
        let (month, year) = (number(month)?, 2000 + number(year)?);
        let is_time = second < 60 && minute < 60 && hour < 24;
        let is_date = (1..=31).contains(&day) && (1..=12).contains(&month) && year < 2100;
        if !is_time || !is_date {
            return None;
        }
        let days = days_before_year(year) + days_before_month(month, year) + day - 1;
        Some(((days * 24 + hour) * 60 + minute) * 60 + second)
    }
}

/// Returns the days from 1970 to the first of January of a year of this century.
fn days_before_year(year: u64) -> u64 {
    // Every fourth year from 1972 to 2096 is a leap year.
    (year - 1970) * 365 + (year - 1969) / 4
}

/// Returns the days from the first of January to the first of a month.
fn days_before_month(month: u64, year: u64) -> u64 {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let is_leap_day_over = month > 2 && year.is_multiple_of(4);
    BEFORE[month as usize - 1] + u64::from(is_leap_day_over)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_time_however_it_is_written() {
        let at = |fields, status_b| Registers { fields, status_b }.unix_seconds();
        // 2026-11-30 13:15:39 UTC.
        let expected = Some(1_796_044_539);
        assert_eq!(at([0x39, 0x15, 0x13, 0x30, 0x11, 0x26], HOURS_24), expected);
        assert_eq!(at([39, 15, 13, 30, 11, 26], HOURS_24 | BINARY), expected);
        assert_eq!(at([0x39, 0x15, 0x81, 0x30, 0x11, 0x26], 0), expected);
        assert_eq!(at([39, 15, 0x81, 30, 11, 26], BINARY), expected);
        // Midnight and noon of a clock of twelve hours; a leap day; the day behind it.
        assert_eq!(at([0, 0, 12, 1, 1, 0], BINARY), Some(946_684_800));
        assert_eq!(at([0, 0, 0x8c, 1, 1, 0], BINARY), Some(946_728_000));
        assert_eq!(
            at([0, 0, 0, 29, 2, 24], HOURS_24 | BINARY),
            Some(1_709_164_800)
        );
        assert_eq!(
            at([0, 0, 0, 1, 3, 24], HOURS_24 | BINARY),
            Some(1_709_251_200)
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let at = |fields, status_b| Registers { fields, status_b }.unix_seconds();
        assert_eq!(at([0xff; 6], 0xff), None);
        assert_eq!(at([0; 6], HOURS_24), None);
        assert_eq!(at([0x1a, 0, 0, 1, 1, 0], HOURS_24), None);
        assert_eq!(at([60, 0, 0, 1, 1, 0], HOURS_24 | BINARY), None);
        assert_eq!(at([0, 0, 24, 1, 1, 0], HOURS_24 | BINARY), None);
        assert_eq!(at([0, 0, 0, 1, 1, 0], BINARY), None);
        assert_eq!(at([0, 0, 0, 1, 13, 0], HOURS_24 | BINARY), None);
    }
}
