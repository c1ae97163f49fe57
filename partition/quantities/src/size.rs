//! Sizes as in Linux's `crashkernel=`: `64M`, `0x4000000`, `64M@0x8000000`.

use alloc::format;
use core::fmt;

use crate::refusal::ValueError;

const UNITS: [(char, u32); 4] = [('T', 40), ('G', 30), ('M', 20), ('K', 10)];

/// Reads a size in bytes: decimal or `0x` hexadecimal, with K, M, G or T (powers of 1024, either case) behind it.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_size(text: &str) -> Result<u64, ValueError> {
    let (digits, shift) = match text.chars().last() {
        Some(last) => match UNITS
            .iter()
            .find(|(unit, _)| last.eq_ignore_ascii_case(unit))
        {
            Some((_, shift)) => (&text[..text.len() - 1], *shift),
            None => (text, 0),
        },
        None => (text, 0),
    };
    let number = parse_number(digits).ok_or_else(|| {
        ValueError::new(
            format!("`{text}` is not a size: a number, then K, M, G or T"),
            "a size like 64M or 0x4000000",
        )
    })?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| ValueError::new(format!("`{text}` has more than 64 bits"), "a smaller size"))
}

/// Reads an unsigned number, decimal or `0x` hexadecimal; signs and blanks are not allowed.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None => (text, 10),
    };
    // `from_str_radix` takes a leading plus sign.
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// A size, and where it should lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SizeAt {
    /// Size in bytes.
    pub size_bytes: u64,
    /// Physical address, if one was asked for.
    pub address: Option<u64>,
}

impl SizeAt {
    /// Reads `SIZE[@ADDRESS]`.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let (size, address) = match text.split_once('@') {
            Some((size, address)) => (size, Some(parse_size(address)?)),
            None => (text, None),
        };
        Ok(Self {
            size_bytes: parse_size(size)?,
            address,
        })
    }
}

impl fmt::Display for SizeAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SizeText(self.size_bytes).fmt(f)?;
        match self.address {
            Some(address) => write!(f, "@{address:#x}"),
            None => Ok(()),
        }
    }
}

/// Writes a size in bytes as [`parse_size`] reads it, in the largest unit that is exact: `64M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeText(pub u64);

impl fmt::Display for SizeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS
            .iter()
            .find(|(_, shift)| self.0 != 0 && self.0.is_multiple_of(1 << shift));
        match exact {
            Some((unit, shift)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_as_linux_reads_them() {
        assert_eq!(parse_size("64M"), Ok(64 << 20));
        assert_eq!(parse_size("4k"), Ok(4096));
        assert_eq!(parse_size("0x10G"), Ok(16 << 30));
        assert_eq!(parse_size("123"), Ok(123));
        let placed = SizeAt::parse("64M@0x8000000").unwrap();
        assert_eq!(
            (placed.size_bytes, placed.address),
            (64 << 20, Some(0x800_0000))
        );
        assert_eq!(SizeAt::parse("64M@128M").unwrap().address, Some(0x800_0000));
        assert_eq!(SizeAt::parse("1G").unwrap().address, None);
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "", "M", "0x", "-1", "+1", "0x+1", "1.5G", "64 M", "64X", "64MB", "é", "64M@", "@1M",
            "1@2@3",
        ] {
            assert!(SizeAt::parse(text).is_err(), "{text:?}");
        }
        assert!(
            parse_size("16777216T")
                .unwrap_err()
                .reason
                .contains("64 bits")
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(size_bytes: u64, address: Option<u64>) {
            let size = SizeAt { size_bytes, address };
            prop_assert_eq!(SizeAt::parse(&size.to_string()), Ok(size));
        }

        #[test]
        fn any_text_gets_an_answer(text in "\\PC{0,20}") {
            let _ = SizeAt::parse(&text);
        }
    }
}
