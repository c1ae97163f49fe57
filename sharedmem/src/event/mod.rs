//! Events: the log lines that programs read, one type each.
//!
//! A kernel logs the value, a program parses the line into the same type:
//!
//! ```
//! use sharedmem::event::{Event, Exec};
//!
//! let event = Exec { command: "SET greeting \"good day\"".into() };
//! let line = event.to_string();
//! assert_eq!(line, r#"event=exec command="SET greeting \"good day\"" ;"#);
//! assert_eq!(Exec::parse(&line), Ok(event));
//! ```
//!
//! The form of a line is `event=NAME key=value key=value ;` ([logfmt](https://brandur.org/logfmt)). Keys are in the
//! order of the fields. A value with a blank, a quote or a character that does not print is written in double quotes,
//! with escapes as in Rust. The last word is `;`: a line without it was cut off, and does not parse.
//!
//! All events are declared in `table/`, one file for each group of writers; `docs/events.md` lists them for people.
//! Each line has at most [`LINE_BYTES_MAX`] bytes, so that every log has room for it.

mod core_list;
mod damage;
mod declare;
mod edges;
mod error;
mod field;
mod fields;
mod list;
mod named;
mod number;
mod table;
mod text;

#[cfg(test)]
mod tests;

use core::fmt;

use crate::log_ring::LINE_BYTES;

pub use core_list::CoreList;
pub use damage::DamageKind;
pub use edges::{Counters, EdgeTimes};
pub use error::ParseError;
pub use field::{Field, Form, Value};
pub use fields::{Fields, RawValue};
pub use list::List;
pub use number::Hex;
pub use table::*;
pub use text::{TEXT_BYTES_MAX, Text, Word};

/// Maximum length of an event's line, in bytes. Linux accepts a little more from `/dev/kmsg`.
pub const LINE_BYTES_MAX: usize = 960;

// The time and the name of the kernel are written before it.
const _: () = assert!(LINE_BYTES_MAX + 64 <= LINE_BYTES);

/// The beginning of each event's line.
const MARK: &str = "event=";

/// The end of each event's line.
const END: &str = " ;";

/// An event: a line of the log that programs read. `Display` writes the line.
pub trait Event: fmt::Display + Sized {
    /// Its entry in the table.
    const SPEC: Spec;

    /// Reads the line of such an event.
    ///
    /// # Errors
    /// Returns an error if the line is another event's or no event's, was cut off, or is not one that `Display` writes.
    fn parse(line: &str) -> Result<Self, ParseError>;
}

/// The entry of an event in the table.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// The name of its type.
    pub type_name: &'static str,
    /// Its meaning.
    pub says: &'static str,
    /// Its fields, in the order in which they are written.
    pub fields: &'static [FieldSpec],
    /// Checks a line of this event as [`Event::parse`] does.
    pub check: fn(&str) -> Result<(), ParseError>,
}

impl Spec {
    /// Returns the length of its longest line, in bytes.
    pub fn line_bytes_max(&self) -> usize {
        let fields_bytes: usize = self.fields.iter().map(|field| field.bytes_max).sum();
        MARK.len() + self.name.len() + fields_bytes + END.len()
    }
}

/// The entry of a field in the table.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// Its key. A field with several keys is named after the whole.
    pub key: &'static str,
    /// The form of its values.
    pub form: Form,
    /// Its meaning.
    pub says: &'static str,
    /// Maximum number of bytes that it takes in a line.
    pub bytes_max: usize,
}

/// A part of the table: the events of some writers.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// The writers.
    pub writers: &'static str,
    /// The events.
    pub events: &'static [Spec],
}

/// Returns all events.
pub fn all() -> impl Iterator<Item = &'static Spec> {
    GROUPS.iter().flat_map(|group| group.events)
}

/// Returns the name of the event in `line`; `None` if it is not the line of an event. A line that was cut off has a
/// name, too.
pub fn name_in(line: &str) -> Option<&str> {
    line.strip_prefix(MARK)?.split(' ').next()
}

/// Checks a line of any event.
///
/// # Errors
/// Returns the errors of [`Event::parse`]; [`ParseError::OtherEvent`] if there is no event of this name.
pub fn check(line: &str) -> Result<(), ParseError> {
    let name = name_in(line).ok_or(ParseError::NoEvent)?;
    let known = all().find(|spec| spec.name == name);
    known.map_or(Err(ParseError::OtherEvent), |spec| (spec.check)(line))
}
