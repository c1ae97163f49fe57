//! Lists of numbers.

use core::fmt;

use arrayvec::ArrayVec;

use super::{Form, RawValue, Value};
/// Maximum number of numbers.
const NUMBERS_MAX: usize = 32;

/// A list of at most 32 numbers. Further numbers are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List(ArrayVec<u32, NUMBERS_MAX>);

impl List {
    /// Returns the numbers.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }
}

impl<N: Into<u32>> FromIterator<N> for List {
    fn from_iter<I: IntoIterator<Item = N>>(numbers: I) -> Self {
        let numbers = numbers.into_iter().map(Into::into);
        Self(numbers.take(NUMBERS_MAX).collect())
    }
}

impl Value for List {
    const FORM: Form = Form::Described("numbers with commas between them, or `none`");
    const BYTES_MAX: usize = NUMBERS_MAX * (<u32 as Value>::BYTES_MAX + ",".len());

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, others @ ..] = self.as_slice() else {
            return f.write_str("none");
        };
        write!(f, "{first}")?;
        others.iter().try_for_each(|number| write!(f, ",{number}"))
    }

    fn read(raw: RawValue<'_>) -> Option<Self> {
        let text = raw.bare()?;
        if text == "none" {
            return Some(Self::default());
        }
        let mut list = Self::default();
        for number in text.split(',') {
            let number = u32::read(RawValue::Bare(number))?;
            list.0.try_push(number).ok()?;
        }
        Some(list)
    }
}
