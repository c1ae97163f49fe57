//! Reads the fields of a line, one after another.

use core::fmt::{self, Display, Write};

use super::{END, MARK, ParseError};

/// The rest of a line, from which fields are taken in order.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a str,
}

/// A value as it is in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawValue<'a> {
    /// This text, without quotes.
    Bare(&'a str),
    /// This text in quotes, with escapes.
    Quoted(&'a str),
}

impl<'a> RawValue<'a> {
    /// Returns the text of a value without quotes.
    pub fn bare(self) -> Option<&'a str> {
        match self {
            Self::Bare(text) => Some(text),
            Self::Quoted(_) => None,
        }
    }
}

impl<'a> Fields<'a> {
    /// Returns the fields of a line of event `name`.
    ///
    /// # Errors
    /// Returns an error if the line is another event's or no event's, or if its end is missing.
    pub fn of(line: &'a str, name: &str) -> Result<Self, ParseError> {
        let text = line.strip_prefix(MARK).ok_or(ParseError::NoEvent)?;
        let rest = text.strip_prefix(name).ok_or(ParseError::OtherEvent)?;
        match rest.ends_with(END) {
            true if rest.starts_with(' ') => Ok(Self { rest }),
            false if rest.is_empty() || rest.starts_with(' ') => Err(ParseError::Cut),
            _ => Err(ParseError::OtherEvent),
        }
    }

    /// Takes the next field if its key is `key`, which is given in parts. A hyphen in it is `_` in the line.
    ///
    /// # Errors
    /// Returns an error if the value has no end.
    pub fn take(&mut self, key: &[&str]) -> Result<Option<RawValue<'a>>, ParseError> {
        let Some(text) = self.behind_key(key) else {
            return Ok(None);
        };
        let value = match text.strip_prefix('"') {
            Some(quoted) => {
                let end = quote_in(quoted).ok_or(ParseError::Cut)?;
                self.rest = &quoted[end + 1..];
                RawValue::Quoted(&quoted[..end])
            }
            None => {
                let (value, _) = text.split_once(' ').ok_or(ParseError::Cut)?;
                self.rest = &text[value.len()..];
                RawValue::Bare(value)
            }
        };
        Ok(Some(value))
    }

    /// Ends the line, from which `event` was made.
    ///
    /// # Errors
    /// Returns an error if something is left, or if `event` writes another line.
    pub fn end(self, event: &impl Display, line: &str) -> Result<(), ParseError> {
        if self.rest != END {
            return Err(ParseError::Excess);
        }
        let mut expected = Expected(line);
        match write!(expected, "{event}") {
            Ok(()) if expected.0.is_empty() => Ok(()),
            _ => Err(ParseError::OtherForm),
        }
    }

    /// Returns what follows the next field's `=`, if its key is `key`.
    fn behind_key(&self, key: &[&str]) -> Option<&'a str> {
        let text = self.rest.strip_prefix(' ')?;
        let (found, behind) = text.split_once('=')?;
        let wanted = key.iter().flat_map(|part| part.bytes());
        let wanted = wanted.map(|byte| if byte == b'-' { b'_' } else { byte });
        found.bytes().eq(wanted).then_some(behind)
    }
}

/// The rest of an expected text. Writing another text is an error.
struct Expected<'a>(&'a str);

impl fmt::Write for Expected<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// Returns the position of the first double quote without a backslash before it.
fn quote_in(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}
