//! A journal in the model checker's words, and what is read from it.

use journal::{Appended, Finding, Journal, Next, RawKind, Reader, Recovery};
use loom::sync::Arc;
use sharedmem::control::JournalCursors;
use sharedmem::crc32c::Crc32c;
use sharedmem::sync::AtomicU64;

/// The primary's epoch.
pub const EPOCH: u64 = 7;

/// Size of a record here, in bytes: a header, and a word of payload.
pub const RECORD_BYTES: u64 = 32;

/// Number of stores of an append: the reservation, which may take two attempts, the payload, three words of header.
pub const STORES: usize = 6;

pub struct SharedMemory {
    words: Vec<AtomicU64>,
    pub cursors: JournalCursors,
}

impl SharedMemory {
    /// Makes memory with room for `records` records, and nothing kept for later readers.
    pub fn new(records: u64) -> Arc<Self> {
        let words = records * RECORD_BYTES / 8;
        let memory = Self {
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
            cursors: JournalCursors::default(),
        };
        memory.journal().retain(None);
        Arc::new(memory)
    }

    pub fn journal(&self) -> Journal<'_, &[AtomicU64]> {
        Journal::salted(&*self.words, &self.cursors, 1, Crc32c::portable()).unwrap()
    }

    /// Appends a record with the payload `number`.
    pub fn append(&self, number: u8) -> Appended {
        let appended = self
            .journal()
            .append(EPOCH, RawKind(number.into()), &[&[number; 8]]);
        appended.unwrap()
    }

    /// Recovers. Returns the records and the findings.
    pub fn recover(&self, from: u64) -> (Vec<(u64, u8)>, Vec<Finding>) {
        let (mut recovery, mut buffer) = (Recovery::new(self.journal(), from, EPOCH), Vec::new());
        let (mut numbers, mut findings) = (Vec::new(), Vec::new());
        loop {
            match recovery.next(&mut buffer) {
                Next::Record(record) => numbers.push((record.position, number_of(&record))),
                Next::Finding(finding) => findings.push(finding),
                Next::Searching => {}
                Next::End => return (numbers, findings),
            }
        }
    }
}

/// Returns the number in a record that must be whole.
fn number_of(record: &journal::Record<'_>) -> u8 {
    let number = record.payload[0];
    assert_eq!(
        (record.kind, record.payload),
        (RawKind(number.into()), &[number; 8][..]),
        "torn"
    );
    number
}

/// Reads as a waiting backup, and checks that nothing it may read is damaged.
pub fn read(reader: &mut Reader<'_, &[AtomicU64]>) -> Vec<u8> {
    let (mut numbers, mut buffer) = (Vec::new(), Vec::new());
    loop {
        match reader.next(EPOCH, &mut buffer) {
            Next::Record(record) => numbers.push(number_of(&record)),
            Next::Finding(finding) => panic!("{finding}"),
            Next::Searching => {}
            Next::End => return numbers,
        }
    }
}
