//! The memory that a crash can leave: every cut through what the cores stored.
//!
//! Under x86-TSO (Owens, Sarkar, Sewell: "A better x86 memory model: x86-TSO", 2009) a core's stores reach memory in its program's order, through a
//! buffer of its own; a locked instruction first empties the buffer of its core; between stores of different cores there is no order but what they have
//! seen of each other. A crash leaves of each core's stores those that have drained. So an image is one number per core, how many of its stores
//! are in memory (a *cut*), and a cut is possible only if, with a store, everything is in it that had to be in memory before:
//!
//! 1. what the same core had stored before: per core it is a number, and no set;
//! 2. what the core had to read for the code to come to this store, and before that store in turn (1, 2). These are the clocks of
//!    [`trace`](crate::trace): an append's compare-exchange reads what the one before it wrote; it finds room, which the seat or a checkpoint
//!    made; the primary marks as applied what its cores have appended; the seat consumes what is marked; of two exchanges of `retained`, a
//!    checkpoint's and that of a backup that begins, the second reads the first. That an exchange empties its core's buffer needs no rule of its
//!    own: its store drains at once, and by 1 what is before it in the program is in every cut that it is in.
//!
//! No possible image is missing. Take any execution in which the appends reserve in the same order (the tests go through the orders) and the
//! exchanges follow each other in the same order, and any instant of it: what is in memory then is such a cut, since 2 asks only for what every
//! such execution has to have seen. That the cores ran one after another for the record does not matter: what a core stores is a
//! function of its place in these orders, and a loop of the append that went round, because somebody else was faster, stores nothing. Some cuts may be
//! impossible (the read of an *old* value is not held against one): they are more than can be, never fewer. Nor is the value of a word in
//! doubt: stores of two cores to the same word are always ordered by 1 and 2, which is checked.

use std::collections::{HashMap, HashSet};

use crate::trace::{CORES, Clock, Effect, StoreEvent, Trace};

/// What a crash leaves.
#[derive(Clone, Debug)]
pub struct Cut {
    pub clock: Clock,
    pub image: Vec<u64>,
    /// The owner's epoch.
    pub epoch: u64,
    /// Positions of the records whose replies have left the machine.
    pub acknowledged: Vec<u64>,
}

impl Cut {
    fn start(trace: &Trace) -> Self {
        Self {
            clock: [0; CORES],
            image: trace.start.clone(),
            epoch: trace.epoch,
            acknowledged: Vec::new(),
        }
    }

    fn add(&mut self, event: &StoreEvent) {
        self.clock[event.core] += 1;
        self.epoch = self.epoch.max(event.epoch);
        match event.effect {
            Effect::Store { word, value } => self.image[word] = value,
            Effect::Acknowledge { position } => self.acknowledged.push(position),
        }
    }

    /// Returns whether `event` is the next of its core, and everything is in this cut that comes before it.
    fn admits(&self, event: &StoreEvent) -> bool {
        let mut with = self.clock;
        with[event.core] += 1;
        with[event.core] == event.clock[event.core]
            && event
                .clock
                .iter()
                .zip(with)
                .all(|(needed, there)| *needed <= there)
    }
}

/// Returns the cuts between two events of the record, in its order.
pub fn cuts_in_order(trace: &Trace) -> Vec<Cut> {
    let mut cut = Cut::start(trace);
    let mut cuts = vec![cut.clone()];
    for event in &trace.events {
        cut.add(event);
        cuts.push(cut.clone());
    }
    cuts
}

/// Shows `look` every cut there is. Returns how many.
pub fn for_each_cut(trace: &Trace, mut look: impl FnMut(&Cut)) -> usize {
    assert_no_word_is_raced_for(trace);
    let by_core: [Vec<&StoreEvent>; CORES] =
        std::array::from_fn(|core| trace.events.iter().filter(|it| it.core == core).collect());
    let mut seen = HashSet::from([[0; CORES]]);
    let mut left = vec![Cut::start(trace)];
    while let Some(cut) = left.pop() {
        look(&cut);
        for (events, done) in by_core.iter().zip(cut.clock) {
            let next = events.get(usize::from(done));
            let Some(event) = next.filter(|event| cut.admits(event)) else {
                continue;
            };
            let mut further = cut.clone();
            further.add(event);
            if seen.insert(further.clock) {
                left.push(further);
            }
        }
    }
    seen.len()
}

/// Of two stores to a word, the one that was made later comes after the other.
fn assert_no_word_is_raced_for(trace: &Trace) {
    let mut last: HashMap<usize, &StoreEvent> = HashMap::new();
    for event in &trace.events {
        if let Effect::Store { word, .. } = event.effect
            && let Some(before) = last.insert(word, event)
        {
            assert!(before.is_in(&event.clock), "{before:?} and {event:?} race");
        }
    }
}
