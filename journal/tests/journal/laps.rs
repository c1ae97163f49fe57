//! Many laps of appending, applying and taking over, beside a model.

use std::collections::VecDeque;

use journal::{AppendError, Kind, Reader, Recovery, record_bytes};
use proptest::prelude::*;

use crate::fixture::{Kept, Memory, read, recover};

const CAPACITY_BYTES: usize = 512;

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>, u16),
    /// The primary applies up to so many records.
    Apply(usize),
    /// The backup applies what it may.
    Consume,
    TakeOver,
}

fn step() -> impl Strategy<Value = Step> {
    let payload = prop::collection::vec(any::<u8>(), 0..=CAPACITY_BYTES / 4 + 2);
    prop_oneof![
        8 => (payload, any::<u16>()).prop_map(|(payload, kind)| Step::Append(payload, kind)),
        4 => (0..6_usize).prop_map(Step::Apply),
        3 => Just(Step::Consume),
        1 => Just(Step::TakeOver),
    ]
}

/// What a journal ought to be: records in a queue.
struct Model {
    reserved: u64,
    consumed: u64,
    epoch: u64,
    in_flight: VecDeque<Kept>,
    applied: VecDeque<Kept>,
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
        let free_bytes = self.consumed + CAPACITY_BYTES as u64 - self.reserved;
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
            kind: Kind(kind),
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
        let memory = Memory::new(CAPACITY_BYTES);
        let journal = memory.journal();
        journal.restart(from);
        let mut reader = Reader::new(journal, from);
        let mut model = Model {
            reserved: from,
            consumed: from,
            epoch: 1,
            in_flight: VecDeque::new(),
            applied: VecDeque::new(),
        };
        for step in steps {
            match step {
                Step::Append(payload, kind) => {
                    let (head, tail) = payload.split_at(payload.len() / 3);
                    let appended = journal.append(model.epoch, Kind(kind), &[head, tail]);
                    let position = appended.map(|appended| appended.position);
                    prop_assert_eq!(position, model.append(payload, kind));
                }
                Step::Apply(count) => {
                    let count = count.min(model.in_flight.len());
                    model.applied.extend(model.in_flight.drain(..count));
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
                    let left = model.applied.drain(..).chain(model.in_flight.drain(..));
                    prop_assert_eq!(tail.records, Vec::from_iter(left));
                    let resume =
                        Recovery::new(journal, reader.position(), model.epoch).resume_position();
                    journal.restart(resume);
                    reader = Reader::new(journal, resume);
                    (model.reserved, model.consumed) = (resume, resume);
                    model.epoch += 1;
                }
            }
            prop_assert_eq!(journal.lag_bytes(), model.reserved - model.consumed);
        }
        let left = model.applied.into_iter().chain(model.in_flight);
        let tail = recover(&journal, reader.position(), model.epoch);
        prop_assert_eq!(tail.records, Vec::from_iter(left));
        prop_assert_eq!(tail.findings, []);
    }
}
