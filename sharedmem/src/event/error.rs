//! Why a line is not that of an event.

use core::fmt;

/// Why a line is not that of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// It is no line of an event.
    NoEvent,
    /// It is a line of another event.
    OtherEvent,
    /// Its end is missing.
    Cut,
    /// The field with this key is missing, or does not stand in its place.
    Missing(&'static str),
    /// The value behind this key is none that the field can have.
    BadValue(&'static str),
    /// Behind the last field stands something else.
    Excess,
    /// It says the same as a line of the event, in another form.
    OtherForm,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEvent => f.write_str("it is no line of an event"),
            Self::OtherEvent => f.write_str("it is a line of another event"),
            Self::Cut => f.write_str("the end of the line is missing"),
            Self::Missing(key) => write!(f, "there is no {key}= where it has to be"),
            Self::BadValue(key) => write!(f, "{key}= has no value that it can have"),
            Self::Excess => f.write_str("something stands behind the last field"),
            Self::OtherForm => f.write_str("a value does not stand there as it is written"),
        }
    }
}

impl core::error::Error for ParseError {}
