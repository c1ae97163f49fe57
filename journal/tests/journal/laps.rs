//! Many laps of appending, applying and taking over, beside a model.

use std::collections::VecDeque;

use journal::{AppendError, RawKind, Reader, Recovery, record_bytes};
use proptest::prelude::*;

use crate::fixture::{Kept, SharedMemory, read, recover};

const CAPACITY_BYTES: usize = 512;

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>, u16),
    /// The primary applies up to this many records.
    Apply(usize),
    /// The backup applies everything it may.
    Consume,
    TakeOver,
    /// The primary has written a checkpoint that begins at its end: nothing before it is needed.
    Retain,
}

fn step() -> impl Strategy<Value = Step> {
    let payload = prop::collection::vec(any::<u8>(), 0..=CAPACITY_BYTES / 4 + 2);
    prop_oneof![
        8 => (payload, any::<u16>()).prop_map(|(payload, kind)| Step::Append(payload, kind)),
        4 => (0..6_usize).prop_map(Step::Apply),
        3 => Just(Step::Consume),
        1 => Just(Step::TakeOver),
        1 => Just(Step::Retain),
    ]
}

/// A model of the journal: records in a queue.
struct Model {
    reserved: u64,
    consumed: u64,
    epoch: u64,
    in_flight: VecDeque<Kept>,
    applied: VecDeque<Kept>,
    /// The position from which everything can be read again, and the records from there on, without those in flight.
    retained: u64,
    kept: Vec<Kept>,
}

impl Model {
    fn append(&mut self, payload: Vec<u8>, kind: u16) -> Result<u64, AppendError> {
        let max_bytes = CAPACITY_BYTES as u32 / 4;
        if payload.len() > max_bytes as usize {
            let payload_bytes = payload.len();
            return Err(AppendError::TooLarge {
                payload_bytes,
                max_bytes,
            });
        }
        let needed_bytes = record_bytes(payload.len() as u32);
        let floor = self.consumed.min(self.retained);
        let free_bytes = floor + CAPACITY_BYTES as u64 - self.reserved;
        if needed_bytes > free_bytes {
            return Err(AppendError::Full {
                needed_bytes,
                free_bytes,
            });
        }
        let position = self.reserved;
        self.reserved += needed_bytes;
        self.in_flight.push_back(Kept {
            position,
            end: self.reserved,
            epoch: self.epoch,
            kind: RawKind(kind),
            payload,
        });
        Ok(position)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_journal_is_a_queue(
        steps in prop::collection::vec(step(), 1..200),
        from in (0..1_u64 << 40).prop_map(|word| word * 8),
    ) {
        let memory = SharedMemory::new(CAPACITY_BYTES);
        let journal = memory.journal();
        journal.restart(from);
        journal.retain(Some(from));
        let mut reader = Reader::new(journal, from);
        let mut model = Model {
            reserved: from,
            consumed: from,
            epoch: 1,
            in_flight: VecDeque::new(),
            applied: VecDeque::new(),
            retained: from,
            kept: Vec::new(),
        };
        for step in steps {
            match step {
                Step::Append(payload, kind) => {
                    let (head, tail) = payload.split_at(payload.len() / 3);
                    let appended = journal.append(model.epoch, RawKind(kind), &[head, tail]);
                    let position = appended.map(|appended| appended.position);
                    prop_assert_eq!(position, model.append(payload, kind));
                }
                Step::Apply(count) => {
                    let count = count.min(model.in_flight.len());
                    let applied = Vec::from_iter(model.in_flight.drain(..count));
                    model.kept.extend(applied.iter().cloned());
                    model.applied.extend(applied);
                    if let Some(last) = model.applied.back() {
                        journal.mark_applied(last.end);
                    }
                }
                Step::Consume => {
                    let readings = read(&mut reader, model.epoch);
                    prop_assert_eq!(readings.findings, []);
                    prop_assert_eq!(readings.records, Vec::from_iter(model.applied.drain(..)));
                    journal.mark_consumed(reader.position());
                    model.consumed = reader.position();
                }
                Step::TakeOver => {
                    let tail = recover(&journal, reader.position(), model.epoch);
                    prop_assert_eq!(tail.findings, []);
                    model.kept.extend(model.in_flight.iter().cloned());
                    let left = model.applied.drain(..).chain(model.in_flight.drain(..));
                    prop_assert_eq!(tail.records, Vec::from_iter(left));
                    let resume =
                        Recovery::new(journal, reader.position(), model.epoch).resume_position();
                    journal.resume(resume);
                    reader = Reader::new(journal, resume);
                    (model.reserved, model.consumed) = (resume, resume);
                    model.epoch += 1;
                }
                Step::Retain => {
                    model.retained = model.reserved;
                    journal.retain(Some(model.retained));
                    model.kept.clear();
                    // Records in flight lie before it, and are applied later all the same.
                    let in_flight = Vec::from_iter(model.in_flight.drain(..));
                    if let Some(last) = in_flight.last() {
                        journal.mark_applied(last.end);
                    }
                    model.applied.extend(in_flight);
                }
            }
            prop_assert_eq!(journal.lag_bytes(), model.reserved - model.consumed);
        }
        let all = recover(&journal, model.retained, model.epoch);
        let kept = model.kept.into_iter().chain(model.in_flight.iter().cloned());
        prop_assert_eq!(all.records, Vec::from_iter(kept));
        prop_assert_eq!(all.findings, []);
        let left = model.applied.into_iter().chain(model.in_flight);
        let tail = recover(&journal, reader.position(), model.epoch);
        prop_assert_eq!(tail.records, Vec::from_iter(left));
        prop_assert_eq!(tail.findings, []);
    }
}
