//! Writing: from items to records.

use alloc::vec::Vec;

use serde::Serialize;

use crate::sequence::HEADER_BYTES;
use crate::{Item, Sequence};

/// A record is complete when it has grown to this, in bytes. The smallest journal takes records several times as large.
const RECORD_BYTES: usize = 16 << 10;
/// Longest part of a string, in bytes.
const PART_BYTES: usize = 8 << 10;

/// Writes the items of one section.
pub struct Writer<'s> {
    sink: &'s mut dyn FnMut(&[u8]),
    sequence: &'s mut Sequence,
    /// The items of the next record, behind room for its header.
    record: Vec<u8>,
    head: Vec<u8>,
    section: u8,
    written_bytes: usize,
}

impl<'s> Writer<'s> {
    /// Makes a writer for one section of the checkpoint, by its number. `sink` takes the payload of each record.
    pub fn new(section: u8, sequence: &'s mut Sequence, sink: &'s mut dyn FnMut(&[u8])) -> Self {
        let mut record = Vec::with_capacity(RECORD_BYTES + PART_BYTES + 64);
        record.resize(HEADER_BYTES, 0);
        Self {
            sink,
            sequence,
            record,
            head: Vec::new(),
            section,
            written_bytes: 0,
        }
    }

    /// Writes a head.
    pub fn head(&mut self, head: &impl Serialize) {
        let mut bytes = core::mem::take(&mut self.head);
        bytes.clear();
        bytes = encode(head, bytes);
        self.item(&Item::Head(&bytes));
        self.head = bytes;
    }

    /// Writes a string.
    pub fn string(&mut self, string: &[u8]) {
        self.string_of(string.len(), |from| &string[from..]);
    }

    /// Writes a string of `length` bytes. `piece` returns some of them, from an offset on.
    pub fn string_of<'p>(&mut self, length: usize, piece: impl Fn(usize) -> &'p [u8]) {
        let mut from = 0;
        loop {
            let bytes = piece(from);
            let bytes = &bytes[..bytes.len().min(PART_BYTES)];
            from += bytes.len();
            // A missing piece ends the string, too: its reader sees that it is too short.
            let is_last = from >= length || bytes.is_empty();
            self.item(&Item::Part { bytes, is_last });
            if is_last {
                return;
            }
        }
    }

    /// Returns the number of bytes written so far.
    pub fn written_bytes(&self) -> usize {
        self.written_bytes + self.record.len() - HEADER_BYTES
    }

    fn item(&mut self, item: &Item<'_>) {
        let record = core::mem::take(&mut self.record);
        self.record = encode(item, record);
        if self.record.len() >= RECORD_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.written_bytes += self.record.len() - HEADER_BYTES;
        self.record[..HEADER_BYTES].copy_from_slice(&self.sequence.begin(self.section));
        (self.sink)(&self.record);
        self.record.truncate(HEADER_BYTES);
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if self.record.len() > HEADER_BYTES {
            self.flush();
        }
    }
}

/// Appends an encoded value to `out`. A vector always has room, so this cannot fail.
fn encode(value: &impl Serialize, out: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(value, out).unwrap_or_default()
}
