//! What a field of an event can be.

use core::fmt;

use super::{Fields, ParseError, RawValue};
use crate::numbered::List;

/// What the values of a field look like.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// As these words say.
    Described(&'static str),
    /// One of the names of this list.
    OneOf(List),
    /// As that, or the field is left out.
    Optional(&'static Form),
    /// A number for each name of this list, behind a key that is the name and this unit.
    Each(List, &'static str),
}

/// A value that stands behind a key.
pub trait Value: Sized {
    /// What it looks like, for `docs/events.md`.
    const FORM: Form;

    /// The most bytes that it takes in a line, quotes included.
    const BYTES_MAX: usize;

    /// Writes it.
    ///
    /// # Errors
    /// The formatter's.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Reads it; `None` if it is none that [`write`](Self::write) writes.
    fn read(raw: RawValue<'_>) -> Option<Self>;
}

/// A field of an event: a [`Value`], one that may be left out, or several that have a key each.
pub trait Field: Sized {
    /// What it looks like, for `docs/events.md`.
    const FORM: Form;

    /// The most bytes that it takes in a line, without the keys of one [`Value`].
    const BYTES_MAX: usize;

    /// Writes it, with the blank before it.
    ///
    /// # Errors
    /// The formatter's.
    fn write(&self, key: &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Takes it from a line.
    ///
    /// # Errors
    /// It is not there, or has no value that it can have.
    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, ParseError>;
}

impl<V: Value> Field for V {
    const FORM: Form = V::FORM;
    const BYTES_MAX: usize = V::BYTES_MAX;

    fn write(&self, key: &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {key}=")?;
        Value::write(self, f)
    }

    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, ParseError> {
        let raw = fields.take(&[key])?.ok_or(ParseError::Missing(key))?;
        V::read(raw).ok_or(ParseError::BadValue(key))
    }
}

/// Is left out of the line if it is `None`.
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
