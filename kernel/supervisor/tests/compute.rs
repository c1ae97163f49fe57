//! A slice for a computation beside a primary that dies: neither touches the other's cores.

mod bench;

use std::cell::Cell;
use std::rc::Rc;

use compute_slice::{SliceDeath, SliceEntry, SliceState};
use partition::tenant::NATIVE;
use sharedmem::Instance;
use sharedmem::mailbox::{Answer, Command, ComputeOrder, compute_arguments};
use supervisor::{ComputeTenant, Ending, Kept, Order, ResultPiece, SliceView, Supervisor};

use bench::{Bench, SLICE_CORES, World, protected, run};

const STALL_NS: u64 = 5_000_000;

/// What the ranks of the slice say.
struct Ranks {
    world: Rc<World>,
    state: Cell<SliceState>,
    /// They make no progress.
    hang: Cell<bool>,
    entries: Cell<Option<(SliceEntry, u64)>>,
}

/// The slice.
struct Slice(Rc<Ranks>, Option<Kept>);

impl SliceView for Slice {
    fn state(&self) -> Option<SliceState> {
        Some(self.0.state.get())
    }

    fn beats(&self) -> u64 {
        match self.0.hang.get() {
            true => 7,
            false => self.0.world.now_ns.get(),
        }
    }

    fn committed(&self) -> Option<u64> {
        Some(self.0.world.now_ns.get())
    }
}

impl ComputeTenant for Slice {
    fn name(&self) -> &str {
        "cg"
    }

    fn cores(&self) -> &[u32] {
        &SLICE_CORES
    }

    fn stall_ns(&self) -> u64 {
        STALL_NS
    }

    fn kept(&self) -> Option<Kept> {
        self.1
    }

    fn starts_at_boot(&self) -> bool {
        true
    }

    fn set_arguments(&mut self, arguments: &str) -> Result<(), String> {
        self.0
            .world
            .log
            .borrow_mut()
            .push(format!("to compute: {arguments}"));
        Ok(())
    }

    fn epitaph(&self) -> Option<SliceDeath> {
        None
    }

    fn exit_code(&self) -> Option<u8> {
        None
    }

    fn log(&self, position: u64, piece: &mut [u8]) -> (u64, usize) {
        let text = b"first\nsecond \x07\n";
        let start = (position as usize).min(text.len());
        let length = (text.len() - start).min(piece.len());
        piece[..length].copy_from_slice(&text[start..start + length]);
        (start as u64, length)
    }

    fn result(&self, name: &str, position: u64, piece: &mut [u8]) -> Result<ResultPiece, String> {
        let (step, bytes) = (7, 66);
        let copied = (bytes - position as usize).min(piece.len());
        piece[..copied].fill(0xab);
        let bytes = bytes as u64;
        let read = ResultPiece {
            step,
            bytes,
            copied,
        };
        (name == "x").then_some(read).ok_or("none".into())
    }

    fn prepare(&mut self, entry: SliceEntry, generation: u64) -> Result<Vec<(u32, Order)>, String> {
        let of_slice = |core: &u32| self.0.world.ranks[(*core - SLICE_CORES[0]) as usize].get();
        assert!(!SLICE_CORES.iter().any(of_slice), "a rank still runs");
        self.0.entries.set(Some((entry, generation)));
        self.0.state.set(SliceState::Running);
        let order = Order {
            page_table: 0,
            entry: 0,
            stack_top: 0,
            arguments: [0; 3],
        };
        Ok(SLICE_CORES.map(|core| (core, order)).into())
    }
}

/// Boots a machine with a slice, and waits until it runs.
fn running(kept: Option<Kept>) -> (Rc<World>, Supervisor<Bench>, Rc<Ranks>) {
    let (world, mut supervisor) = protected(&NATIVE);
    let ranks = Rc::new(Ranks {
        world: world.clone(),
        state: Cell::new(SliceState::Empty),
        hang: Cell::new(false),
        entries: Cell::new(None),
    });
    supervisor.add_slice(Box::new(Slice(ranks.clone(), kept)));
    let is_entered = || world.ranks.iter().all(Cell::get);
    run(&mut supervisor, |_| {
        is_entered() || kept.is_some_and(|it| it.ended.is_some())
    });
    world.log.take();
    (world, supervisor, ranks)
}

#[test]
fn no_core_of_a_slice_is_stopped_for_the_death_of_a_primary() {
    let (world, mut supervisor, ranks) = running(None);
    assert_eq!(ranks.entries.get(), Some((SliceEntry::Fresh, 1)));
    for (dies, epoch) in [(Instance::A, 2), (Instance::B, 3)] {
        world.panic(dies);
        run(&mut supervisor, |supervisor| {
            supervisor.machine().epoch() == epoch && supervisor.machine().is_protected()
        });
    }
    let log = world.log.take();
    assert!(log.iter().any(|it| it == "core 3 of b stopped"), "{log:?}");
    assert!(!log.iter().any(|it| it.contains("the slice")), "{log:?}");
    assert_eq!(ranks.entries.get(), Some((SliceEntry::Fresh, 1)));
}

#[test]
fn a_slice_that_dies_or_stalls_is_stopped_alone_and_goes_on() {
    for stalls in [false, true] {
        let (world, mut supervisor, ranks) = running(None);
        match stalls {
            true => ranks.hang.set(true),
            false => ranks.state.set(SliceState::Died),
        }
        run(&mut supervisor, |_| {
            let is_again = ranks.entries.get() == Some((SliceEntry::Resume, 2));
            is_again && world.ranks.iter().all(Cell::get)
        });
        assert_eq!(
            world.log.take(),
            [
                "core 4 of the slice stopped",
                "core 5 of the slice stopped",
                "core 4 enters the slice",
                "core 5 enters the slice",
            ]
        );
        assert!(supervisor.machine().is_protected());
        assert_eq!(supervisor.machine().epoch(), 1);
    }
}

#[test]
fn a_slice_that_dies_while_the_primary_is_fenced_goes_on_after_it() {
    let (world, mut supervisor, ranks) = running(None);
    ranks.state.set(SliceState::Died);
    world.panic(Instance::A);
    run(&mut supervisor, |supervisor| {
        supervisor.machine().epoch() == 2
            && supervisor.machine().is_protected()
            && ranks.entries.get() == Some((SliceEntry::Resume, 2))
            && world.ranks.iter().all(Cell::get)
    });
}

#[test]
fn a_core_of_a_slice_that_is_deaf_keeps_nothing_else_from_being_protected() {
    let (world, mut supervisor, ranks) = running(None);
    world.deaf.set(Some(SLICE_CORES[1]));
    ranks.state.set(SliceState::Died);
    let end_ns = world.now_ns.get() + 3_000_000_000;
    run(&mut supervisor, |_| world.now_ns.get() >= end_ns);
    assert_eq!(
        ranks.entries.get(),
        Some((SliceEntry::Fresh, 1)),
        "its memory is not touched"
    );
    assert!(supervisor.machine().is_protected());
    world.panic(Instance::A);
    run(&mut supervisor, |supervisor| {
        supervisor.machine().epoch() == 2 && supervisor.machine().is_protected()
    });
}

#[test]
fn what_an_earlier_boot_left_goes_on_and_what_ended_there_is_left_alone() {
    let kept = |ended| Some(Kept { entries: 17, ended });
    let (_, _, ranks) = running(kept(None));
    assert_eq!(ranks.entries.get(), Some((SliceEntry::Resume, 18)));
    let (_, mut supervisor, ranks) = running(kept(Some(Ending::Finished)));
    for _ in 0..1000 {
        supervisor.round();
    }
    assert_eq!(ranks.entries.get(), None);
}

/// Gives the monitor an order as a primary does. Returns its answer.
fn order(
    world: &World,
    supervisor: &mut Supervisor<Bench>,
    order: ComputeOrder,
    text: &str,
) -> (Answer, String) {
    let mailbox = &world.control.mailbox;
    let arguments = compute_arguments(order, text.as_bytes()).unwrap();
    let number = mailbox.ask(Command::Compute, arguments);
    run(supervisor, |_| mailbox.answer(number).is_some());
    let (answer, text) = mailbox.answer(number).unwrap();
    (answer, text.as_str().into())
}

#[test]
fn the_operator_asks_stops_and_starts() {
    let (world, mut supervisor, ranks) = running(None);
    let (answer, text) = order(&world, &mut supervisor, ComputeOrder::List, "");
    assert_eq!((answer, text.as_str()), (Answer::Accepted, "cg"));
    let (answer, text) = order(&world, &mut supervisor, ComputeOrder::Status, "cg");
    assert_eq!(answer, Answer::Accepted);
    assert!(text.starts_with("cg running, entry 1, step "), "{text}");
    let refused = [
        (
            ComputeOrder::Status,
            "md",
            "there is no slice `md`, there is cg",
        ),
        (ComputeOrder::Start, "cg", "stop it first: cg running"),
    ];
    for (what, text, reason) in refused {
        let (answer, told) = order(&world, &mut supervisor, what, text);
        assert_eq!(answer, Answer::Refused);
        assert!(told.starts_with(reason), "{told}");
    }
    let (answer, _) = order(&world, &mut supervisor, ComputeOrder::Stop, "cg");
    assert_eq!(answer, Answer::Accepted);
    run(&mut supervisor, |_| !world.ranks.iter().any(Cell::get));
    for _ in 0..1000 {
        supervisor.round();
    }
    let (answer, text) = order(&world, &mut supervisor, ComputeOrder::Stop, "cg");
    assert_eq!(answer, Answer::Refused);
    assert!(text.starts_with("nothing of it runs: cg stopped"), "{text}");
    let start = order(
        &world,
        &mut supervisor,
        ComputeOrder::Start,
        "cg n=8 steps=3",
    );
    // Nothing is said of the steps of the job before.
    assert_eq!(start, (Answer::Accepted, "cg starting".into()));
    run(&mut supervisor, |_| world.ranks.iter().all(Cell::get));
    assert_eq!(ranks.entries.get(), Some((SliceEntry::Fresh, 2)));
    assert!(
        world
            .log
            .take()
            .contains(&"to compute: n=8 steps=3".to_string())
    );
}

#[test]
fn the_operator_reads_log_and_results_in_pieces() {
    let (world, mut supervisor, _) = running(None);
    let accepted = |text: &str| (Answer::Accepted, text.to_owned());
    for (wanted, text, expected) in [
        (ComputeOrder::Log, "cg", "0 6 first"),
        (ComputeOrder::Log, "cg 6", "6 15 second ?"),
        (ComputeOrder::Log, "cg 15", "15 15 "),
        (ComputeOrder::Result, "cg x 64", "7 66 abab"),
    ] {
        let answer = order(&world, &mut supervisor, wanted, text);
        assert_eq!(answer, accepted(expected), "{text}");
    }
    for (wanted, text) in [
        (ComputeOrder::Log, "cg one"),
        (ComputeOrder::Result, "cg y"),
        (ComputeOrder::Result, "cg x -1"),
        (ComputeOrder::Result, "no x"),
    ] {
        let (answer, _) = order(&world, &mut supervisor, wanted, text);
        assert_eq!(answer, Answer::Refused, "{text}");
    }
}
