//! Numbers with decimals, as Redis reads, adds and writes them.
//!
//! Redis adds in the processor's 80-bit format and writes 17 decimals. Here that format is computed for numbers below
//! 2^59 with at most 17 decimals; others are added as 64-bit floats.

use alloc::format;
use alloc::string::String;
use core::cmp::Ordering;
use keyspace::Bytes;

/// Decimals that are kept.
const DECIMALS: i32 = 17;
/// Longest number, in bytes (Redis' `MAX_LONG_DOUBLE_CHARS`).
const TEXT_MAX_BYTES: usize = 5 * 1024;

/// Reads a number as `strtod` does, without blanks. NaN is none.
pub(crate) fn parse(text: &[u8]) -> Option<f64> {
    let text = core::str::from_utf8(text).ok()?;
    let is_number = text.len() <= TEXT_MAX_BYTES && !text.ends_with('_');
    let number: f64 = text.parse().ok().filter(|_| is_number)?;
    // What is too large or too small for a float is none: only a word or a zero is infinite or zero.
    let digits = || text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E'));
    let has_digit = |wanted: fn(&u8) -> bool| digits().any(|byte| wanted(&byte));
    let is_out_of_range = match number {
        _ if number.is_infinite() => has_digit(u8::is_ascii_digit),
        0.0 => has_digit(|byte| matches!(byte, b'1'..=b'9')),
        _ => number.is_nan(),
    };
    (!is_out_of_range).then_some(number)
}

/// Writes a number as C's `%.17g` does, which tells every two numbers apart.
pub(crate) fn format(number: f64) -> String {
    const DIGITS: i32 = 17;
    if number.is_infinite() {
        return String::from(if number > 0.0 { "inf" } else { "-inf" });
    }
    let scientific = format!("{number:.16e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..DIGITS).contains(&exponent) {
        let decimals = (DIGITS - 1 - exponent) as usize;
        return String::from(without_zeros_of_zero(&format!("{number:.decimals$}")));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let digits = without_zeros_of_zero(digits);
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Adds two numbers. Returns `None` if the sum is not finite, or one of them is no number.
pub(crate) fn add(one: &[u8], other: &[u8]) -> Option<Bytes> {
    let exact = || Extended::parse(one)?.add(Extended::parse(other)?)?.format();
    let text = match exact() {
        Some(text) => text,
        None => {
            let sum = parse(one)? + parse(other)?;
            sum.is_finite().then(|| format!("{sum:.17}"))?
        }
    };
    Some(Bytes::from_slice(without_zeros(text).as_bytes()))
}

/// 10^17.
const SCALE: u128 = 100_000_000_000_000_000;

/// A number as the x87 holds it: 64 bits, without exponents that a count of 10^-17 does not need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extended {
    is_negative: bool,
    /// Its highest bit is set, except in zero.
    mantissa: u64,
    /// The number is `mantissa` / 2^`shift`.
    shift: u32,
}

impl Extended {
    const ZERO: Self = Self {
        is_negative: false,
        mantissa: 0,
        shift: 0,
    };

    /// Reads a number that is smaller than 2^59 and has at most 17 decimals.
    fn parse(text: &[u8]) -> Option<Self> {
        let number = parse(text)?;
        if number.abs() >= (1_u64 << 59) as f64 {
            return None;
        }
        let scaled = scaled(text)?;
        let magnitude = scaled.unsigned_abs();
        let shift = 63 - (magnitude / SCALE).checked_ilog2().unwrap_or(0);
        // A number below one needs more places, until its highest bit is that of the mantissa.
        let shift = match magnitude {
            0 => return Some(Self::ZERO),
            SCALE.. => shift,
            _ => 63 + (SCALE / magnitude).ilog2() + 1,
        };
        let shifted = magnitude
            .checked_shl(shift)
            .filter(|shifted| shifted >> shift == magnitude)?;
        Self::normal(scaled < 0, rounded(shifted, SCALE), shift)
    }

    /// Rounds a number to 64 bits.
    fn normal(is_negative: bool, mantissa: u128, shift: u32) -> Option<Self> {
        let Some(highest) = mantissa.checked_ilog2() else {
            return Some(Self::ZERO);
        };
        let (mantissa, shift) = match highest {
            64.. => (
                rounded(mantissa, 1 << (highest - 63)),
                shift.checked_sub(highest - 63)?,
            ),
            _ => (mantissa << (63 - highest), shift + (63 - highest)),
        };
        match u64::try_from(mantissa) {
            Ok(mantissa) => Some(Self {
                is_negative,
                mantissa,
                shift,
            }),
            // Rounding has carried into a bit more.
            Err(_) => Self::normal(is_negative, mantissa, shift),
        }
    }

    fn add(self, other: Self) -> Option<Self> {
        let shift = self.shift.max(other.shift);
        let aligned = |it: Self| {
            let places = shift - it.shift;
            let value = i128::from(it.mantissa);
            let value = (places < 62).then(|| value << places)?;
            Some(if it.is_negative { -value } else { value })
        };
        let (one, two) = match (self.mantissa, other.mantissa) {
            (0, _) => return Some(other),
            (_, 0) => return Some(self),
            _ => (aligned(self)?, aligned(other)?),
        };
        let sum = one + two;
        Self::normal(sum < 0, sum.unsigned_abs(), shift)
    }

    /// Writes it with 17 decimals.
    fn format(self) -> Option<String> {
        if self.shift > 127 {
            return Some(String::from("0"));
        }
        let scaled = u128::from(self.mantissa).checked_mul(SCALE)?;
        let scaled = rounded(scaled, 1_u128 << self.shift);
        let sign = if self.is_negative { "-" } else { "" };
        let (whole, part) = (scaled / SCALE, scaled % SCALE);
        Some(format!("{sign}{whole}.{part:017}"))
    }
}

/// Divides, and rounds to the nearest number; of two to the even one.
fn rounded(dividend: u128, divisor: u128) -> u128 {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let is_up = match rest.cmp(&(divisor - rest)) {
        Ordering::Less => false,
        Ordering::Equal => quotient % 2 == 1,
        Ordering::Greater => true,
    };
    quotient + u128::from(is_up)
}

/// Reads a number as a count of 10^-17, if that is exact.
fn scaled(text: &[u8]) -> Option<i128> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let (mut value, mut decimals, mut is_behind, mut exponent) = (0i128, 0i32, false, 0i32);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                value = value
                    .checked_mul(10)?
                    .checked_add(i128::from(byte - b'0'))?;
                decimals += i32::from(is_behind);
            }
            b'.' => is_behind = true,
            _ => {
                let digits = core::str::from_utf8(digits.get(at + 1..)?).ok()?;
                exponent = digits.parse().ok()?;
                break;
            }
        }
    }
    let places = DECIMALS.checked_sub(decimals)?.checked_add(exponent)?;
    for _ in 0..places.unsigned_abs().min(60) {
        value = match places > 0 {
            true => value.checked_mul(10)?,
            false if value % 10 == 0 => value / 10,
            false => return None,
        };
    }
    Some(if is_negative { -value } else { value })
}

/// Removes the zeros at the end of the decimals. A zero has no sign.
fn without_zeros(text: String) -> String {
    let kept = without_zeros_of_zero(&text);
    String::from(if kept == "-0" { "0" } else { kept })
}

/// Removes the zeros at the end of the decimals; a negative zero stays one.
fn without_zeros_of_zero(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_c_does() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1, "0.10000000000000001"),
            (3.3, "3.2999999999999998"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5000000000000001e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (99_999_999_999_999_984.0, "99999999999999984"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(format(number), text);
        }
        for text in ["1e400", "-1e400", "1e-400", "nan"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        for (text, number) in [
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("0e-400", 0.0),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(number), "{text}");
        }
    }

    #[test]
    fn sums_are_those_of_redis() {
        let sum = |one: &str, other: &str| {
            let sum = add(one.as_bytes(), other.as_bytes())?;
            Some(String::from_utf8(sum.into_vec()).unwrap())
        };
        for (one, other, expected) in [
            ("10.5", "0.1", "10.6"),
            ("0", "1.25", "1.25"),
            ("1", "-1.1", "-0.1"),
            ("1.1", "-1.1", "0"),
            ("17179869184", "17179869184", "34359738368"),
            ("5.0e3", "2.0e2", "5200"),
            ("3.0e3", "-0", "3000"),
            ("1.23", "-2e-2", "1.21"),
            (".5", "+.25", "0.75"),
            ("1e17", "1", "100000000000000001"),
            ("5.6", "5.0e3", "5005.60000000000000009"),
            ("2.1", "17179869184", "17179869186.09999999962747097"),
            ("1e-17", "0", "0.00000000000000001"),
            ("-0.3", "0.1", "-0.2"),
        ] {
            assert_eq!(sum(one, other).as_deref(), Some(expected), "{one} {other}");
        }
        assert_eq!(sum("1e308", "1e308"), None);
        assert_eq!(sum("0", "inf"), None);
        for text in ["", " 1", "1 ", "abc", "nan", "1e", "0x", "1_000"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
