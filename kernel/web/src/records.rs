//! Writes the records that programs appended to the journal, as JSON or raw.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use journal::{RecentRecord, RecentRecords};
use serde_json::{Value, json};

/// The form in which records are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Each as a line of JSON, the same as `understudyctl journal --json` prints.
    Json,
    /// Each as it is, with a line end after it, the same as `understudyctl journal` writes into a pipe.
    Raw,
}

impl Form {
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/x-ndjson",
            Self::Raw => "application/octet-stream",
        }
    }
}

/// Appends the records from position `from` on to `out`, until `out` has `bytes_min` bytes or no record is left.
///
/// Returns the position of the next record, if one is left.
pub(crate) fn write_from(
    records: &RecentRecords,
    form: Form,
    from: u64,
    bytes_min: usize,
    out: &mut Vec<u8>,
) -> Option<u64> {
    for record in records.from(from) {
        if out.len() >= bytes_min {
            return Some(record.position);
        }
        write(record, form, out);
    }
    None
}

fn write(record: &RecentRecord, form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Json => {
            // Serializing a value whose keys are text cannot fail.
            out.extend(serde_json::to_vec(&json(record)).unwrap_or_default());
            out.push(b'\n');
        }
        Form::Raw => {
            out.extend_from_slice(&record.payload);
            if !record.payload.ends_with(b"\n") {
                out.push(b'\n');
            }
        }
    }
}

fn json(record: &RecentRecord) -> Value {
    let mut line = json!({"position": record.position, "epoch": record.epoch});
    match str::from_utf8(&record.payload) {
        Ok(text) => line["text"] = text.into(),
        Err(_) => line["hex"] = hex(&record.payload).into(),
    }
    line
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(records: &RecentRecords, form: Form) -> Vec<u8> {
        let mut out = Vec::new();
        assert_eq!(write_from(records, form, 0, usize::MAX, &mut out), None);
        out
    }

    #[test]
    fn records_are_sent_in_order_and_in_both_forms() {
        let mut records = RecentRecords::new(1 << 16);
        records.keep(0, 1, b"one");
        records.keep(32, 2, b"\"two\"\x07\n");
        records.keep(72, 2, b"\xff\x01");
        assert_eq!(
            str::from_utf8(&all(&records, Form::Json)).unwrap(),
            "{\"epoch\":1,\"position\":0,\"text\":\"one\"}\n\
             {\"epoch\":2,\"position\":32,\"text\":\"\\\"two\\\"\\u0007\\n\"}\n\
             {\"epoch\":2,\"hex\":\"ff01\",\"position\":72}\n"
        );
        assert_eq!(all(&records, Form::Raw), b"one\n\"two\"\x07\n\xff\x01\n");
    }

    #[test]
    fn sending_stops_when_there_is_enough_and_goes_on_there() {
        let mut records = RecentRecords::new(1 << 16);
        (0..3).for_each(|index| records.keep(index * 32, 1, b"four"));
        let mut out = Vec::new();
        assert_eq!(write_from(&records, Form::Raw, 0, 6, &mut out), Some(64));
        assert_eq!(out, b"four\nfour\n");
        assert_eq!(write_from(&records, Form::Raw, 64, 99, &mut out), None);
        assert_eq!(out, b"four\nfour\nfour\n");
    }
}
