//! Why a line does not parse as an event.

use core::fmt;

/// Why a line does not parse as an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// It is not the line of any event.
    NoEvent,
    /// It is the line of another event.
    OtherEvent,
    /// Its end is missing.
    Cut,
    /// The field with this key is missing, or is not in its place.
    Missing(&'static str),
    /// The value of this key is not one that the field can have.
    BadValue(&'static str),
    /// Something follows the last field.
    Excess,
    /// It has the meaning of a line of the event, but another form.
    OtherForm,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEvent => f.write_str("it is not the line of an event"),
            Self::OtherEvent => f.write_str("it is the line of another event"),
            Self::Cut => f.write_str("the end of the line is missing"),
            Self::Missing(key) => write!(f, "{key}= is missing, or not in its place"),
            Self::BadValue(key) => write!(f, "{key}= has an invalid value"),
            Self::Excess => f.write_str("something follows the last field"),
            Self::OtherForm => f.write_str("a value is not in the form in which it is written"),
        }
    }
}

impl core::error::Error for ParseError {}
