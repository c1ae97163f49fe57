//! The machine: cores, time, what is on its way, and the one place where it is decided who goes on.
//!
//! The core that is farthest behind in time executes next, until it has passed the next core or the next event. So the order of all accesses to shared
//! memory is that of the cores' clocks, and these run by the seed.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use fastrand::Rng;
use sharedmem::SharedRegion;
use sharedmem::sync::observe;
use supervisor::{ApMailboxes, KeepaliveAnswer};

use crate::clients::Client;
use crate::faults::Faults;
use crate::kernels::incarnation::{self, Incarnation};
use crate::kernels::platform;
use crate::machine::core::{Core, Run};
use crate::machine::memory::Memory;
use crate::machine::wire::{Card, Frame};
use crate::oracle::Oracle;
use crate::run::Seen;
use crate::scenario::Scenario;

/// A microsecond, in ns.
pub const US: u64 = 1000;
/// A millisecond, in ns.
pub const MS: u64 = 1_000_000;

/// Something that happens at a time.
#[derive(Debug)]
pub enum Event {
    /// Interrupts of these kinds reach a core.
    Interrupt(u32, u32),
    /// The periodic timer of an owner's core, set by this incarnation.
    Tick(u32, u32),
    /// INIT reaches a core.
    Init(u32),
    /// SIPI reaches a core.
    Startup(u32),
    /// A frame reaches the card.
    Arrival(Frame),
    /// A frame reaches its client.
    Delivery(Frame),
    /// A client looks whether there is something to do.
    Client(usize),
    /// A core takes signals again.
    Unstick(u32),
}

struct Queued {
    at_ns: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ns, self.number).cmp(&(other.at_ns, other.number))
    }
}

/// The machine and everything around it.
pub struct World {
    /// What the seed made of it.
    pub scenario: Scenario,
    /// Chance.
    pub rng: RefCell<Rng>,
    /// Core 0 is the seat.
    pub cores: Vec<Core>,
    /// Where cores arrive, and what is left for them there.
    pub mailboxes: RefCell<Rc<ApMailboxes>>,
    /// The network card.
    pub card: Card,
    /// The clients.
    pub clients: RefCell<Vec<Client>>,
    /// Every instance that was loaded, in order.
    pub incarnations: RefCell<Vec<Rc<Incarnation>>>,
    /// What strikes, and when.
    pub faults: Faults,
    /// What is true, whatever the kernels believe.
    pub oracle: Oracle,
    /// Shared by the kernels.
    pub region: SharedRegion,
    /// The seat's keepalives, once it watches.
    pub keepalive_answer: Cell<Option<&'static KeepaliveAnswer>>,
    /// Interrupts that came to the seat.
    pub wakes: Cell<u64>,
    /// What the seat believes.
    pub seen: Cell<Option<Seen>>,
    /// The monitor asked for a reset of the machine.
    pub is_reset: Cell<bool>,
    /// When every client had everything, in ns.
    pub done_ns: Cell<Option<u64>>,
    /// The core that executes now.
    current: Cell<Option<u32>>,
    /// Until when it may, in ns.
    horizon_ns: Cell<u64>,
    now_ns: Cell<u64>,
    events: RefCell<BinaryHeap<Reverse<Queued>>>,
    queued: Cell<u64>,
    // Last: it is dropped after everybody who uses the region.
    memory: Memory,
}

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// The world that this thread simulates.
///
/// # Panics
/// There is none.
pub fn world() -> Rc<World> {
    WORLD.with_borrow(|world| world.clone().expect("a world is simulated"))
}

/// Simulates: makes a world, lets `run` do something with it, and takes it apart.
pub fn simulate<R>(scenario: Scenario, run: impl FnOnce(&Rc<World>) -> R) -> R {
    let world = Rc::new(World::new(scenario));
    WORLD.set(Some(Rc::clone(&world)));
    observe(Some(Rc::clone(&world) as Rc<_>));
    let result = run(&world);
    world.cores.iter().for_each(Core::stop);
    world.incarnations.borrow_mut().clear();
    observe(None);
    WORLD.set(None);
    result
}

impl World {
    fn new(scenario: Scenario) -> Self {
        let memory = Memory::new(scenario.journal_bytes);
        // SAFETY: the memory is kept beside it, and is dropped last.
        let region = unsafe { memory.region(scenario.seed ^ 0x5a17) };
        let count = scenario.core_count;
        Self {
            rng: RefCell::new(Rng::with_seed(scenario.seed)),
            cores: (0..count).map(Core::new).collect(),
            mailboxes: RefCell::default(),
            card: Card::default(),
            clients: RefCell::new(Client::all(&scenario)),
            incarnations: RefCell::new(Vec::new()),
            faults: Faults::of(&scenario),
            oracle: Oracle::default(),
            region,
            keepalive_answer: Cell::new(None),
            wakes: Cell::new(0),
            seen: Cell::new(None),
            is_reset: Cell::new(false),
            done_ns: Cell::new(None),
            current: Cell::new(None),
            horizon_ns: Cell::new(0),
            now_ns: Cell::new(0),
            events: RefCell::new(BinaryHeap::new()),
            queued: Cell::new(0),
            scenario,
            memory,
        }
    }

    /// The control block begins anew, after a reset.
    pub fn clear_control(&self, salt: u64) {
        self.memory.clear_control(salt);
    }

    /// The owner ceases to work, by whatever.
    pub fn owner_died(&self) {
        let was_protected = self.seen.get().is_some_and(|seen| seen.is_settled);
        let limit_ns = was_protected.then(|| self.scenario.notice_ns_max());
        self.oracle.died(self.now_ns(), limit_ns);
    }

    /// Whether this core is the first one of the incarnation that it runs.
    pub fn leads(&self, core: &Core) -> bool {
        core.incarnation
            .get()
            .is_some_and(|incarnation| self.incarnation(incarnation).lead.get() == core.number)
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.rng.borrow_mut().u64(0..end.max(1))
    }

    /// Whether it happens, once in `times`.
    pub fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// The time: of the core that executes, or of the event that happens.
    pub fn now_ns(&self) -> u64 {
        self.current()
            .map_or(self.now_ns.get(), |core| core.time_ns.get())
    }

    /// The core that executes now.
    pub fn current(&self) -> Option<&Core> {
        self.current
            .get()
            .map(|number| &self.cores[number as usize])
    }

    /// The incarnation with this number.
    pub fn incarnation(&self, number: u32) -> Rc<Incarnation> {
        Rc::clone(&self.incarnations.borrow()[number as usize])
    }

    /// Lets something happen later.
    pub fn after(&self, delay_ns: u64, event: Event) {
        let number = self.queued.get();
        self.queued.set(number + 1);
        self.events.borrow_mut().push(Reverse(Queued {
            at_ns: self.now_ns() + delay_ns,
            number,
            event,
        }));
    }

    /// Starts a core on a program.
    pub fn start(self: &Rc<Self>, number: u32, delay_ns: u64, program: impl FnOnce() + 'static) {
        let (world, begin_ns) = (Rc::clone(self), self.now_ns() + delay_ns);
        self.cores[number as usize].start(begin_ns, move |yielder| {
            world.cores[number as usize].is_run_by(yielder);
            program();
        });
    }

    /// The core that executes waits, with interrupts on, for an interrupt or until `until_ns`.
    pub fn sleep(&self, until_ns: u64) {
        let Some(core) = self.current() else { return };
        if core.pending.get() == 0 {
            core.run.set(Run::Asleep(until_ns));
            core.suspend();
        }
        self.take_interrupts(core);
    }

    /// The core that executes will never execute again.
    pub fn halt(&self) -> ! {
        loop {
            if let Some(core) = self.current() {
                core.run.set(Run::Still);
                core.suspend();
            }
        }
    }

    /// Lets time pass on the core that executes, and others go on meanwhile.
    pub fn spend(&self, time_ns: u64) {
        let Some(core) = self.current() else { return };
        core.time_ns.set(core.time_ns.get() + time_ns);
        if core.time_ns.get() > self.horizon_ns.get() {
            core.suspend();
        }
        if !core.is_deaf.get() {
            self.take_interrupts(core);
        }
    }

    /// Handles the interrupts that wait for a core, on that core.
    fn take_interrupts(&self, core: &Core) {
        let kinds = core.pending.take();
        if kinds == 0 {
            return;
        }
        core.is_deaf.set(true);
        match core.number {
            0 => {
                if let Some(keepalive_answer) = self.keepalive_answer.get() {
                    platform::interrupted(self, keepalive_answer, kinds);
                }
            }
            _ => incarnation::interrupted(self, core, kinds),
        }
        core.is_deaf.set(false);
    }

    /// Lets the world go on by one event, or one core by some instructions. False if nothing will ever happen again.
    pub fn turn(self: &Rc<Self>) -> bool {
        let event_ns = self.events.borrow().peek().map(|Reverse(it)| it.at_ns);
        let mut times = self.cores.iter().filter_map(|core| match core.run.get() {
            Run::Ready => Some((core.time_ns.get(), core.number)),
            Run::Asleep(until_ns) => Some((until_ns.max(core.time_ns.get()), core.number)),
            Run::Off | Run::Still => None,
        });
        let Some(mut first) = times.next() else {
            return event_ns.is_some() && self.happen();
        };
        let mut second_ns = u64::MAX;
        for next in times {
            let later = first.max(next);
            first = first.min(next);
            second_ns = second_ns.min(later.0);
        }
        if event_ns.is_some_and(|at_ns| at_ns <= first.0) {
            return self.happen();
        }
        if first.0 == u64::MAX {
            return false;
        }
        let core = &self.cores[first.1 as usize];
        core.time_ns.set(first.0);
        core.run.set(Run::Ready);
        self.horizon_ns
            .set(second_ns.min(event_ns.unwrap_or(u64::MAX)));
        self.now_ns.set(first.0);
        self.current.set(Some(core.number));
        core.resume();
        self.current.set(None);
        true
    }

    fn happen(self: &Rc<Self>) -> bool {
        let Some(Reverse(Queued { at_ns, event, .. })) = self.events.borrow_mut().pop() else {
            return false;
        };
        self.now_ns.set(at_ns);
        match event {
            Event::Interrupt(core, kinds) => self.interrupt(core, kinds),
            Event::Tick(core, incarnation) => incarnation::tick(self, core, incarnation),
            Event::Init(core) => self.init_arrives(core),
            Event::Startup(core) => self.startup_arrives(core),
            Event::Arrival(frame) => self.arrive(frame),
            Event::Delivery(frame) => Client::receive(self, &frame),
            Event::Client(number) => Client::look(self, number),
            Event::Unstick(core) => self.oracle.stick(core, false),
        }
        true
    }
}
