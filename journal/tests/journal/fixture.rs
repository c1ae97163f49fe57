//! A journal in ordinary memory, and what is read from it.

use sharedmem::sync::{AtomicU64, Ordering};
use std::cell::Cell;
use std::ptr;

use journal::{Finding, Journal, Next, RawKind, Reader, Record, Recovery};
use sharedmem::Words;
use sharedmem::control::{JournalCursors, NOTHING_RETAINED};
use sharedmem::crc32c::Crc32c;

pub const SALT: u64 = 0x005e_ed0f_7415_b007;

/// The epoch in which tests write and read, if they name no other.
pub const EPOCH: u64 = 7;

/// The part of the shared region that a journal needs.
pub struct SharedMemory {
    pub words: Vec<AtomicU64>,
    pub cursors: JournalCursors,
}

impl SharedMemory {
    pub fn new(capacity_bytes: usize) -> Self {
        let cursors = JournalCursors::default();
        cursors.retained.store(NOTHING_RETAINED, Ordering::Relaxed);
        Self {
            words: (0..capacity_bytes / 8).map(|_| AtomicU64::new(0)).collect(),
            cursors,
        }
    }

    pub fn journal(&self) -> Journal<'_, &[AtomicU64]> {
        self.salted(SALT)
    }

    pub fn salted(&self, salt: u64) -> Journal<'_, &[AtomicU64]> {
        Journal::salted(&*self.words, &self.cursors, salt, Crc32c::detect()).unwrap()
    }

    /// Returns the word at a position.
    pub fn word(&self, position: u64) -> &AtomicU64 {
        &self.words[(position / 8) as usize % self.words.len()]
    }

    pub fn snapshot(&self) -> Vec<u64> {
        let words = self.words.iter();
        words.map(|word| word.load(Ordering::Relaxed)).collect()
    }

    /// Returns everything that a crash leaves: the cursors, in the order of [`CURSORS`], then the ring.
    pub fn image(&self) -> Vec<u64> {
        let cursors = self.four_cursors();
        let mut image: Vec<_> = cursors.map(|word| word.load(Ordering::Relaxed)).into();
        image.extend(self.cursors.applying.save());
        image.extend(self.snapshot());
        image
    }

    /// Loads an image.
    pub fn restore(&self, image: &[u64]) {
        let (cursors, ring) = image.split_at(CURSORS);
        for (word, value) in self.four_cursors().into_iter().zip(cursors) {
            word.store(*value, Ordering::Relaxed);
        }
        self.cursors
            .applying
            .restore([cursors[APPLYING], cursors[SUSPECT]]);
        for (word, value) in self.words.iter().zip(ring) {
            word.store(*value, Ordering::Relaxed);
        }
    }

    /// Returns the address of each word of an image.
    pub fn addresses(&self) -> Vec<usize> {
        let applying = ptr::from_ref(&*self.cursors.applying).addr();
        let cursors = self.four_cursors().map(|word| ptr::from_ref(word).addr());
        let ring = self.words.iter().map(|word| ptr::from_ref(word).addr());
        let cursors = cursors.into_iter().chain([applying, applying + 8]);
        cursors.chain(ring).collect()
    }

    fn four_cursors(&self) -> [&AtomicU64; 4] {
        let it = &self.cursors;
        [&it.reserved, &it.applied, &it.consumed, &it.retained]
    }
}

/// The first words of an image.
pub const RESERVED: usize = 0;
pub const APPLIED: usize = 1;
pub const CONSUMED: usize = 2;
pub const RETAINED: usize = 3;
pub const APPLYING: usize = 4;
pub const SUSPECT: usize = 5;
/// Number of cursor words in an image.
pub const CURSORS: usize = 6;

/// Memory as a dying producer sees it: after a number of stores, no more arrive.
pub struct Dying<'m> {
    pub memory: &'m SharedMemory,
    pub stores_left: Cell<usize>,
}

impl<'m> Dying<'m> {
    pub fn after(memory: &'m SharedMemory, stores: usize) -> Self {
        Self {
            memory,
            stores_left: Cell::new(stores),
        }
    }

    pub fn journal(&self) -> Journal<'_, &Self> {
        Journal::salted(self, &self.memory.cursors, SALT, Crc32c::detect()).unwrap()
    }
}

impl Words for Dying<'_> {
    fn len(&self) -> usize {
        self.memory.words.len()
    }

    fn load(&self, index: usize, order: Ordering) -> u64 {
        self.memory.words[index].load(order)
    }

    fn store(&self, index: usize, value: u64, order: Ordering) {
        if let Some(left) = self.stores_left.get().checked_sub(1) {
            self.stores_left.set(left);
            self.memory.words[index].store(value, order);
        }
    }
}

/// A record that outlives the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub position: u64,
    pub end: u64,
    pub epoch: u64,
    pub kind: RawKind,
    pub payload: Vec<u8>,
}

impl From<Record<'_>> for Kept {
    fn from(record: Record<'_>) -> Self {
        Self {
            position: record.position,
            end: record.end,
            epoch: record.epoch,
            kind: record.kind,
            payload: record.payload.to_vec(),
        }
    }
}

/// What one reading returned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    pub records: Vec<Kept>,
    pub findings: Vec<Finding>,
}

impl Readings {
    /// Adds what a step returned. Returns `false` at the end.
    pub fn keep(&mut self, next: Next<'_>) -> bool {
        match next {
            Next::Record(record) => self.records.push(record.into()),
            Next::Finding(finding) => self.findings.push(finding),
            Next::Searching => {}
            Next::End => return false,
        }
        true
    }

    /// Returns the findings' descriptions.
    pub fn descriptions(&self) -> Vec<String> {
        self.findings.iter().map(ToString::to_string).collect()
    }

    pub fn payloads(&self) -> Vec<&[u8]> {
        self.records.iter().map(|record| &*record.payload).collect()
    }
}

/// Recovers twice, and checks that both recoveries return the same.
pub fn recover<W: Words + Copy>(journal: &Journal<'_, W>, from: u64, epoch: u64) -> Readings {
    let once = recover_once(*journal, from, epoch);
    assert_eq!(once, recover_once(*journal, from, epoch));
    once
}

fn recover_once<W: Words + Copy>(journal: Journal<'_, W>, from: u64, epoch: u64) -> Readings {
    // Every step but the first and the last moves at least one word, or searches 32 KiB of some lengths of the ring.
    let steps_max = journal.capacity_bytes() / 8 + 3 + 20 * (journal.capacity_bytes() >> 15);
    let mut recovery = Recovery::new(journal, from, epoch);
    let (mut readings, mut buffer) = (Readings::default(), Vec::new());
    for _ in 0..steps_max {
        let position = recovery.position();
        if !readings.keep(recovery.next(&mut buffer)) {
            return readings;
        }
        assert!(recovery.position() >= position);
    }
    panic!("the recovery does not end: {readings:?}");
}

/// Reads everything that a waiting backup can read.
pub fn read<W: Words + Copy>(reader: &mut Reader<'_, W>, epoch: u64) -> Readings {
    let (mut readings, mut buffer) = (Readings::default(), Vec::new());
    // More steps than any ring here has words.
    for _ in 0..10_000 {
        if !readings.keep(reader.next(epoch, &mut buffer)) {
            return readings;
        }
    }
    panic!(
        "the reading does not end: {} findings",
        readings.findings.len()
    );
}

/// Appends a payload of one piece. There has to be room for it.
pub fn append<W: Words + Copy>(journal: &Journal<'_, W>, payload: &[u8]) -> Kept {
    let kind = RawKind(payload.len() as u16);
    let appended = journal.append(EPOCH, kind, &[payload]).unwrap();
    Kept {
        position: appended.position,
        end: appended.end,
        epoch: EPOCH,
        kind,
        payload: payload.to_vec(),
    }
}

/// Fills and empties the ring for a few laps, so that there are old records everywhere. It ends at an odd position.
pub fn wear_in(memory: &SharedMemory) -> u64 {
    let journal = memory.journal();
    let mut position = 0;
    for round in 0..3 * memory.words.len() as u64 / 4 {
        position = append(&journal, &[0xa5 ^ round as u8; 13]).end;
        journal.mark_applied(position);
        journal.mark_consumed(position);
    }
    position
}
