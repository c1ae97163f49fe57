//! The forms that a field of an event can have.

use core::fmt;

use super::{Fields, ParseError, RawValue};
use crate::numbered::List;

/// The form of a field's values.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// What these words describe.
    Described(&'static str),
    /// One of the names of this list.
    OneOf(List),
    /// This form, or the field is left out.
    Optional(&'static Form),
    /// A number for each name of this list. Its key is the name followed by this unit.
    Each(List, &'static str),
}

/// A value that follows a key.
pub trait Value: Sized {
    /// Its form, for `docs/events.md`.
    const FORM: Form;

    /// Maximum number of bytes that it takes in a line, quotes included.
    const BYTES_MAX: usize;

    /// Writes it.
    ///
    /// # Errors
    /// Returns the formatter's.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Reads it; `None` unless [`write`](Self::write) can write it.
    fn read(raw: RawValue<'_>) -> Option<Self>;
}

/// A field of an event: a [`Value`], an optional one, or several that have a key each.
pub trait Field: Sized {
    /// Its form, for `docs/events.md`.
    const FORM: Form;

    /// Maximum number of bytes that it takes in a line; for a single [`Value`], without its key.
    const BYTES_MAX: usize;

    /// Writes it, with a blank before it.
    ///
    /// # Errors
    /// Returns the formatter's.
    fn write(&self, key: &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Takes it from a line.
    ///
    /// # Errors
    /// Returns an error if it is missing or has an invalid value.
    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, ParseError>;
}

impl<V: Value> Field for V {
    const FORM: Form = V::FORM;
    const BYTES_MAX: usize = V::BYTES_MAX;

    fn write(&self, key: &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        [" ", key, "="]
            .into_iter()
            .try_for_each(|part| f.write_str(part))?;
        Value::write(self, f)
    }

    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, ParseError> {
        let raw = fields.take(&[key])?.ok_or(ParseError::Missing(key))?;
        V::read(raw).ok_or(ParseError::BadValue(key))
    }
}

/// An optional field: `None` leaves it out of the line.
impl<V: Value> Field for Option<V> {
    const FORM: Form = Form::Optional(&V::FORM);
    const BYTES_MAX: usize = V::BYTES_MAX;

    fn write(&self, key: &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref()
            .map_or(Ok(()), |value| Field::write(value, key, f))
    }

    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, ParseError> {
        let raw = fields.take(&[key])?;
        raw.map(|raw| V::read(raw).ok_or(ParseError::BadValue(key)))
            .transpose()
    }
}
