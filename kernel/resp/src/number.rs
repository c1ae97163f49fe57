//! Integers as Redis reads and writes them.

use crate::Bytes;

/// Reads a signed 64-bit integer the way Redis' `string2ll` does: no blanks, no `+`, no leading zeros, no `-0`.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    // Accumulate negatively: that side of the range has one number more.
    let mut value: i64 = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

/// Returns the decimal digits of `value`, as a stored string.
pub fn format_integer(value: i64) -> Bytes {
    Bytes::from_slice(itoa::Buffer::new().format(value).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_redis_reads() {
        let cases: [(&[u8], i64); 8] = [
            (b"0", 0),
            (b"7", 7),
            (b"-1", -1),
            (b"1000000", 1_000_000),
            (b"9223372036854775807", i64::MAX),
            (b"-9223372036854775808", i64::MIN),
            (b"-9223372036854775807", i64::MIN + 1),
            (b"-10", -10),
        ];
        for (text, value) in cases {
            assert_eq!(parse_integer(text), Some(value));
            assert_eq!(format_integer(value).as_slice(), text);
        }
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let cases: [&[u8]; 14] = [
            b"",
            b"-",
            b"-0",
            b"00",
            b"01",
            b"+1",
            b" 1",
            b"1 ",
            b"1a",
            b"9223372036854775808",
            b"-9223372036854775809",
            b"99999999999999999999999999",
            b"1.0",
            b"\xb1",
        ];
        for text in cases {
            assert_eq!(parse_integer(text), None, "{text:?}");
        }
    }
}
