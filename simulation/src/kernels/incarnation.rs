//! The incarnation of an instance, from the loading of its image on: it waits as a guest on the seat, or owns the machine.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use replica::{JournaledService, Replica};
use sharedmem::Instance;
use sharedmem::abi::EntryReason;
use sharedmem::epitaph::EpitaphCause;
use sharedmem::keepalive::Keepalive;

use crate::kernels::host::Kernel;
use crate::kernels::transport::Transport;
use crate::machine::core::{Core, interrupt};
use crate::world::{Event, MS, US, World};
use supervisor::Order;

/// How long a core that lingers looks for its order, in ns.
const LINGER_NS: u64 = 400 * US;

/// An instance that was loaded.
pub struct Incarnation {
    /// Its number: incarnations are counted from the machine's boot.
    pub number: u32,
    /// Which of the two instances it is.
    pub instance: Instance,
    /// The epoch that it owns the machine in; 0 before it does.
    pub epoch: Cell<u64>,
    /// The machine's number of its first core, when it has one.
    pub lead: Cell<u32>,
    /// Its cores, by the machine's numbers; the first leads.
    pub cores: Vec<u32>,
    /// How often the main loop of each of them came round.
    pub progress: Vec<Cell<u64>>,
    /// Its memory was given to another.
    pub is_gone: Cell<bool>,
    /// What was made ready on the seat.
    pub standby: RefCell<Option<Replica<Kernel>>>,
    sequence: Cell<u64>,
}

impl Incarnation {
    /// The next incarnation, of an instance on these cores.
    pub fn new(number: u32, instance: Instance, cores: &[u32]) -> Self {
        Self {
            number,
            instance,
            epoch: Cell::new(0),
            lead: Cell::new(0),
            progress: cores.iter().map(|_| Cell::new(0)).collect(),
            cores: cores.to_vec(),
            is_gone: Cell::new(false),
            standby: RefCell::new(None),
            sequence: Cell::new(0),
        }
    }

    /// The kernel.
    pub fn kernel(&self) -> Kernel {
        Kernel {
            incarnation: self.number,
        }
    }

    fn send_keepalive(&self, world: &World) {
        let mut keepalive = Keepalive::first(self.epoch.get(), self.cores.len() as u32);
        self.sequence.set(self.sequence.get() + 1);
        keepalive.sequence = self.sequence.get();
        keepalive.time_ns = world.now_ns();
        for (to, progress) in keepalive.progress.iter_mut().zip(&self.progress) {
            *to = progress.get();
        }
        world.region.control.primary_keepalive.publish(&keepalive);
        world.send_interrupt(0, interrupt::KEEPALIVE);
    }
}

/// The program of a core that comes to its desk: as the monitor's start page.
pub fn arrive(world: &Rc<World>, core: u32) {
    let mailboxes = Rc::clone(&world.mailboxes.borrow());
    let arrived = mailboxes.arrive(core);
    let until_ns = world.now_ns() + if arrived.lingers { LINGER_NS } else { 0 };
    loop {
        if let Some(order) = mailboxes.take_order(core, &arrived) {
            return enter(world, &order);
        }
        if world.now_ns() >= until_ns {
            return;
        }
        world.spend(world.below(2 * US) + 1);
    }
}

/// A core enters an instance.
fn enter(world: &Rc<World>, order: &Order) {
    let [entry, incarnation, _] = order.arguments;
    let incarnation = world.incarnation(incarnation as u32);
    let Some(core) = world.current() else { return };
    core.incarnation.set(Some(incarnation.number));
    let program = || match EntryReason::from_raw(entry) {
        Some(EntryReason::StartPrimary) => own(
            world,
            core,
            &incarnation,
            Replica::new(incarnation.kernel()),
        ),
        Some(EntryReason::Promote) => {
            let standby = incarnation.standby.borrow_mut().take();
            own(
                world,
                core,
                &incarnation,
                standby.expect("a backup was made ready before it is promoted"),
            );
        }
        _ => join(world, core, &incarnation),
    };
    // A record that kills does so by a panic of the kernel's own code.
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(program)) {
        match is_poison(&*payload) {
            true => incarnation.kernel().die(EpitaphCause::Panic, POISON),
            false => panic::resume_unwind(payload),
        }
    }
}

/// What a replica panics with at a record that kills.
const POISON: &str = "DEBUG POISON";

/// Whether that is what a panic was about.
pub fn is_poison(payload: &(dyn Any + Send)) -> bool {
    payload.downcast_ref::<&str>() == Some(&POISON)
}

/// The first core: becomes the owner and serves for ever. In the order of the kernel's `serve`, `adopt` and `round`.
fn own(
    world: &Rc<World>,
    core: &Core,
    incarnation: &Rc<Incarnation>,
    mut replica: Replica<Kernel>,
) {
    let kernel = incarnation.kernel();
    let epoch = world.region.control.epoch.current();
    incarnation.epoch.set(epoch);
    incarnation.lead.set(core.number);
    world.oracle.owns(world, incarnation.number);
    world.faults.owner_begins();
    incarnation.send_keepalive(world);
    core.is_deaf.set(false);
    tick(world, core.number, incarnation.number);
    world.spend(world.below(200 * US));
    world.card.adopt(incarnation.number);
    let recovered = replica.recover(epoch);
    world
        .oracle
        .findings
        .set(world.oracle.findings.get() + recovered.finding_count);
    let mut journal = JournaledService::new(kernel, epoch, replica, recovered.finding_count > 0);
    let mut transport = Transport::new(incarnation.number);
    loop {
        incarnation.progress[0].set(incarnation.progress[0].get() + 1);
        let is_leaving = journal.is_leaving(world.now_ns());
        let more = !is_leaving && transport.ingress(world, &mut journal);
        let more = journal.write_checkpoint() || more;
        transport.egress(world, &mut journal);
        transport.release(world, &journal, kernel);
        world
            .oracle
            .serves(world, world.region.control.timelines.of_epoch(epoch));
        if is_leaving && journal.is_backup_level() {
            kernel.die(EpitaphCause::Switchover, "");
        }
        journal.seat.report(&kernel);
        match more {
            true => world.spend(world.below(2 * US)),
            false => world.sleep(u64::MAX),
        }
    }
}

/// A further core: comes round once a tick, and says so.
fn join(world: &World, core: &Core, incarnation: &Rc<Incarnation>) {
    let index = incarnation.cores.iter().position(|own| *own == core.number);
    let Some(progress) = index.and_then(|index| incarnation.progress.get(index)) else {
        return;
    };
    core.is_deaf.set(false);
    loop {
        progress.set(progress.get() + 1);
        world.sleep(world.now_ns() + world.scenario.keepalive_ns);
    }
}

/// The periodic timer of an owner's first core: due now, and again after a period as long as that core runs this incarnation.
pub fn tick(world: &World, number: u32, incarnation: u32) {
    let core = &world.cores[number as usize];
    if core.incarnation.get() != Some(incarnation) {
        return;
    }
    world.interrupt(number, interrupt::TICK);
    let jitter_ns = match world.once_in(10) {
        true => world.below(MS),
        false => 0,
    };
    world.after(
        world.scenario.keepalive_ns + jitter_ns,
        Event::Tick(number, incarnation),
    );
}

/// Interrupts on a core of an instance.
pub fn interrupted(world: &World, core: &Core, kinds: u32) {
    let Some(incarnation) = core.incarnation.get() else {
        return;
    };
    let incarnation = world.incarnation(incarnation);
    if kinds & interrupt::TICK != 0 && incarnation.lead.get() == core.number {
        incarnation.send_keepalive(world);
    }
}
