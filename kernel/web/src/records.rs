//! The records that programs of a Linux had appended to the journal, kept by the one that followed it: what it has read in the ring is gone there.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use serde_json::{Value, json};

/// How records are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A line of JSON each, the same as `understudyctl journal --json` prints.
    Json,
    /// As they are, each with an end of line, the same as `understudyctl journal` writes into a pipe.
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

/// A record.
#[derive(Debug)]
struct Kept {
    position: u64,
    epoch: u64,
    payload: Box<[u8]>,
    /// Length of its line of JSON, in bytes.
    json_bytes: u64,
}

impl Kept {
    /// What it takes of the memory, in bytes: itself, and what the allocator needs for its payload.
    fn cost_bytes(&self) -> usize {
        size_of::<Self>() + 32 + self.payload.len()
    }

    fn json(&self) -> Value {
        let mut line = json!({"position": self.position, "epoch": self.epoch});
        match str::from_utf8(&self.payload) {
            Ok(text) => line["text"] = text.into(),
            Err(_) => line["hex"] = hex(&self.payload).into(),
        }
        line
    }

    fn raw_bytes(&self) -> u64 {
        self.payload.len() as u64 + u64::from(!self.payload.ends_with(b"\n"))
    }

    fn write(&self, form: Form, out: &mut Vec<u8>) {
        match form {
            Form::Json => {
                // A value whose keys are text is always written.
                out.extend(serde_json::to_vec(&self.json()).unwrap_or_default());
                out.push(b'\n');
            }
            Form::Raw => {
                out.extend_from_slice(&self.payload);
                if !self.payload.ends_with(b"\n") {
                    out.push(b'\n');
                }
            }
        }
    }
}

/// The newest records, as many as there is memory for.
#[derive(Debug, Default)]
pub struct Records {
    kept: VecDeque<Kept>,
    cost_bytes: usize,
    cost_bytes_max: usize,
    json_bytes: u64,
    raw_bytes: u64,
    dropped: u64,
}

impl Records {
    /// None yet; they may take so many bytes.
    pub fn new(cost_bytes_max: usize) -> Self {
        Self {
            cost_bytes_max,
            ..Self::default()
        }
    }

    /// Keeps the record at `position` of the journal, which a kernel of `epoch` had appended. The oldest make room.
    pub fn keep(&mut self, position: u64, epoch: u64, payload: &[u8]) {
        let mut record = Kept {
            position,
            epoch,
            payload: payload.into(),
            json_bytes: 0,
        };
        let mut line = Vec::new();
        record.write(Form::Json, &mut line);
        record.json_bytes = line.len() as u64;
        self.json_bytes += record.json_bytes;
        self.raw_bytes += record.raw_bytes();
        self.cost_bytes += record.cost_bytes();
        self.kept.push_back(record);
        while self.cost_bytes > self.cost_bytes_max {
            let Some(oldest) = self.kept.pop_front() else {
                return;
            };
            self.json_bytes -= oldest.json_bytes;
            self.raw_bytes -= oldest.raw_bytes();
            self.cost_bytes -= oldest.cost_bytes();
            self.dropped += 1;
        }
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many had to make room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Length of them all, in bytes.
    pub(crate) fn body_bytes(&self, form: Form) -> u64 {
        match form {
            Form::Json => self.json_bytes,
            Form::Raw => self.raw_bytes,
        }
    }

    /// Appends records from position `from` on to `out`, until those are `least_bytes` or there are no more. Returns where to go on.
    pub(crate) fn write(
        &self,
        form: Form,
        from: u64,
        least_bytes: usize,
        out: &mut Vec<u8>,
    ) -> Option<u64> {
        let first = self.kept.partition_point(|record| record.position < from);
        for record in self.kept.range(first..) {
            if out.len() >= least_bytes {
                return Some(record.position);
            }
            record.write(form, out);
        }
        None
    }
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

    fn all(records: &Records, form: Form) -> String {
        let mut out = Vec::new();
        assert_eq!(records.write(form, 0, usize::MAX, &mut out), None);
        assert_eq!(out.len() as u64, records.body_bytes(form));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn records_are_told_in_order_and_in_both_forms() {
        let mut records = Records::new(1 << 16);
        records.keep(0, 1, b"one");
        records.keep(32, 2, b"\"two\"\x07\n");
        records.keep(72, 2, b"\xff\x01");
        assert_eq!(
            all(&records, Form::Json),
            "{\"epoch\":1,\"position\":0,\"text\":\"one\"}\n\
             {\"epoch\":2,\"position\":32,\"text\":\"\\\"two\\\"\\u0007\\n\"}\n\
             {\"epoch\":2,\"hex\":\"ff01\",\"position\":72}\n"
        );
        let mut raw = Vec::new();
        records.write(Form::Raw, 0, usize::MAX, &mut raw);
        assert_eq!(raw, b"one\n\"two\"\x07\n\xff\x01\n");
        assert_eq!((records.len(), records.dropped()), (3, 0));
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let mut records = Records::new(1000);
        for position in 0..100 {
            records.keep(position * 128, 1, &[b'0' + (position % 10) as u8; 100]);
        }
        assert!(records.cost_bytes <= 1000 && !records.is_empty());
        assert_eq!(records.len() as u64 + records.dropped(), 100);
        let text = all(&records, Form::Raw);
        assert!(text.starts_with('5') && text.ends_with("9\n"), "{text}");
        records.keep(1 << 20, 1, &[b'x'; 2000]);
        assert_eq!((records.len(), records.dropped()), (0, 101));
        assert_eq!(
            (records.cost_bytes, records.json_bytes, records.raw_bytes),
            (0, 0, 0)
        );
    }

    #[test]
    fn small_records_are_bounded_by_what_they_really_take() {
        let mut records = Records::new(1 << 16);
        for position in 0..100_000 {
            records.keep(position * 32, 1, b"x");
        }
        assert!(records.len() <= (1 << 16) / size_of::<Kept>());
    }
}
