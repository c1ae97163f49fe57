//! The stores of several cores in their order, and what had to be in memory before each of them.

use journal::RawKind;

use crate::fixture::{APPLIED, CONSUMED, Kept, RESERVED, RETAINED};

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
pub struct StoreEvent {
    pub core: usize,
    pub effect: Effect,
    /// What is in memory when this store is, itself included.
    pub clock: Clock,
    /// The primary's epoch at that time.
    pub epoch: u64,
}

impl StoreEvent {
    /// Returns whether this store is in memory at `clock`.
    pub fn is_in(&self, clock: &Clock) -> bool {
        self.clock[self.core] <= clock[self.core]
    }

    fn stores_to(&self, word: usize) -> bool {
        self.raises(word, 0)
    }

    /// Returns whether this event stores `least` or more to `word`.
    fn raises(&self, word: usize, least: u64) -> bool {
        matches!(self.effect, Effect::Store { word: at, value } if at == word && value >= least)
    }
}

/// When something happened.
#[derive(Clone, Copy, Debug)]
pub enum When {
    Never,
    /// Before the first event.
    Before,
    /// With the event of this number.
    With(usize),
}

/// A record, and what happened to it.
#[derive(Clone, Debug)]
pub struct Written {
    pub record: Kept,
    /// The last store of its append; `Never` if its producer died in it.
    pub published: When,
    /// First and last store of a relabelling, and the new kind.
    pub relabelled: Option<(When, When, RawKind)>,
}

/// Everything that was recorded.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub capacity_bytes: usize,
    /// The image before the first event.
    pub start: Vec<u64>,
    /// The primary's epoch before the first event.
    pub epoch: u64,
    /// The events in the order in which they happened. The clocks allow others.
    pub events: Vec<StoreEvent>,
    /// The records, by position.
    pub records: Vec<Written>,
}

impl Trace {
    pub fn stores(&self) -> usize {
        let is_store = |event: &&StoreEvent| matches!(event.effect, Effect::Store { .. });
        self.events.iter().filter(is_store).count()
    }

    /// Returns whether it has happened at `clock`.
    pub fn is_done(&self, when: When, clock: &Clock) -> bool {
        match when {
            When::Never => false,
            When::Before => true,
            When::With(event) => self.events[event].is_in(clock),
        }
    }

    /// Returns the first store to `word` after which a core that knows of `known` can read `least` or more; `None` if
    /// it can do so without any. A core does not read a value if it knows of a later store.
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

    /// Returns what must be in memory, beyond `known`, before a core that knows of `known` can store `value` to
    /// `word`: what the core has to have seen for the code to make this store. It is the least that suffices, because
    /// a core that has seen more has fewer ways to crash.
    pub fn needs(&self, word: usize, value: u64, is_exchange: bool, known: &Clock) -> Clock {
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
            // The primary knows from its own cores that these records are appended.
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

/// Makes `clock` know what `other` knows.
pub fn join(clock: &mut Clock, other: &Clock) {
    for (mine, theirs) in clock.iter_mut().zip(other) {
        *mine = (*mine).max(*theirs);
    }
}
