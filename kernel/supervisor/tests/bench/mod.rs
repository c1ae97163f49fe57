//! A machine that is made up: the smallest example of what the supervisor needs.

mod port;
mod ranks;
mod tenant;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use partition::{Kind, Kinds};
use sharedmem::epitaph::{EpitaphCause, EpitaphText};
use sharedmem::hand_off::PhysicalRange;
use sharedmem::keepalive::Keepalive;
use sharedmem::{Control, Instance};
use supervisor::{
    ApMailboxes, Cores, KeepaliveAnswer, LoadRequest, Platform, Policy, Role, Signal, Source,
    Supervisor, Tenant,
};
use takeover::{Config, CoreSet, DetectorConfig, FenceConfig, Machine};

use tenant::Ready;

use port::NoPort;
pub use ranks::SLICE_CORES;

/// Period of the keepalives.
pub const KEEPALIVE_NS: u64 = 1_000_000;
const CORES: [u32; 3] = [1, 2, 3];

/// One machine. Its cores run by themselves while the seat sleeps or spins: a native instance that sends keepalives
/// until it is to die.
pub struct World {
    /// What kind of tenant both instances are.
    kind: &'static Kind,
    /// The control block.
    pub control: &'static Control,
    keepalive_answer: &'static KeepaliveAnswer,
    mailboxes: ApMailboxes,
    /// The time, in ns since the boot.
    pub now_ns: Cell<u64>,
    wakes: Cell<u64>,
    /// Per core, the instance that it runs.
    pub runs: [Cell<Option<Instance>>; 4],
    /// A core that INIT and SIPI do not reach.
    pub deaf: Cell<Option<u32>>,
    /// Per core, whether INIT is held there, until its instance is condemned and it hears an NMI.
    pub holds_init: [Cell<bool>; 4],
    /// The primary sends nothing any more.
    pub is_silent: Cell<bool>,
    /// The primary gives its backup up in the instant in which INIT is sent to it.
    pub drops_backup: Cell<bool>,
    /// When the hardware watchdog was petted last, in ns.
    pub petted_ns: Cell<u64>,
    /// The text of the instance that was loaded last is damaged.
    pub is_altered: Cell<bool>,
    /// The image of an instance cannot be loaded.
    pub refuses: Cell<Option<Instance>>,
    /// Per core of the slice, whether it runs a rank.
    pub ranks: [Cell<bool>; SLICE_CORES.len()],
    /// What happened.
    pub log: RefCell<Vec<String>>,
}

impl World {
    fn note(&self, what: impl Into<String>) {
        self.log.borrow_mut().push(what.into());
    }

    /// Lets time pass up to the next keepalive, at most.
    fn pass(&self, most_ns: u64) {
        let next_ns = (self.now_ns.get() / KEEPALIVE_NS + 1) * KEEPALIVE_NS;
        let until_ns = self.now_ns.get().saturating_add(most_ns).min(next_ns);
        self.now_ns.set(until_ns);
        let lead = self.runs[1].get().filter(|_| !self.is_silent.get());
        if until_ns == next_ns && lead.is_some() {
            let mut keepalive = Keepalive::first(self.control.epoch.current(), 1);
            keepalive.sequence = until_ns / KEEPALIVE_NS;
            keepalive.progress[0] = keepalive.sequence;
            self.control.primary_keepalive.publish(&keepalive);
            self.interrupt();
            let is_interrupted = self.kind.capabilities.takes_keepalive_interrupts;
            assert_eq!(
                self.keepalive_answer.answer(self.control, until_ns),
                is_interrupted.then_some(1)
            );
        }
    }

    fn interrupt(&self) {
        self.wakes.set(self.wakes.get() + 1);
    }

    /// Lets the primary die of a panic.
    pub fn panic(&self, instance: Instance) {
        self.end(instance, EpitaphCause::Panic);
    }

    /// Lets the primary end.
    pub fn end(&self, instance: Instance, cause: EpitaphCause) {
        self.is_silent.set(true);
        let text = EpitaphText::new(self.control.epoch.current(), cause, 0);
        assert!(self.control.epitaphs[instance].write(&text));
        self.interrupt();
    }
}

/// The world, as the seat sees it.
#[derive(Clone)]
pub struct Bench(Rc<World>);

impl Cores for Bench {
    fn now_ns(&self) -> u64 {
        self.0.now_ns.get()
    }

    fn spin_until(&self, duration_ns: u64, is_done: impl Fn() -> bool) {
        let end_ns = self.now_ns() + duration_ns;
        while self.now_ns() < end_ns && !is_done() {
            self.0.pass(end_ns - self.now_ns());
        }
    }

    fn send(&self, cores: impl IntoIterator<Item = u32>, signal: Signal) {
        cores
            .into_iter()
            .for_each(|core| self.send_to(core, signal));
    }

    fn mailboxes(&self) -> &ApMailboxes {
        &self.0.mailboxes
    }
}

impl Bench {
    fn send_to(&self, core: u32, signal: Signal) {
        let world = &self.0;
        if world.deaf.get() == Some(core) {
            return;
        }
        if SLICE_CORES.contains(&core) {
            return world.strike_rank(core, signal);
        }
        match signal {
            Signal::Init if world.holds_init[core as usize].get() => {}
            Signal::Init => {
                if world.drops_backup.take() {
                    assert!(world.control.protection.drop_backup());
                }
                if let Some(instance) = world.runs[core as usize].take() {
                    world.note(format!("core {core} of {instance} stopped"));
                }
            }
            Signal::Startup if world.runs[core as usize].get().is_some() => {}
            Signal::Startup => {
                let arrived = world.mailboxes.arrive(core);
                if let Some(order) = world.mailboxes.take_order(core, &arrived) {
                    let instance = Instance::from_number(order.entry).unwrap();
                    world.note(format!("core {core} enters {instance}"));
                    world.runs[core as usize].set(Some(instance));
                    world.is_silent.set(false);
                }
            }
            Signal::Nmi => {
                let (control, instance) = (world.control, world.runs[core as usize].get());
                if let Some(instance) = instance
                    && control.condemned[instance].is_condemned(control.epoch.current())
                {
                    control.condemned[instance].tell(world.holds_init[core as usize].take());
                }
            }
        }
    }
}

impl Platform for Bench {
    type Cores = Self;
    type Port = NoPort;
    type Refusal = &'static str;

    fn wake_count(&self) -> u64 {
        self.0.wakes.get()
    }

    fn sleep(&mut self, seen: u64, most_ns: Option<u64>) {
        let end_ns = self.now_ns().saturating_add(most_ns.unwrap_or(u64::MAX));
        while self.now_ns() < end_ns && self.wake_count() == seen {
            self.0.pass(end_ns - self.now_ns());
        }
    }

    fn seize_interrupts(&mut self) {
        self.0.note("interrupts seized");
    }

    fn quiet_devices(&mut self, next: Instance) -> bool {
        self.0.note(format!("devices quiet for {next}"));
        true
    }

    fn load(&mut self, request: &LoadRequest<'_>) -> Result<Box<dyn Tenant<Self>>, Self::Refusal> {
        let instance = request.instance;
        if self.0.refuses.get() == Some(instance) {
            return Err("it is refused");
        }
        self.0.note(format!("{instance} loaded"));
        self.0.is_altered.set(false);
        Ok(Box::new(Ready {
            world: self.0.clone(),
            kind: self.0.kind,
            instance,
            source: request.source,
        }))
    }

    fn report_refused(&self, request: &LoadRequest<'_>, _: &Self::Refusal) {
        self.0.note(format!("{} refused", request.instance));
    }

    fn slot(&self, _instance: Instance) -> Option<PhysicalRange> {
        None
    }

    fn verify_uploaded(&mut self, _: Instance, _: PhysicalRange) -> Result<(), Self::Refusal> {
        Err("there is none")
    }

    fn store_uploaded(
        &mut self,
        _instance: Instance,
        file: PhysicalRange,
    ) -> Result<Source, Self::Refusal> {
        Ok(Source::Uploaded(file))
    }

    fn idle(&mut self, _: &Control) -> bool {
        false
    }

    fn watch_main_loop(&mut self) {}

    fn check_memory(&mut self, _now_ns: u64) {}

    fn pet_watchdog(&mut self, now_ns: u64) {
        self.0.petted_ns.set(now_ns);
    }

    fn stop_watchdog(&mut self) {}

    fn heap_bytes(&self) -> usize {
        0
    }

    fn power_off(&mut self) {
        self.0.note("the machine is powered off");
    }

    fn reset(&mut self) -> ! {
        panic!("the machine is reset")
    }
}

/// Boots a machine with two tenants of this kind, and waits until it is protected.
pub fn protected(kind: &'static Kind) -> (Rc<World>, Supervisor<Bench>) {
    let (world, mut supervisor) = booted(kind, true, false);
    run(&mut supervisor, |supervisor| {
        supervisor.machine().is_protected()
    });
    // Until the further cores run as well.
    run(&mut supervisor, |_| {
        world.runs[3].get() == Some(Instance::A)
    });
    world.log.take();
    (world, supervisor)
}

/// Boots a machine with two tenants of this kind, if their images are good. It may reset itself if `resets`.
pub fn booted(
    kind: &'static Kind,
    has_images: bool,
    resets: bool,
) -> (Rc<World>, Supervisor<Bench>) {
    let control: &'static Control = Box::leak(Box::default());
    let keepalive_answer: &'static KeepaliveAnswer = Box::leak(Box::default());
    control.epoch.reset(1);
    let world = Rc::new(World {
        kind,
        control,
        keepalive_answer,
        mailboxes: ApMailboxes::new(),
        now_ns: Cell::new(0),
        wakes: Cell::new(0),
        runs: Default::default(),
        deaf: Cell::new(None),
        holds_init: Default::default(),
        is_silent: Cell::new(false),
        drops_backup: Cell::new(false),
        petted_ns: Cell::new(0),
        is_altered: Cell::new(false),
        refuses: Cell::new(None),
        ranks: Default::default(),
        log: RefCell::default(),
    });
    let config = Config {
        detector: DetectorConfig {
            keepalive_ns: KEEPALIVE_NS,
            timeout_ns: 10 * KEEPALIVE_NS,
            boot_timeout_ns: 100 * KEEPALIVE_NS,
        },
        fence: FenceConfig::default(),
        backup_wait_ns: 100 * KEEPALIVE_NS,
        first_epoch: 1,
        spare: CoreSet::from_cores(CORES).expect("cores but the seat"),
    };
    let mut bench = Bench(world.clone());
    let [primary, backup] = [Role::Primary, Role::Backup].map(|role| {
        let loaded = bench.load(&LoadRequest::at_boot(role, &CORES)).ok();
        loaded.filter(|_| has_images)
    });
    let mut supervisor = Supervisor::new(
        Machine::new(config, 0).expect("the configuration can work"),
        control,
        bench.clone(),
        bench,
        supervisor::Console::new(NoPort),
        keepalive_answer,
        Policy {
            rearms: true,
            resets,
            kinds: Kinds {
                primary: kind,
                backup: kind,
            },
        },
    );
    supervisor.arm_first(backup);
    supervisor
        .start_first(primary)
        .expect("no core is the seat");
    (world, supervisor)
}

/// Runs the machine until `is_done`.
pub fn run(supervisor: &mut Supervisor<Bench>, is_done: impl Fn(&Supervisor<Bench>) -> bool) {
    for _ in 0..1_000_000 {
        if is_done(supervisor) {
            return;
        }
        supervisor.round();
    }
    panic!("it never came to that: {:?}", supervisor.machine().state());
}
