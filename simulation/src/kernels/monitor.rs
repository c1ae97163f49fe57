//! The monitor: the program of core 0, and what the simulation sees of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use partition::Kinds;
use sharedmem::Instance;
use sharedmem::epoch::FIRST_EPOCH;
use sharedmem::prior_boot::PriorBoot;
use sharedmem::sync::Ordering;
use supervisor::{
    ApMailboxes, Console, KeepaliveAnswer, LoadRequest, Platform, Policy, Role, Supervisor,
};
use takeover::{Backup, Config, CoreSet, FenceConfig, Machine, State};

use crate::kernels::platform::{Board, Others, Silent};
use crate::machine::MS;
use crate::machine::core::{Core, interrupt};
use crate::world::World;

/// Time after which a watched primary has all its cores, in ns. By then the seat has started them, and has retried
/// those that did not come.
const SETTLED_NS: u64 = 50 * MS;

/// What the rest of the simulation knows of the monitor.
#[derive(Default)]
pub struct Monitor {
    /// Where cores arrive and find their orders.
    pub mailboxes: RefCell<Rc<ApMailboxes>>,
    /// Number of interrupts that came to the seat.
    pub wakes: Cell<u64>,
    /// The monitor asked for a reset of the machine.
    pub is_reset: Cell<bool>,
    /// The protection word was overwritten since the monitor's last round ended, which the next round must notice.
    pub is_scribbled: Cell<bool>,
    /// What answers the primary's keepalives.
    keepalive_answer: Cell<Option<&'static KeepaliveAnswer>>,
    /// What the monitor believed after its last round.
    seen: Cell<Option<Seen>>,
}

/// What the monitor believes after a round.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// State of the takeover machine.
    state: State,
    /// What the takeover machine knows of the backup.
    backup: Backup,
    /// A backup is ready, and the primary was watched for longer than [`SETTLED_NS`].
    is_settled: bool,
}

impl Monitor {
    /// Returns whether a backup is ready and nothing else is under way.
    pub fn is_protected(&self) -> bool {
        let seen = self.seen.get();
        seen.is_some_and(|seen| seen.state == State::Watching && seen.backup == Backup::Ready)
    }

    /// Returns whether a backup is ready, and the primary was watched for longer than `SETTLED_NS`.
    pub fn is_settled(&self) -> bool {
        self.seen.get().is_some_and(|seen| seen.is_settled)
    }

    /// Describes what the monitor believes.
    pub fn describe(&self) -> String {
        format!("{:?}", self.seen.get())
    }
}

/// Powers the machine on.
pub fn power_on(world: &Rc<World>) {
    world.memory.region.control.epoch.reset(FIRST_EPOCH);
    world.oracle.primary.epoch.set(FIRST_EPOCH);
    boot(world);
}

/// Resets the platform. Memory stays; everything else begins anew.
pub fn reset(world: &Rc<World>) {
    for core in &world.scheduler.cores {
        core.stop();
        core.is_stuck.set(false);
    }
    world.wires.card.quiet();
    world.oracle.reset(&world.memory);
    let control = world.memory.region.control;
    let left = PriorBoot::of(control);
    let was_written = control.journal.reserved.load(Ordering::Relaxed) != 0;
    let salt = left.map_or(world.scenario.seed, |left| left.salt);
    let resets = control.header.resets.load(Ordering::Relaxed);
    world.memory.clear_control(salt);
    control.header.resets.store(resets, Ordering::Relaxed);
    control.epoch.reset(FIRST_EPOCH);
    match left {
        Some(left) => left.restore(control),
        None if was_written => {
            let too_large = world.scenario.may_outgrow_journal();
            let oracle = &world.oracle;
            oracle.check(oracle.damage.lost_state(too_large));
        }
        None => {}
    }
    world.oracle.primary.epoch.set(control.epoch.current());
    boot(world);
}

/// Starts the monitor on the seat.
fn boot(world: &Rc<World>) {
    let for_seat = Rc::clone(world);
    world.scheduler.start(0, 0, move || {
        if let Some(supervisor) = prepare(&for_seat) {
            watch(&for_seat, supervisor);
        }
    });
}

/// Loads both instances and starts the primary, as the monitor's `run` does.
fn prepare(world: &Rc<World>) -> Option<Supervisor<Board>> {
    world.scheduler.core(0).is_deaf.set(false);
    let control = world.memory.region.control;
    let cores: Vec<u32> = (1..world.scenario.core_count).collect();
    let mut board = Board {
        world: Rc::clone(world),
    };
    let backup = board.load(&LoadRequest::at_boot(Role::Backup, &cores)).ok();
    let primary = board
        .load(&LoadRequest::at_boot(Role::Primary, &cores))
        .ok();
    let config = Config {
        detector: world.scenario.detector(),
        fence: FenceConfig::default(),
        backup_wait_ns: world.scenario.detector().boot_timeout_ns,
        first_epoch: control.epoch.current(),
        spare: CoreSet::from_cores(cores).ok()?,
    };
    let machine = Machine::new(config, world.now_ns()).ok()?;
    // The interrupt handler outlives every borrow. This leaks some words per boot.
    let keepalive_answer: &'static KeepaliveAnswer = Box::leak(Box::default());
    world.monitor.keepalive_answer.set(Some(keepalive_answer));
    let policy = Policy {
        rearms: true,
        resets: true,
        kinds: Kinds::default(),
    };
    let mut supervisor = Supervisor::new(
        machine,
        control,
        Others::new(world),
        board,
        Console::new(Silent),
        keepalive_answer,
        policy,
    );
    supervisor.arm_first(backup);
    supervisor.start_first(primary).ok()?;
    Some(supervisor)
}

/// Runs the supervisor for ever, as the monitor's main loop does.
fn watch(world: &World, mut supervisor: Supervisor<Board>) {
    let mut up_since_ns: Option<u64> = None;
    loop {
        supervisor.round();
        let machine = supervisor.machine();
        let is_up = matches!(machine.state(), State::Watching | State::Unprotected);
        let before = up_since_ns.filter(|_| is_up);
        up_since_ns = is_up.then_some(before.unwrap_or(world.now_ns()));
        let oracle = &world.oracle;
        let is_protected = machine.is_protected();
        if !world.monitor.is_scribbled.take() {
            oracle.check(oracle.primary.protects(&world.memory, is_protected));
        }
        world.monitor.seen.set(Some(Seen {
            state: machine.state(),
            backup: machine.backup(),
            is_settled: is_protected
                && up_since_ns.is_some_and(|since_ns| world.now_ns() > since_ns + SETTLED_NS),
        }));
    }
}

/// Handles interrupts on the seat.
pub fn interrupted(world: &World, kinds: u32) {
    let Some(keepalive_answer) = world.monitor.keepalive_answer.get() else {
        return;
    };
    world.monitor.wakes.set(world.monitor.wakes.get() + 1);
    if kinds & interrupt::KEEPALIVE != 0
        && let Some(core) = keepalive_answer.answer(world.memory.region.control, world.now_ns())
    {
        world.wires.send_interrupt(core, interrupt::KEEPALIVE);
    }
}

/// Returns whether a core runs an incarnation of an instance.
pub fn runs_instance(world: &World, core: &Core, instance: Instance) -> bool {
    let is_its = |number| world.incarnations.get(number).instance == instance;
    core.is_on() && core.incarnation.get().is_some_and(is_its)
}
