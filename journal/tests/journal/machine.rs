//! Cores that share a journal. Every store that the real code makes is recorded, with what must be in memory before it.
//!
//! The cores run one after another, an append or a mark at a time. That is one execution out of many;
//! [`crash`](crate::crash) makes the others from the recording.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic;

use journal::{Journal, RawKind, Record};
use sharedmem::sync::{AtomicU64, Observer, observe};

use crate::fixture::{Dying, Kept, SharedMemory};
use crate::trace::{CORES, Clock, Effect, StoreEvent, Trace, When, Written, join};

/// Records what the thread does to `memory`.
struct Recorder {
    memory: Rc<SharedMemory>,
    words: HashMap<usize, usize>,
    trace: RefCell<Trace>,
    core: Cell<usize>,
    epoch: Cell<u64>,
    /// What each core's next store comes after.
    clocks: Cell<[Clock; CORES]>,
    /// The word of a read-modify-write that was announced and is not recorded yet.
    announced: Cell<Option<usize>>,
}

impl Recorder {
    fn word(&self, raw: &atomic::AtomicU64) -> usize {
        self.words[&ptr::from_ref(raw).addr()]
    }

    fn know(&self, core: usize, what: &Clock) {
        let mut clocks = self.clocks.get();
        join(&mut clocks[core], what);
        self.clocks.set(clocks);
    }

    fn record(&self, effect: Effect, is_exchange: bool) {
        let core = self.core.get();
        let mut trace = self.trace.borrow_mut();
        if let Effect::Store { word, value } = effect {
            let known = self.clocks.get()[core];
            self.know(core, &trace.needs(word, value, is_exchange, &known));
        }
        let mut clocks = self.clocks.get();
        clocks[core][core] += 1;
        self.clocks.set(clocks);
        trace.events.push(StoreEvent {
            core,
            effect,
            clock: clocks[core],
            epoch: self.epoch.get(),
        });
    }

    /// Records the read-modify-write that was announced, now that it is done.
    fn settle(&self) {
        if let Some(word) = self.announced.take() {
            let value = self.memory.image()[word];
            self.record(Effect::Store { word, value }, true);
        }
    }
}

impl Observer for Recorder {
    fn load(&self, raw: &atomic::AtomicU64) -> u64 {
        self.settle();
        raw.load(atomic::Ordering::Relaxed)
    }

    fn store(&self, raw: &atomic::AtomicU64, value: u64) {
        self.settle();
        raw.store(value, atomic::Ordering::Relaxed);
        let word = self.word(raw);
        self.record(Effect::Store { word, value }, false);
    }

    fn exclusive(&self, raw: &atomic::AtomicU64) {
        self.settle();
        self.announced.set(Some(self.word(raw)));
    }
}

/// A machine that is recorded.
pub struct TracedMachine {
    recorder: Rc<Recorder>,
}

impl TracedMachine {
    /// Makes a machine with this memory, and what was written there before.
    pub fn new(memory: SharedMemory, epoch: u64, records: Vec<Written>) -> Self {
        let memory = Rc::new(memory);
        let addresses = memory.addresses().into_iter();
        let recorder = Rc::new(Recorder {
            words: addresses.zip(0..).collect(),
            trace: RefCell::new(Trace {
                capacity_bytes: memory.words.len() * 8,
                start: memory.image(),
                epoch,
                events: Vec::new(),
                records,
            }),
            memory,
            core: Cell::new(0),
            epoch: Cell::new(epoch),
            clocks: Cell::default(),
            announced: Cell::new(None),
        });
        observe(Some(recorder.clone()));
        Self { recorder }
    }

    /// Ends the recording.
    pub fn trace(self) -> Trace {
        self.recorder.settle();
        observe(None);
        self.recorder.trace.take()
    }

    pub fn epoch(&self) -> u64 {
        self.recorder.epoch.get()
    }

    /// Returns the journal. From now on, `core` uses it.
    pub fn on(&self, core: usize) -> Journal<'_, &[AtomicU64]> {
        self.recorder.settle();
        self.recorder.core.set(core);
        self.recorder.memory.journal()
    }

    pub fn memory(&self) -> &SharedMemory {
        &self.recorder.memory
    }

    /// Appends a record on `core`. Returns its position.
    pub fn append(&self, core: usize, kind: RawKind, payload: &[u8]) -> u64 {
        let journal = self.on(core);
        let appended = journal.append(self.epoch(), kind, &[payload]).unwrap();
        self.note(appended, kind, payload, true)
    }

    /// Appends a record on `core`, which dies after `stores` stores.
    pub fn append_and_die(&self, core: usize, kind: RawKind, payload: &[u8], stores: usize) -> u64 {
        self.on(core);
        let dying = Dying::after(self.memory(), stores);
        let appended = dying.journal().append(self.epoch(), kind, &[payload]);
        self.note(appended.unwrap(), kind, payload, false)
    }

    fn note(
        &self,
        appended: journal::Appended,
        kind: RawKind,
        payload: &[u8],
        is_published: bool,
    ) -> u64 {
        self.recorder.settle();
        let mut trace = self.recorder.trace.borrow_mut();
        let last = trace.events.len() - 1;
        trace.records.push(Written {
            record: Kept {
                position: appended.position,
                end: appended.end,
                epoch: self.epoch(),
                kind,
                payload: payload.to_vec(),
            },
            published: match is_published {
                true => When::With(last),
                false => When::Never,
            },
            relabelled: None,
        });
        appended.position
    }

    /// Gives a record another kind, on `core`.
    pub fn relabel(&self, core: usize, record: &Record<'_>, kind: RawKind) {
        let journal = self.on(core);
        let first = self.recorder.trace.borrow().events.len();
        journal.relabel(record, kind);
        if record.kind == kind {
            return; // The same words once more.
        }
        let mut trace = self.recorder.trace.borrow_mut();
        let last = trace.events.len() - 1;
        let mut records = trace.records.iter_mut();
        let written = records.find(|it| it.record.position == record.position);
        written.expect("it was written").relabelled =
            Some((When::With(first), When::With(last), kind));
    }

    /// Lets the reply to the record at `position` leave the machine.
    pub fn acknowledge(&self, core: usize, position: u64) {
        self.on(core);
        self.recorder
            .record(Effect::Acknowledge { position }, false);
    }

    /// Waits, on `core`, until the others are done: everything they did is in memory then.
    pub fn wait(&self, core: usize) {
        self.recorder.settle();
        for what in self.recorder.clocks.get() {
            self.recorder.know(core, &what);
        }
    }

    /// Fences the primary and raises the epoch: everything its cores did is in memory before anything that comes now.
    pub fn fence(&self) {
        (0..CORES).for_each(|core| self.wait(core));
        self.recorder.epoch.set(self.epoch() + 1);
    }
}
