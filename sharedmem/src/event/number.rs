//! Numbers, truth values and ranges.

use core::fmt;

use super::{Form, RawValue, Value};
use crate::hand_off::PhysicalRange;

/// A number that is written in hexadecimal: an address, or bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hex(pub u64);

/// Implements [`Value`] for a type of numbers, by decimal digits.
macro_rules! decimal {
    ($($type:ty),*) => {$(
        impl Value for $type {
            const FORM: Form = Form::Described("number");
            const BYTES_MAX: usize = <$type>::MAX.ilog10() as usize + 1;

            fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }

            fn read(raw: RawValue<'_>) -> Option<Self> {
                let digits = raw.bare()?;
                // `parse` would accept a sign.
                let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
                digits.parse().ok().filter(|_| is_number)
            }
        }
    )*};
}

decimal!(u8, u16, u32, u64);

impl Value for Hex {
    const FORM: Form = Form::Described("`0x` and a hexadecimal number");
    const BYTES_MAX: usize = "0x".len() + 16;

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }

    fn read(raw: RawValue<'_>) -> Option<Self> {
        let digits = raw.bare()?.strip_prefix("0x")?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(digits, 16).ok();
        number.filter(|_| is_number).map(Self)
    }
}

impl Value for PhysicalRange {
    const FORM: Form =
        Form::Described("start and end as `0x` and a hexadecimal number, a hyphen between them");
    const BYTES_MAX: usize = 2 * <Hex as Value>::BYTES_MAX + "-".len();

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.start, self.end)
    }

    fn read(raw: RawValue<'_>) -> Option<Self> {
        let (start, end) = raw.bare()?.split_once('-')?;
        let [start, end] = [start, end].map(|text| Hex::read(RawValue::Bare(text)));
        let (Hex(start), Hex(end)) = (start?, end?);
        Some(Self { start, end })
    }
}

impl Value for bool {
    const FORM: Form = Form::Described("`yes` or `no`");
    const BYTES_MAX: usize = "yes".len();

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self { "yes" } else { "no" })
    }

    fn read(raw: RawValue<'_>) -> Option<Self> {
        match raw.bare()? {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }
}
