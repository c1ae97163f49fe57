//! The world: the machine, the kernels on it, and everything around it. Its parts know one subject each; this is where
//! they meet.
//!
//! The clients, the faults and the kernels act on the world that holds them, so their files and this one name each
//! other on purpose.

use std::rc::Rc;

use sharedmem::sync::observe;

use crate::clients::{self, Clients};
use crate::faults::Faults;
use crate::kernels::incarnation::Incarnations;
use crate::kernels::monitor::{self, Monitor};
use crate::kernels::program;
use crate::machine::US;
use crate::machine::core::{Core, Run, interrupt};
use crate::machine::events::Event;
use crate::machine::frame::Frame;
use crate::machine::memory::Memory;
use crate::machine::random::Random;
use crate::machine::scheduler::{Scheduler, Turn};
use crate::machine::wires::Wires;
use crate::oracle::Oracle;
use crate::scenario::Scenario;
use crate::trace;

/// The machine and everything around it.
pub struct World {
    /// What the seed decided.
    pub scenario: Scenario,
    /// The source of random numbers.
    pub random: Rc<Random>,
    /// Cores, clocks and events.
    pub scheduler: Rc<Scheduler>,
    /// Signals, frames and the network card.
    pub wires: Wires,
    /// The monitor on the seat.
    pub monitor: Monitor,
    /// Every instance that was loaded.
    pub incarnations: Incarnations,
    /// The clients.
    pub clients: Clients,
    /// The faults that wait for their moment.
    pub faults: Faults,
    /// What is true, and the laws.
    pub oracle: Oracle,
    /// The shared region. It is the last field, because it must be dropped after everything that uses it.
    pub memory: Memory,
}

/// Makes a world, runs `run` on it, and takes it apart.
pub fn simulate<R>(scenario: Scenario, run: impl FnOnce(&Rc<World>) -> R) -> R {
    let world = Rc::new(World::new(scenario));
    trace::follow(Some(Rc::clone(&world.scheduler)));
    observe(Some(Rc::clone(&world) as Rc<_>));
    let result = run(&world);
    world.scheduler.cores.iter().for_each(Core::stop);
    world.incarnations.clear();
    observe(None);
    trace::follow(None);
    debug_assert_eq!(Rc::strong_count(&world), 1, "a part keeps its world");
    result
}

impl World {
    fn new(scenario: Scenario) -> Self {
        let random = Rc::new(Random::new(scenario.seed));
        let scheduler = Rc::new(Scheduler::new(scenario.core_count));
        Self {
            wires: Wires::new(
                Rc::clone(&scheduler),
                Rc::clone(&random),
                scenario.signals,
                scenario.wire,
            ),
            monitor: Monitor::default(),
            incarnations: Incarnations::default(),
            clients: Clients::of(&scenario),
            faults: Faults::of(&scenario),
            oracle: Oracle::default(),
            memory: Memory::new(scenario.journal_bytes, scenario.seed ^ 0x5a17),
            random,
            scheduler,
            scenario,
        }
    }

    /// Returns the time, in ns.
    pub fn now_ns(&self) -> u64 {
        self.scheduler.now_ns()
    }

    /// Records that the primary has stopped working.
    pub fn primary_died(&self) {
        let limit_ns = self
            .monitor
            .is_settled()
            .then(|| self.scenario.notice_ns_max());
        self.oracle.primary_died(self.now_ns(), limit_ns);
    }

    /// Lets time pass on the core that executes, while others may execute.
    pub fn spend(&self, time_ns: u64) {
        let Some(core) = self.scheduler.current() else {
            return;
        };
        self.scheduler.advance(core, time_ns);
        if !core.is_deaf.get() {
            self.take_interrupts(core);
        }
    }

    /// Suspends the core that executes until an interrupt comes, or until `until_ns`.
    pub fn sleep(&self, until_ns: u64) {
        let Some(core) = self.scheduler.current() else {
            return;
        };
        if core.pending.get() == 0 {
            core.run.set(Run::Asleep(until_ns));
            core.suspend();
        }
        self.take_interrupts(core);
    }

    /// Handles the pending interrupts of a core, on that core.
    fn take_interrupts(&self, core: &Core) {
        let kinds = core.pending.take();
        if kinds == 0 {
            return;
        }
        core.is_deaf.set(true);
        match core.number {
            0 => monitor::interrupted(self, kinds),
            _ => program::interrupted(self, core, kinds),
        }
        core.is_deaf.set(false);
    }

    /// Advances the world by one event, or one core by some instructions. Returns whether anything happened.
    pub fn turn(self: &Rc<Self>) -> bool {
        match self.scheduler.turn() {
            Turn::Event(event) => self.happen(event),
            Turn::Executed => {}
            Turn::Nothing => return false,
        }
        true
    }

    fn happen(self: &Rc<Self>, event: Event) {
        let scheduler = &self.scheduler;
        match event {
            Event::Interrupt(core, kinds) => scheduler.interrupt(core, kinds),
            Event::Tick(core, incarnation) => program::tick(self, core, incarnation),
            Event::Init(core) => self.init_arrives(scheduler.core(core)),
            Event::Startup(core) => self.startup_arrives(scheduler.core(core)),
            Event::Arrival(frame) => self.frame_arrives(frame),
            Event::Delivery(frame) => clients::receive(self, &frame),
            Event::Client(number) => clients::look(self, number),
            Event::Unstick(core) => scheduler.core(core).is_stuck.set(false),
        }
    }

    /// Stops a core by INIT. A paused core is stopped only after it was scheduled again.
    fn init_arrives(&self, core: &Core) {
        if core.is_stuck.get() {
            return;
        }
        let now_ns = self.now_ns();
        // A paused core executes for a moment before INIT takes it.
        if core.run.get() == Run::Ready && core.time_ns.get() > now_ns + 100 * US {
            let delay_ns = core.time_ns.get() - now_ns + self.random.below(20 * US);
            return self.scheduler.after(delay_ns, Event::Init(core.number));
        }
        core.stop();
        core.time_ns.set(core.time_ns.get().max(now_ns));
    }

    fn startup_arrives(self: &Rc<Self>, core: &Core) {
        if core.is_stuck.get() || core.run.get() != Run::Off {
            return;
        }
        let (world, number) = (Rc::clone(self), core.number);
        let delay_ns = self.random.below(5 * US);
        self.scheduler.start(number, delay_ns, move || {
            program::arrive(&world, number);
        });
    }

    fn frame_arrives(&self, frame: Frame) {
        let Some(driver) = self.wires.card.driver.get() else {
            return;
        };
        let driver = self.incarnations.get(driver);
        if driver.is_gone.get() {
            self.oracle.broken(format!(
                "the card writes into the memory of incarnation {}, which was given to another",
                driver.number
            ));
        }
        self.wires.card.received.borrow_mut().push_back(frame);
        self.scheduler
            .interrupt(driver.lead.get(), interrupt::DEVICE);
    }
}
