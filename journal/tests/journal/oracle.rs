//! What a reading must return, given what was written.

use journal::{Damage, Reader, Recovery};

use crate::crash::Cut;
use crate::fixture::{
    APPLIED, APPLYING, CONSUMED, EPOCH, Kept, RESERVED, RETAINED, Readings, SUSPECT, SharedMemory,
    read, recover,
};
use crate::trace::{Trace, When, Written};
use crate::workload::DEATHS_MAX;

/// The state of a record at a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    Unpublished,
    HalfRelabelled,
    /// One of its bits is wrong.
    Corrupt,
}

/// Returns every record that is reserved at a cut, and its state.
fn contents(trace: &Trace, cut: &Cut) -> impl Iterator<Item = (State, Kept)> {
    let reserved = trace
        .records
        .iter()
        .filter(|it| it.record.position < cut.image[RESERVED]);
    reserved.map(|written| {
        let mut record = written.record.clone();
        let is_done = |when| trace.is_done(when, &cut.clock);
        let state = match written.relabelled {
            _ if !is_done(written.published) => State::Unpublished,
            Some((_, last, kind)) if is_done(last) => {
                record.kind = kind;
                State::Whole
            }
            Some((first, ..)) if is_done(first) => State::HalfRelabelled,
            _ => State::Whole,
        };
        (state, record)
    })
}

/// Returns the same as records that were written before a further recording begins.
pub fn written_before(trace: &Trace, cut: &Cut) -> Vec<Written> {
    let before = contents(trace, cut).map(|(state, record)| Written {
        published: match state {
            State::Unpublished => When::Never,
            _ => When::Before,
        },
        relabelled: (state == State::HalfRelabelled).then_some((
            When::Before,
            When::Never,
            record.kind,
        )),
        record,
    });
    before.collect()
}

/// What a recovery must return.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    pub records: Vec<Kept>,
    /// Stretches without a record, and why there is none.
    damage: Vec<(u64, u64, State)>,
}

impl Expected {
    /// Makes what a recovery from `from` on must return at a cut.
    pub fn of(trace: &Trace, cut: &Cut, from: u64) -> Self {
        Self::of_contents(contents(trace, cut), from)
    }

    /// Makes the same for a ring in which one bit of a word is flipped.
    pub fn of_corrupt(trace: &Trace, cut: &Cut, from: u64, index: usize) -> Self {
        let lies_in = |record: &Kept| {
            let mut words = (record.position / 8)..(record.end / 8);
            words.any(|word| word as usize % (trace.capacity_bytes / 8) == index)
        };
        let contents = contents(trace, cut).map(|(state, record)| match state {
            State::Whole if lies_in(&record) => (State::Corrupt, record),
            state => (state, record),
        });
        Self::of_contents(contents, from)
    }

    fn of_contents(contents: impl Iterator<Item = (State, Kept)>, from: u64) -> Self {
        let mut expected = Self::default();
        for (state, record) in contents.filter(|(_, it)| it.position >= from) {
            match (state, expected.damage.last_mut()) {
                (State::Whole, _) => expected.records.push(record),
                // Behind damage the next whole record is searched for.
                (_, Some((_, end, _))) if *end == record.position => *end = record.end,
                _ => expected.damage.push((record.position, record.end, state)),
            }
        }
        expected
    }

    /// Changes the record that is skipped now, because too many primaries died in it.
    pub fn with_killer(mut self, image: &[u64]) -> Self {
        let killer = killer(image);
        for record in self
            .records
            .iter_mut()
            .filter(|it| Some(it.position) == killer)
        {
            record.kind = record.kind.skipped();
        }
        self
    }

    /// Returns whether this is what was read: every committed record and no other, once and in order, and everything
    /// missing is named.
    pub fn check(&self, readings: &Readings, cut: &Cut) {
        assert_eq!(readings.records, self.records, "{cut:x?}");
        let found = readings.findings.iter().map(|it| (it.from, it.to));
        let missing = self.damage.iter().map(|(from, to, _)| (*from, *to));
        assert!(
            found.eq(missing),
            "{:?} {:?} {cut:x?}",
            readings.findings,
            self.damage
        );
        for (finding, (.., state)) in readings.findings.iter().zip(&self.damage) {
            let is_right = match finding.damage {
                Damage::Hole | Damage::TornTail => *state != State::HalfRelabelled,
                Damage::Checksum => *state != State::Unpublished,
                Damage::Length { .. } => *state == State::Corrupt,
                _ => false,
            };
            assert!(is_right, "{finding}: {state:?} {cut:x?}");
            assert_eq!(
                finding.was_applied,
                finding.from < cut.image[APPLIED],
                "{finding}"
            );
        }
    }
}

/// Returns the record in which too many primaries died, by the words of `Applying`.
pub fn killer(image: &[u64]) -> Option<u64> {
    let (current, suspect) = (image[APPLYING], image[SUSPECT]);
    let (position, deaths) = (suspect & !7, suspect & 7);
    let (position, deaths) = match (current & !7, current & 1 == 1) {
        (_, false) => (position, deaths),
        (current, true) if current == position => (position, deaths + 1),
        (current, true) => (current, 1),
    };
    (deaths >= DEATHS_MAX).then_some(position)
}

/// Recovers from a cut, as a backup that waited and as a kernel that has read nothing yet. `memory` is used for it.
pub fn check_recovery(trace: &Trace, cut: &Cut, memory: &SharedMemory) {
    memory.restore(&cut.image);
    let journal = memory.journal();
    for from in [cut.image[CONSUMED], cut.image[RETAINED]] {
        let readings = recover(&journal, from, cut.epoch);
        Expected::of(trace, cut, from).check(&readings, cut);
        let is_there = |position| readings.records.iter().any(|it| it.position == position);
        for position in cut.acknowledged.iter().filter(|it| **it >= from) {
            assert!(is_there(*position), "{position} was acknowledged: {cut:x?}");
        }
        assert!(Recovery::new(journal, from, cut.epoch).is_intact());
        check_waiting(cut, memory, from, &readings);
    }
    assert_eq!(memory.image(), cut.image, "reading writes nothing");
}

/// Checks that a backup that reads as far as it may, and then recovers, reads the same as a recovery. Before the
/// first takeover no damage is below `applied`.
fn check_waiting(cut: &Cut, memory: &SharedMemory, from: u64, recovery: &Readings) {
    let mut reader = Reader::new(memory.journal(), from);
    let mut waiting = read(&mut reader, cut.epoch);
    assert!(
        reader.position() == from.max(cut.image[APPLIED]),
        "{cut:x?}"
    );
    assert!(
        cut.epoch > EPOCH || waiting.findings.is_empty(),
        "{:?} {cut:x?}",
        waiting.findings
    );
    let mut recovery_of_rest = reader.recover(cut.epoch);
    let mut buffer = Vec::new();
    while waiting.keep(recovery_of_rest.next(&mut buffer)) {}
    assert_eq!(waiting.records, recovery.records, "{cut:x?}");
    assert_eq!(stretches(&waiting), stretches(recovery), "{cut:x?}");
}

/// Returns the stretches that are missing. A waiting backup may name one in two parts, below and behind `applied`.
fn stretches(readings: &Readings) -> Vec<(u64, u64)> {
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    for finding in &readings.findings {
        match stretches.last_mut() {
            Some((_, to)) if *to == finding.from => *to = finding.to,
            _ => stretches.push((finding.from, finding.to)),
        }
    }
    stretches
}
