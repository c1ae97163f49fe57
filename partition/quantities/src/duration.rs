//! Durations: `10ms`, `1s`, `500us`; a bare number is milliseconds.

use alloc::format;
use core::fmt;

use crate::refusal::ValueError;

// In the order they are tried when a duration is written; "s" must be tried last when one is read, since the others end
// in it too.
const UNITS: [(&str, u64); 4] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
];

/// Reads a duration in nanoseconds: a decimal number and `ns`, `us`, `ms` or `s`; without a unit it is milliseconds.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_duration(text: &str) -> Result<u64, ValueError> {
    let (digits, unit_ns) = UNITS
        .iter()
        .find_map(|(unit, unit_ns)| Some((text.strip_suffix(unit)?, *unit_ns)))
        .unwrap_or((text, 1_000_000));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ValueError::new(
            format!("`{text}` is not a duration: a whole number, then s, ms, us or ns"),
            "a duration like 10ms or 1s",
        ));
    }
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_ns))
        .ok_or_else(|| {
            ValueError::new(
                format!("`{text}` is more nanoseconds than 64 bits hold"),
                "a shorter duration",
            )
        })
}

/// Writes a duration in nanoseconds as [`parse_duration`] reads it, in the largest unit that is exact: `10ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationText(pub u64);

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, unit_ns) = UNITS
            .iter()
            .rev()
            .find(|(_, unit_ns)| self.0.is_multiple_of(*unit_ns))
            .unwrap_or(&UNITS[0]);
        write!(f, "{}{unit}", self.0 / unit_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn a_bare_number_is_milliseconds() {
        assert_eq!(parse_duration("10"), Ok(10_000_000));
        assert_eq!(parse_duration("10ms"), Ok(10_000_000));
        assert_eq!(parse_duration("1s"), Ok(1_000_000_000));
        assert_eq!(parse_duration("500us"), Ok(500_000));
        assert_eq!(parse_duration("7ns"), Ok(7));
        assert_eq!(DurationText(1_500_000).to_string(), "1500us");
        assert_eq!(DurationText(60_000_000_000).to_string(), "60s");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "", "s", "ms", "-1", "+1ms", "1.5ms", "1 s", "1m", "1S", "0x10",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
        assert!(parse_duration("18446744073709551615s").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ns: u64) {
            prop_assert_eq!(parse_duration(&DurationText(ns).to_string()), Ok(ns));
        }
    }
}
