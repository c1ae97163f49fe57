//! What a machine does with its journal: the real code, in the order of the real kernels (`kernel/replica`).

use journal::{HEADER_BYTES, Next, Reader, Recovery};
use sharedmem::RecordKind;
use sharedmem::sync::AtomicU64;

use crate::fixture::{EPOCH, Readings, SharedMemory, wear_in};
use crate::machine::TracedMachine;
use crate::trace::Trace;

/// The core of the primary that applies records.
pub const LEAD: usize = 0;
/// The core of the waiting backup.
pub const BACKUP: usize = 3;

/// A record in which this many kernels died is skipped.
pub const DEATHS_MAX: u64 = 2;

/// A primary and its backup.
struct Pair<'m> {
    machine: &'m TracedMachine,
    reader: Reader<'m, &'m [AtomicU64]>,
    /// Number of records so far. No two payloads are the same.
    count: u64,
    /// Positions of the records that are appended and not applied.
    in_flight: Vec<u64>,
}

impl<'m> Pair<'m> {
    /// Makes a pair whose backup is loaded while the primary serves: it begins to read where the journal makes the
    /// whole state.
    fn new(machine: &'m TracedMachine, count: u64) -> Self {
        machine.wait(BACKUP);
        Self {
            machine,
            reader: Reader::begin(machine.on(BACKUP)),
            count,
            in_flight: Vec::new(),
        }
    }

    /// Returns a payload of 0 to 17 bytes, different from those before.
    fn payload(&mut self) -> Vec<u8> {
        self.count += 1;
        let length = [17, 9, 4, 12, 0, 16, 1, 8][self.count as usize % 8];
        self.count
            .to_le_bytes()
            .into_iter()
            .cycle()
            .take(length)
            .collect()
    }

    fn append(&mut self, core: usize, kind: RecordKind) -> u64 {
        let payload = self.payload();
        let position = self.machine.append(core, kind.into(), &payload);
        self.in_flight.push(position);
        position
    }

    /// Applies what is in flight on the lead core, and lets the replies out.
    fn apply(&mut self) {
        let end = self.machine.on(LEAD).cursors().reserved;
        let applying = &self.machine.memory().cursors.applying;
        let begins = std::mem::take(&mut self.in_flight);
        let ends = begins.iter().skip(1).chain([&end]);
        for (position, end) in begins.iter().zip(ends) {
            let journal = self.machine.on(LEAD);
            applying.begin(*position);
            applying.end();
            journal.mark_applied(*end);
            self.machine.acknowledge(LEAD, *position);
        }
    }

    /// Writes a checkpoint on the lead core, from which the journal is kept then.
    fn checkpoint(&mut self) {
        let position = self.append(LEAD, RecordKind::Checkpoint);
        self.append(LEAD, RecordKind::Checkpoint);
        self.apply();
        self.machine.on(LEAD).retain(Some(position));
    }

    /// Lets the backup apply up to this many `records`.
    fn follow(&mut self, records: usize) {
        let mut buffer = Vec::new();
        for _ in 0..records {
            let journal = self.machine.on(BACKUP);
            match self.reader.next(self.machine.epoch(), &mut buffer) {
                Next::Record(_) => journal.mark_consumed(self.reader.position()),
                Next::Finding(finding) => panic!("{finding}"),
                Next::Searching => {}
                Next::End => return,
            }
        }
    }

    /// Serves on three cores, in another order each time. The backup follows, and is not always done.
    fn serve(&mut self, rounds: usize) {
        const ORDERS: [[usize; 3]; 6] = [
            [0, 1, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
            [1, 0, 2],
            [0, 2, 1],
        ];
        for round in 0..rounds {
            for core in ORDERS[round % ORDERS.len()] {
                self.append(core, RecordKind::Input);
            }
            self.apply();
            self.follow([2, 5, 4][round % 3]);
            if round % 2 == 1 {
                self.checkpoint();
            }
        }
        self.follow(usize::MAX);
    }
}

/// Where a kernel that takes over dies, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiesIn {
    /// It lives.
    Nothing,
    /// The record at this position, which it applies.
    Record(u64),
    /// Its own first record, which is reserved and not published.
    FirstRecord,
}

/// Takes over as a kernel that becomes the primary, up to and with its first record.
pub fn take_over(machine: &TracedMachine, core: usize, from: u64, dies_in: DiesIn) -> Readings {
    machine.fence();
    let journal = machine.on(core);
    let mut recovery = Recovery::new(journal, from, machine.epoch() - 1);
    let applying = &machine.memory().cursors.applying;
    let suspect = applying.settle();
    let killer = suspect.filter(|suspect| suspect.deaths >= DEATHS_MAX);
    let (mut readings, mut buffer) = (Readings::default(), Vec::new());
    loop {
        let mut next = recovery.next(&mut buffer);
        if let Next::Record(record) = &mut next {
            if killer.is_some_and(|killer| killer.position == record.position) {
                machine.relabel(core, record, record.kind.skipped());
                record.kind = record.kind.skipped();
            }
            applying.begin(record.position);
            if dies_in == DiesIn::Record(record.position) {
                return readings;
            }
            applying.end();
        }
        if !readings.keep(next) {
            break;
        }
    }
    applying.absolve();
    match recovery.is_intact() {
        true => journal.resume(recovery.resume_position()),
        false => journal.restart(recovery.resume_position()),
    }
    // `JournaledService::make_room`: what is retained is given up, if it takes the room.
    if journal.free_bytes() < HEADER_BYTES {
        journal.retain(None);
    }
    let kind = RecordKind::Epoch.into();
    match dies_in {
        DiesIn::FirstRecord => machine.append_and_die(core, kind, &[], 0),
        _ => machine.append(core, kind, &[]),
    };
    readings
}

/// Makes a machine whose ring of `capacity_bytes` is empty, but full of old records.
fn worn_machine(capacity_bytes: usize) -> TracedMachine {
    let memory = SharedMemory::new(capacity_bytes);
    let from = wear_in(&memory);
    memory.journal().retain(Some(from));
    TracedMachine::new(memory, EPOCH, Vec::new())
}

/// Runs three primaries over many laps of the ring. The first dies amid an append and in a record that it applies,
/// the second in the same record before it has begun, the third skips that record and serves on.
pub fn three_owners() -> Trace {
    let machine = worn_machine(512);
    let mut first = Pair::new(&machine, 0);
    first.serve(6);
    let poison = first.append(1, RecordKind::Input);
    machine.append_and_die(2, RecordKind::Input.into(), b"never to be", 2);
    first.append(LEAD, RecordKind::Input);
    machine.on(LEAD);
    machine.memory().cursors.applying.begin(poison);
    let (from, count) = (first.reader.position(), first.count);

    take_over(&machine, BACKUP, from, DiesIn::Record(poison));
    let retained = machine.on(LEAD).retained().unwrap();
    take_over(&machine, LEAD, retained, DiesIn::Nothing);
    let mut third = Pair::new(&machine, count);
    // The damage is reported once: the new backup reads from behind it.
    third.checkpoint();
    third.reader = Reader::begin(machine.on(BACKUP));
    third.serve(6);
    machine.trace()
}

/// Lets cores append at the same time, in this order of their reservations. Then the lead core applies all of it, and
/// the backup follows.
pub fn at_once(order: &[usize]) -> Trace {
    let machine = worn_machine(256);
    let mut pair = Pair::new(&machine, 0);
    for core in order {
        pair.append(*core, RecordKind::Input);
    }
    pair.apply();
    pair.follow(usize::MAX);
    machine.trace()
}
