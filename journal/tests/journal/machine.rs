//! Cores that share a journal. Every store that they make by the real code is written down, with what must be in memory before it.
//!
//! The cores run one after another, an append or a mark at a time. That is one execution out of many; the others are made from what is
//! written down here, see [`crash`](crate::crash).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic;

use journal::{Journal, Kind, Record};
use sharedmem::sync::{AtomicU64, Observer, observe};

use crate::fixture::{APPLIED, CONSUMED, Dying, Kept, Memory, RESERVED, RETAINED};

pub const CORES: usize = 4;

/// How many of each core's events are in memory.
pub type Clock = [u16; CORES];

#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// A word of an image gets a value.
    Store { word: usize, value: u64 },
    /// A reply leaves the machine: a store to a device's doorbell, which drains like any other.
    Acknowledge { position: u64 },
}

#[derive(Clone, Debug)]
pub struct Event {
    pub core: usize,
    pub effect: Effect,
    /// What is in memory when this is, itself included.
    pub clock: Clock,
    /// The owner's epoch at that time.
    pub epoch: u64,
}

impl Event {
    /// Whether this is in memory when so much is.
    pub fn is_in(&self, clock: &Clock) -> bool {
        self.clock[self.core] <= clock[self.core]
    }

    fn stores_to(&self, word: usize) -> bool {
        self.raises(word, 0)
    }

    /// Whether this stores `least` or more to `word`.
    fn raises(&self, word: usize, least: u64) -> bool {
        matches!(self.effect, Effect::Store { word: at, value } if at == word && value >= least)
    }
}

/// When something was done.
#[derive(Clone, Copy, Debug)]
pub enum When {
    Never,
    /// Before the first event.
    Before,
    /// By this event, by its number.
    With(usize),
}

/// A record, and what became of it.
#[derive(Clone, Debug)]
pub struct Written {
    pub record: Kept,
    /// The last store of its append; never if its producer died in it.
    pub published: When,
    /// First and last store of a relabelling, and the new kind.
    pub relabelled: Option<(When, When, Kind)>,
}

/// What was written down.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub capacity_bytes: usize,
    /// The image before the first event.
    pub start: Vec<u64>,
    /// The owner's epoch before the first event.
    pub epoch: u64,
    /// In the order in which they were made, which is one of those that the clocks allow.
    pub events: Vec<Event>,
    /// By position.
    pub records: Vec<Written>,
}

impl Trace {
    pub fn stores(&self) -> usize {
        let is_store = |event: &&Event| matches!(event.effect, Effect::Store { .. });
        self.events.iter().filter(is_store).count()
    }

    /// Whether it was done when so much is in memory.
    pub fn is_done(&self, when: When, clock: &Clock) -> bool {
        match when {
            When::Never => false,
            When::Before => true,
            When::With(event) => self.events[event].is_in(clock),
        }
    }

    /// The first store to `word` from which on a core that knows of `known` can read `least` or more; `None` if it needs none. A value is not
    /// read any more by who knows of a later store.
    fn first_to_raise(&self, word: usize, least: u64, known: &Clock) -> Option<usize> {
        let numbered = self.events.iter().enumerate();
        let stores: Vec<_> = numbered.filter(|(_, it)| it.stores_to(word)).collect();
        let is_past = |index: usize| stores[index..].iter().any(|(_, it)| it.is_in(known));
        if self.start[word] >= least && !is_past(0) {
            return None;
        }
        let candidates = (0..stores.len()).filter(|index| !is_past(index + 1));
        let mut raising = candidates.filter(|index| stores[*index].1.raises(word, least));
        raising.next().map(|index| stores[index].0)
    }

    /// What must be in memory before `value` can be stored to `word` by a core that knows of `known`, beyond that: what it has to have seen, for
    /// the code to make this store. Only the least that will do: who has seen more, has fewer ways to crash.
    fn needs(&self, word: usize, value: u64, is_exchange: bool, known: &Clock) -> Clock {
        let mut known = *known;
        if is_exchange {
            let last = self.events.iter().rposition(|it| it.stores_to(word));
            self.join(&mut known, last);
        }
        match word {
            // An append: there was room for the record.
            RESERVED => {
                let floor = value.saturating_sub(self.capacity_bytes as u64);
                for word in [RETAINED, CONSUMED] {
                    let raised = self.first_to_raise(word, floor, &known);
                    self.join(&mut known, raised);
                }
            }
            // The primary knows from its own cores that these were appended.
            APPLIED => {
                for it in self.records.iter().filter(|it| it.record.end <= value) {
                    if let When::With(event) = it.published {
                        self.join(&mut known, Some(event));
                    }
                }
            }
            CONSUMED => {
                let raised = self.first_to_raise(APPLIED, value, &known);
                self.join(&mut known, raised);
            }
            _ => {}
        }
        known
    }

    fn join(&self, clock: &mut Clock, event: Option<usize>) {
        if let Some(event) = event {
            join(clock, &self.events[event].clock);
        }
    }
}

fn join(clock: &mut Clock, other: &Clock) {
    for (mine, theirs) in clock.iter_mut().zip(other) {
        *mine = (*mine).max(*theirs);
    }
}

/// Writes down what the thread does to `memory`.
struct Recorder {
    memory: Rc<Memory>,
    words: HashMap<usize, usize>,
    trace: RefCell<Trace>,
    core: Cell<usize>,
    epoch: Cell<u64>,
    /// What each core's next store comes after.
    clocks: Cell<[Clock; CORES]>,
    /// The word of a read-modify-write that was announced.
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
        trace.events.push(Event {
            core,
            effect,
            clock: clocks[core],
            epoch: self.epoch.get(),
        });
    }

    /// Writes down the read-modify-write that was announced, now that it is done.
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

/// The machine, for as long as it is watched.
pub struct Machine {
    recorder: Rc<Recorder>,
}

impl Machine {
    /// A machine with this memory, and what was written there before.
    pub fn new(memory: Memory, epoch: u64, records: Vec<Written>) -> Self {
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

    /// Ends the watch.
    pub fn trace(self) -> Trace {
        self.recorder.settle();
        observe(None);
        self.recorder.trace.take()
    }

    pub fn epoch(&self) -> u64 {
        self.recorder.epoch.get()
    }

    /// The journal, as `core` uses it from now on.
    pub fn on(&self, core: usize) -> Journal<'_, &[AtomicU64]> {
        self.recorder.settle();
        self.recorder.core.set(core);
        self.recorder.memory.journal()
    }

    pub fn memory(&self) -> &Memory {
        &self.recorder.memory
    }

    /// A core appends a record. Returns its position.
    pub fn append(&self, core: usize, kind: Kind, payload: &[u8]) -> u64 {
        let journal = self.on(core);
        let appended = journal.append(self.epoch(), kind, &[payload]).unwrap();
        self.note(appended, kind, payload, true)
    }

    /// A core dies after so many stores of the record it appends.
    pub fn append_and_die(&self, core: usize, kind: Kind, payload: &[u8], stores: usize) -> u64 {
        self.on(core);
        let dying = Dying::after(self.memory(), stores);
        let appended = dying.journal().append(self.epoch(), kind, &[payload]);
        self.note(appended.unwrap(), kind, payload, false)
    }

    fn note(
        &self,
        appended: journal::Appended,
        kind: Kind,
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

    /// A core gives a record another kind.
    pub fn relabel(&self, core: usize, record: &Record<'_>, kind: Kind) {
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

    /// The reply to the record at `position` leaves the machine.
    pub fn acknowledge(&self, core: usize, position: u64) {
        self.on(core);
        self.recorder
            .record(Effect::Acknowledge { position }, false);
    }

    /// A core goes on when the others say that they are done: all that they did is in memory then.
    pub fn wait(&self, core: usize) {
        self.recorder.settle();
        for what in self.recorder.clocks.get() {
            self.recorder.know(core, &what);
        }
    }

    /// The owner is fenced and the epoch raised: all that its cores had done is in memory before anything that comes now.
    pub fn fence(&self) {
        (0..CORES).for_each(|core| self.wait(core));
        self.recorder.epoch.set(self.epoch() + 1);
    }
}
