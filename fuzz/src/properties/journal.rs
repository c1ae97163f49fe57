//! A reader of the journal ends in bounded work, in order, and can be followed by another, whatever a hostile peer has
//! left in the ring and the cursors. The peer knows the salt, and goes on writing while the journal is read.
//!
//! An input is the size of the ring, the five cursors, the words that change while they are read, and then what is
//! written into the ring before.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};

use arbitrary::{Result, Unstructured};
use journal::{
    CAPACITY_BYTES_MIN, Damage, Finding, Journal, Next, RawKind, Reader, Record, Recovery,
};
use sharedmem::Words;
use sharedmem::control::JournalCursors;
use sharedmem::crc32c::Crc32c;

const SALT: u64 = 0x1234_5678_9abc_def0;
const EPOCH: u64 = 7;

/// Limit of the loads for each word of the ring. Eight lengths of the ring may be read in vain, each word may begin a
/// record whose header has three words more, and a whole record is found first and then read.
const LOADS_PER_WORD_MAX: u64 = 48;

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let _ = scene(&mut Unstructured::new(data));
}

fn scene(input: &mut Unstructured<'_>) -> Result<()> {
    let count = CAPACITY_BYTES_MIN as usize / 8 + usize::from(input.arbitrary::<u8>()?);
    let memory = Memory::new(count);
    let cursors = JournalCursors::default();
    let [reserved, applied, consumed, retained, from] =
        input.arbitrary::<[Place; 5]>()?.map(|p| p.0);
    memory.change_later(input)?;
    let journal = journal_in(&memory, &cursors);
    while !input.is_empty() && write(input, &journal, &memory).is_ok() {}
    for (word, position) in [
        (&cursors.reserved, reserved),
        (&cursors.applied, applied),
        (&cursors.consumed, consumed),
        (&cursors.retained, retained),
    ] {
        word.store(position, Ordering::Relaxed);
    }
    assert!(journal.free_bytes() <= journal.capacity_bytes());
    let _ = (
        journal.cursors(),
        journal.lag_bytes(),
        journal.retained_bytes(),
    );
    let words = memory.words.len() as u64;
    memory.set_read_only(true);
    follow(&journal, from);
    assert!(memory.take_loads() <= LOADS_PER_WORD_MAX * words);
    let (resume, is_intact) = recover(&journal, from);
    let loads = memory.take_loads();
    assert!(
        loads <= LOADS_PER_WORD_MAX * words,
        "{loads} loads of {words} words"
    );
    memory.set_read_only(false);
    go_on(&journal, resume, is_intact);
    Ok(())
}

/// Reads as a waiting backup what the primary says it has applied.
fn follow<W: Words + Copy>(journal: &Journal<'_, W>, from: u64) {
    let mut reader = Reader::new(*journal, from);
    let end = journal.cursors().applied;
    let (mut buffer, mut order) = (Vec::new(), Order::at(reader.position()));
    loop {
        match reader.next(EPOCH, &mut buffer) {
            Next::Record(record) => order.record(&record),
            Next::Finding(finding) => order.finding(&finding),
            Next::Searching => {}
            Next::End => break,
        }
        assert_eq!(reader.position(), order.position);
        assert!(reader.position() <= end.max(from.div_ceil(8).saturating_mul(8)));
    }
    assert_eq!(
        reader.next(EPOCH, &mut buffer),
        Next::End,
        "it has ended before"
    );
}

/// Reads as a new primary what was published. Returns where it goes on, and whether the cursors made sense.
fn recover<W: Words + Copy>(journal: &Journal<'_, W>, from: u64) -> (u64, bool) {
    let mut recovery = Recovery::new(*journal, from, EPOCH);
    let begin = recovery.position();
    let (mut buffer, mut order) = (Vec::new(), Order::at(begin));
    loop {
        match recovery.next(&mut buffer) {
            Next::Record(record) => order.record(&record),
            Next::Finding(finding) => order.finding(&finding),
            Next::Searching => {}
            Next::End => break,
        }
        assert_eq!(recovery.position(), order.position);
        assert!(
            order.position - begin <= journal.capacity_bytes(),
            "more than a lap"
        );
    }
    assert!(recovery.resume_position() >= order.position);
    (recovery.resume_position(), recovery.is_intact())
}

/// Checks that the next reader finds the new primary's first record.
fn go_on<W: Words + Copy>(journal: &Journal<'_, W>, position: u64, is_intact: bool) {
    match is_intact {
        true => journal.resume(position),
        false => journal.restart(position),
    }
    let Ok(record) = journal.append(EPOCH + 1, RawKind(6), &[]) else {
        return;
    };
    assert_eq!(record.position, position);
    let (mut recovery, mut buffer) = (Recovery::new(*journal, position, EPOCH + 1), Vec::new());
    match recovery.next(&mut buffer) {
        Next::Record(read) => assert_eq!((read.end, read.epoch), (record.end, EPOCH + 1)),
        other => panic!("{other:?} instead of the new owner's record"),
    }
    assert_eq!(recovery.next(&mut buffer), Next::End);
}

/// Checks that stretches follow one another without a gap, and that epochs do not go back.
struct Order {
    position: u64,
    epoch: u64,
}

impl Order {
    fn at(position: u64) -> Self {
        Self { position, epoch: 0 }
    }

    fn record(&mut self, record: &Record<'_>) {
        assert_eq!(record.position, self.position);
        assert!((self.epoch..=EPOCH).contains(&record.epoch));
        assert_eq!(
            record.end,
            record.position + journal::record_bytes(record.payload.len() as u32)
        );
        (self.position, self.epoch) = (record.end, record.epoch);
    }

    fn finding(&mut self, finding: &Finding) {
        assert!(!finding.to_string().is_empty());
        assert_eq!(finding.from, self.position);
        if !matches!(finding.damage, Damage::Cursors { .. }) {
            assert!(finding.to > finding.from, "{finding}: no step forward");
            self.position = finding.to;
        }
    }
}

/// Draws a position: near 0, near the largest number, or anywhere.
#[derive(Clone, Copy)]
struct Place(u64);

impl<'a> arbitrary::Arbitrary<'a> for Place {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let [kind, near] = input.arbitrary::<[u8; 2]>()?;
        Ok(Self(match kind % 8 {
            0..=4 => u64::from(near) * 8,
            5 => u64::from(near) * 64 + u64::from(kind >> 3),
            6 => u64::MAX - u64::from(near) * 8,
            _ => input.arbitrary()?,
        }))
    }
}

/// Writes a record, a word that says that one begins here, or any word.
fn write(
    input: &mut Unstructured<'_>,
    journal: &Journal<'_, &Memory>,
    memory: &Memory,
) -> Result<()> {
    let [kind, epoch, length] = input.arbitrary::<[u8; 3]>()?;
    let position = input.arbitrary::<Place>()?.0;
    match kind % 4 {
        0 | 1 => {
            // A producer appends where the cursors say; a record that does not fit is refused.
            journal.restart(position & !7);
            let length = usize::from(length).min(input.len());
            let payload = input.bytes(length)?;
            let _ = journal.append(epoch.into(), RawKind(kind.into()), &[payload]);
        }
        2 => {
            let stamp = stamp_of(position & !7);
            memory.put(position / 8, stamp);
            memory.put((position / 8).wrapping_add(1), u64::from(length) << 2);
        }
        _ => memory.put(position / 8, input.arbitrary()?),
    }
    Ok(())
}

/// Returns the first word of a record at `position`, as an append in another ring writes it.
fn stamp_of(position: u64) -> u64 {
    let (elsewhere, cursors) = (Memory::new(8), JournalCursors::default());
    let journal = journal_in(&elsewhere, &cursors);
    journal.restart(position);
    match journal.append(1, RawKind(1), &[]) {
        Ok(_) => elsewhere.words[(position / 8 % 8) as usize].load(Ordering::Relaxed),
        Err(_) => 0,
    }
}

fn journal_in<'c, 'm>(memory: &'m Memory, cursors: &'c JournalCursors) -> Journal<'c, &'m Memory> {
    Journal::salted(memory, cursors, SALT, Crc32c::portable()).expect("it is large enough")
}

/// Memory that changes while it is read, and counts the reads.
struct Memory {
    words: Vec<AtomicU64>,
    loads: Cell<u64>,
    is_read_only: Cell<bool>,
    /// After this many loads more, this word is xored with this.
    changes: RefCell<Vec<(u64, usize, u64)>>,
}

impl Memory {
    fn new(count: usize) -> Self {
        Self {
            words: (0..count).map(|_| AtomicU64::new(0)).collect(),
            loads: Cell::new(0),
            is_read_only: Cell::new(false),
            changes: RefCell::default(),
        }
    }

    fn put(&self, number: u64, value: u64) {
        let index = number % self.words.len() as u64;
        self.words[index as usize].store(value, Ordering::Relaxed);
    }

    fn change_later(&self, input: &mut Unstructured<'_>) -> Result<()> {
        for _ in 0..input.arbitrary::<u8>()? % 8 {
            let [after, word] = input.arbitrary::<[u8; 2]>()?;
            let place = usize::from(word) % self.words.len();
            let change = (after.into(), place, input.arbitrary()?);
            self.changes.borrow_mut().push(change);
        }
        Ok(())
    }

    fn set_read_only(&self, is_read_only: bool) {
        self.loads.set(0);
        self.is_read_only.set(is_read_only);
    }

    fn take_loads(&self) -> u64 {
        self.loads.take()
    }
}

impl Words for &Memory {
    fn len(&self) -> usize {
        self.words.len()
    }

    fn load(&self, index: usize, order: Ordering) -> u64 {
        if self.is_read_only.get() {
            self.loads.set(self.loads.get() + 1);
            self.changes.borrow_mut().retain_mut(|(after, place, xor)| {
                let is_due = *after == 0;
                *after = after.saturating_sub(1);
                if is_due {
                    self.words[*place].fetch_xor(*xor, Ordering::Relaxed);
                }
                !is_due
            });
        }
        self.words[index].load(order)
    }

    fn store(&self, index: usize, value: u64, order: Ordering) {
        assert!(!self.is_read_only.get(), "reading writes nothing");
        self.words[index].store(value, order);
    }
}
