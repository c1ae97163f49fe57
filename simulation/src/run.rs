//! One seed from boot to verdict.

use partition::Kinds;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use sharedmem::Instance;
use sharedmem::left::Left;
use sharedmem::sync::Ordering;
use supervisor::{Console, KeepaliveAnswer, Platform, Policy, Role, Source, Supervisor};
use takeover::{Backup, Config, CoreSet, FenceConfig, Machine, State};

use crate::clients::Client;
use crate::kernels::platform::{Board, Others, Silent};
use crate::panics;
use crate::scenario::Scenario;
use crate::world::{Event, MS, World, simulate};

/// Epoch of the first primary.
const FIRST_EPOCH: u64 = 1;
/// So long a machine is watched, in ns.
const LIMIT_NS: u64 = 12_000 * MS;
/// How long a kernel that is told the state may take, and whatever else comes before a machine is protected again, in ns.
const REST_NS: u64 = 6_000 * MS;

/// An owner that was seen for so long has all its cores, in ns: the seat gives them to it, and calls those again that do not come.
const SETTLED_NS: u64 = 50 * MS;

/// What came of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The law that was broken.
    pub violation: Option<String>,
    /// Owners that came after another.
    pub takeovers: u64,
    /// Resets of the machine.
    pub resets: u64,
    /// Every client got everything, and the machine is protected.
    pub is_whole: bool,
    /// How long it took, in ns of the machine.
    pub took_ns: u64,
    /// How often it was decided who goes on: events, and stretches of a core.
    pub turns: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} takeovers, {} resets, {} ms of the machine, {} turns: {}",
            self.takeovers,
            self.resets,
            self.took_ns / MS,
            self.turns,
            match (&self.violation, self.is_whole) {
                (Some(law), _) => law,
                (None, true) => "nothing lost",
                (None, false) => "it did not go on, which these faults excuse",
            }
        )
    }
}

/// Runs a scenario.
pub fn run(scenario: Scenario) -> Outcome {
    simulate(scenario, |world| {
        world.region.control.epoch.reset(FIRST_EPOCH);
        world.oracle.epoch.set(FIRST_EPOCH);
        boot(world);
        for client in 0..world.scenario.clients {
            world.after(world.below(5 * MS), Event::Client(client));
        }
        let mut turns = 0;
        let is_whole = loop {
            turns += 1;
            if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| world.turn())) {
                world.oracle.broken(panics::describe(&*payload));
            }
            if world.is_reset.take() {
                reset(world);
            }
            if world.oracle.violation().is_some() {
                break false;
            }
            if is_whole(world) {
                break true;
            }
            if world.now_ns() > limit_ns(world) {
                break false;
            }
        };
        let is_excused = world.scenario.may_end_badly() || world.oracle.is_damaged.get();
        if !is_whole && !is_excused {
            world.oracle.broken(describe_rest(world));
        }
        if is_whole {
            check_end(world);
        }
        Outcome {
            violation: world.oracle.violation(),
            takeovers: world.oracle.takeovers.get(),
            resets: world.oracle.resets.get(),
            is_whole,
            took_ns: world.now_ns(),
            turns,
        }
    })
}

/// What of the machine is looked at from outside, after each round of the seat.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The takeover machine's state.
    pub state: State,
    /// What it knows of the backup.
    pub backup: Backup,
    /// A backup is ready, and the owner was seen for longer than a core takes to come and to move.
    pub is_settled: bool,
}

fn is_whole(world: &World) -> bool {
    let is_protected = world
        .seen
        .get()
        .is_some_and(|seen| seen.state == State::Watching && seen.backup == Backup::Ready);
    is_protected && world.faults.are_over() && world.clients.borrow().iter().all(Client::is_done)
}

/// A machine whose clients want nothing more has so much time to be protected again.
fn limit_ns(world: &World) -> u64 {
    let done_ns = world.done_ns.get().or_else(|| {
        let is_done = world.clients.borrow().iter().all(Client::is_done);
        is_done.then(|| {
            // No owner that comes now would be struck by what is left.
            world.faults.end();
            world.now_ns()
        })
    });
    world.done_ns.set(done_ns);
    done_ns.map_or(LIMIT_NS, |done_ns| done_ns + REST_NS)
}

fn describe_rest(world: &World) -> String {
    let clients = world.clients.borrow();
    let waiting: Vec<String> = clients
        .iter()
        .filter(|client| !client.is_done())
        .map(ToString::to_string)
        .collect();
    format!(
        "the machine does not go on: the seat is {:?}; waiting: {}",
        world.seen.get(),
        waiting.join("; ")
    )
}

fn check_end(world: &World) {
    if world.oracle.is_damaged.get() {
        return;
    }
    let counts = world.oracle.shared_counts.borrow();
    let (total, last) = (counts.len() as u64, counts.last().copied().unwrap_or(0));
    if total != last {
        world.oracle.broken(format!(
            "the shared count stands at {last}, and was told {total} times"
        ));
    }
}

/// Starts the monitor, which starts everything else.
fn boot(world: &Rc<World>) {
    let for_seat = Rc::clone(world);
    world.start(0, 0, move || keep_seat(for_seat));
}

/// The program of core 0: as the monitor's `run`.
fn keep_seat(world: Rc<World>) {
    world.cores[0].is_deaf.set(false);
    let control = world.region.control;
    let cores: Vec<u32> = (1..world.scenario.core_count).collect();
    let mut board = Board {
        world: Rc::clone(&world),
    };
    let backup = board
        .load(Instance::B, Role::Backup, &Source::Failover, &cores)
        .ok();
    let primary = board
        .load(Instance::A, Role::Primary, &Source::Primary, &cores)
        .ok();
    let Ok(spare) = CoreSet::from_cores(cores) else {
        return;
    };
    let config = Config {
        detector: world.scenario.detector(),
        fence: FenceConfig::default(),
        backup_wait_ns: world.scenario.detector().boot_timeout_ns,
        first_epoch: control.epoch.current(),
        spare,
    };
    let Ok(machine) = Machine::new(config, world.now_ns()) else {
        return;
    };
    // For the interrupt handler, which outlives every borrow; some words a boot.
    let keepalive_answer: &'static KeepaliveAnswer = Box::leak(Box::default());
    world.keepalive_answer.set(Some(keepalive_answer));
    let policy = Policy {
        rearms: true,
        resets: true,
        kinds: Kinds::default(),
    };
    let others = Others::new(&world);
    let mut supervisor = Supervisor::new(
        machine,
        control,
        others,
        board,
        Console::new(Silent),
        keepalive_answer,
        policy,
    );
    supervisor.arm_first(backup);
    if supervisor.start_first(primary).is_err() {
        return;
    }
    let mut up_since_ns: Option<u64> = None;
    loop {
        supervisor.round();
        let machine = supervisor.machine();
        let is_up = matches!(machine.state(), State::Watching | State::Unprotected);
        let before = up_since_ns.filter(|_| is_up);
        up_since_ns = is_up.then_some(before.unwrap_or(world.now_ns()));
        world.seen.set(Some(Seen {
            state: machine.state(),
            backup: machine.backup(),
            is_settled: machine.is_protected()
                && up_since_ns.is_some_and(|since_ns| world.now_ns() > since_ns + SETTLED_NS),
        }));
    }
}

/// The platform is reset: memory stays, everything else begins anew.
fn reset(world: &Rc<World>) {
    world
        .cores
        .iter()
        .for_each(crate::machine::core::Core::stop);
    world.card.quiet();
    world.oracle.reset();
    let control = world.region.control;
    let left = Left::of(control);
    let was_written = control.journal.reserved.load(Ordering::Relaxed) != 0;
    let salt = left.map_or(world.scenario.seed, |left| left.salt);
    let resets = control.header.resets.load(Ordering::Relaxed);
    world.clear_control(salt);
    control.header.resets.store(resets, Ordering::Relaxed);
    control.epoch.reset(FIRST_EPOCH);
    match left {
        Some(left) => left.restore(control),
        None if was_written => world.oracle.lost_state(world),
        None => {}
    }
    world.oracle.epoch.set(control.epoch.current());
    boot(world);
}
