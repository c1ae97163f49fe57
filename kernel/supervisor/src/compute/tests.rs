//! What follows for a computation from what is seen of it.

use super::computation::*;
use compute_slice::{SliceEntry, SliceState};
use takeover::CoreSet;

const STALL_NS: u64 = 1_000_000;

fn cores() -> CoreSet {
    CoreSet::from_cores([2, 3]).unwrap()
}

#[derive(Clone, Copy)]
struct Seen {
    state: SliceState,
    beats: u64,
    committed: Option<u64>,
}

impl SliceView for Seen {
    fn state(&self) -> Option<SliceState> {
        Some(self.state)
    }

    fn beats(&self) -> u64 {
        self.beats
    }

    fn committed(&self) -> Option<u64> {
        self.committed
    }
}

fn seen(state: SliceState, beats: u64, committed: Option<u64>) -> Seen {
    Seen {
        state,
        beats,
        committed,
    }
}

/// A computation whose cores check in at once, or never.
struct Bench {
    it: Computation,
    now_ns: u64,
    answered: u64,
    is_deaf: bool,
}

impl Bench {
    fn new() -> Self {
        Self {
            it: Computation::new(cores(), STALL_NS, 0),
            now_ns: 5,
            answered: 0,
            is_deaf: false,
        }
    }

    fn running() -> Self {
        let mut bench = Self::new();
        assert!(bench.it.start(SliceEntry::Fresh));
        let acts = bench.run(seen(SliceState::Prepared, 0, None));
        assert!(matches!(
            acts[..],
            [Act::Enter {
                entry: SliceEntry::Fresh,
                ..
            }]
        ));
        bench
    }

    /// Steps until nothing happens for long; enters what is to be entered once.
    fn run(&mut self, seen: Seen) -> std::vec::Vec<Act> {
        let mut acts = std::vec::Vec::new();
        for _ in 0..1_000_000 {
            let answered = self.answered;
            let act = self.it.step(self.now_ns, &seen, |_| answered);
            match act {
                Act::Wait if !self.it.is_active() => break,
                Act::Wait => self.now_ns += 10_000,
                Act::Startup(_, generation) if !self.is_deaf => self.answered = generation,
                _ => {}
            }
            match act {
                Act::Wait => {}
                Act::Enter { .. } => {
                    acts.push(act);
                    self.it.entered(self.now_ns);
                    break;
                }
                act => acts.push(act),
            }
        }
        acts
    }
}

#[test]
fn a_computation_that_dies_is_stopped_with_proof_and_goes_on() {
    let mut bench = Bench::running();
    let acts = bench.run(seen(SliceState::Died, 7, Some(41)));
    assert_eq!(
        acts,
        [
            Act::End(Ending::Died),
            Act::Init(cores()),
            Act::Startup(cores(), 1),
            Act::Enter {
                entry: SliceEntry::Resume,
                generation: 2
            }
        ]
    );
}

#[test]
fn a_computation_without_progress_is_stopped_and_one_with_it_is_not() {
    let mut bench = Bench::running();
    for beat in 1..1000 {
        bench.now_ns += STALL_NS - STALL_NS / LOOKS_PER_STALL;
        let seen = seen(SliceState::Running, beat, None);
        assert_eq!(bench.it.step(bench.now_ns, &seen, |_| 0), Act::Wait);
    }
    let still = seen(SliceState::Running, 999, None);
    let begin_ns = bench.now_ns;
    let acts = bench.run(still);
    assert_eq!(acts.first(), Some(&Act::End(Ending::Stalled)));
    assert!(bench.now_ns - begin_ns >= STALL_NS);
    assert!(bench.now_ns - begin_ns <= STALL_NS + STALL_NS / 4);
}

#[test]
fn one_that_dies_at_the_same_step_is_given_up_and_one_that_gets_further_is_not() {
    let mut bench = Bench::running();
    for step in 0..20 {
        let acts = bench.run(seen(SliceState::Died, 1, Some(step)));
        assert!(matches!(acts.last(), Some(Act::Enter { .. })), "{acts:?}");
    }
    let mut entries = 0;
    loop {
        let acts = bench.run(seen(SliceState::Died, 1, Some(19)));
        match acts.last() {
            Some(Act::Enter { .. }) if entries < VAIN_ENTRIES_MAX => entries += 1,
            last => {
                assert_eq!(last, Some(&Act::Rest(Idle::GivenUp)));
                break;
            }
        }
    }
    assert_eq!(entries, VAIN_ENTRIES_MAX - 1);
    assert_eq!(bench.it.idle(), Some(Idle::GivenUp));
    assert!(bench.it.start(SliceEntry::Fresh), "the operator may try");
}

#[test]
fn what_is_done_or_failed_is_stopped_and_rests() {
    for (state, ending) in [
        (SliceState::Finished, Ending::Finished),
        (SliceState::Failed, Ending::Failed),
    ] {
        let mut bench = Bench::running();
        let acts = bench.run(seen(state, 1, Some(50)));
        assert_eq!(acts.first(), Some(&Act::End(ending)));
        assert_eq!(acts.last(), Some(&Act::Rest(Idle::Ended(ending))));
    }
}

#[test]
fn a_core_that_does_not_stop_keeps_the_slice_from_being_touched() {
    let mut bench = Bench::running();
    bench.is_deaf = true;
    let acts = bench.run(seen(SliceState::Died, 1, Some(1)));
    assert_eq!(acts.last(), Some(&Act::Rest(Idle::CoresMissing)));
    assert!(!bench.it.start(SliceEntry::Fresh));
}

#[test]
fn the_operator_stops_one_that_runs_or_is_about_to() {
    let mut bench = Bench::running();
    assert!(!Bench::new().it.stop());
    assert!(bench.it.stop());
    let acts = bench.run(seen(SliceState::Running, 1, None));
    assert_eq!(acts.last(), Some(&Act::Rest(Idle::Ended(Ending::Stopped))));
    let mut due = Bench::new();
    due.it.start(SliceEntry::Fresh);
    assert!(due.it.stop());
    assert_eq!(due.run(seen(SliceState::Empty, 0, None)), []);
    // While it is being stopped after a death: it is not entered again.
    let mut dying = Bench::running();
    let act = dying.it.step(6, &seen(SliceState::Died, 1, None), |_| 0);
    assert_eq!(act, Act::End(Ending::Died));
    assert!(dying.it.stop());
    let acts = dying.run(seen(SliceState::Died, 1, None));
    assert_eq!(acts.last(), Some(&Act::Rest(Idle::Ended(Ending::Stopped))));
}

#[test]
fn entries_are_numbered_behind_those_of_an_earlier_boot() {
    let mut it = Computation::new(cores(), STALL_NS, 17);
    it.start(SliceEntry::Resume);
    let entry = it.step(0, &seen(SliceState::Empty, 0, None), |_| 0);
    assert_eq!(
        entry,
        Act::Enter {
            entry: SliceEntry::Resume,
            generation: 18
        }
    );
}
