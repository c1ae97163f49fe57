//! The memory that a crash can leave: every cut through the stores of the cores.
//!
//! Under x86-TSO (Owens, Sarkar, Sewell: "A better x86 memory model: x86-TSO", 2009) a core's stores reach memory in
//! program order, through a buffer of the core. A locked instruction first empties the buffer of its core. Stores of
//! different cores are ordered only by what the cores have seen of each other. A crash leaves those stores of each
//! core that have drained. So an image is given by one number per core: how many of its stores are in memory (a
//! *cut*). A cut is possible only if it contains, with each store, everything that had to be in memory before:
//!
//! 1. what the same core had stored before: that is why a number per core suffices;
//! 2. what the core had to read for the code to make this store, and in turn (1, 2) what had to be in memory before
//!    that. These are the clocks of [`trace`](crate::trace): the compare-exchange of an append reads what the one
//!    before it wrote; it finds room, which the backup or a checkpoint made; the primary marks as applied what its
//!    cores have appended; the backup consumes what is marked; of two exchanges of `retained`, one by a checkpoint
//!    and one by a backup that begins, the second reads the first. An exchange empties its core's buffer, but that
//!    needs no rule: its store drains at once, and by 1 every cut with it contains what comes before it in the
//!    program.
//!
//! No possible image is missing. Take any execution in which the appends reserve in the same order (the tests go
//! through all orders) and the exchanges follow each other in the same order, and any instant of it. What is in
//! memory then is such a cut, because rule 2 asks only for what every such execution has to have seen. It does not
//! matter that the cores ran one after another in the recording: what a core stores is a function of its place in
//! these orders, and an append that tries again, because another core was faster, stores nothing in between. Some of
//! the cuts may be impossible (the read of an *old* value rules none out), so there are more of them than in reality,
//! never fewer. The value of a word is never in doubt: stores of two cores to the same word are always ordered by 1
//! and 2, and a test checks that.

use std::collections::{HashMap, HashSet};

use crate::trace::{CORES, Clock, Effect, StoreEvent, Trace};

/// What a crash leaves.
#[derive(Clone, Debug)]
pub struct Cut {
    pub clock: Clock,
    pub image: Vec<u64>,
    /// The primary's epoch.
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

    /// Returns whether `event` is the next of its core, and everything before it is in this cut.
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

/// Returns the cuts between two events of the recording, in its order.
pub fn cuts_in_order(trace: &Trace) -> Vec<Cut> {
    let mut cut = Cut::start(trace);
    let mut cuts = vec![cut.clone()];
    for event in &trace.events {
        cut.add(event);
        cuts.push(cut.clone());
    }
    cuts
}

/// Calls `look` with every cut. Returns the number of cuts.
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

/// Checks that any two stores to the same word are ordered as they were recorded.
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
