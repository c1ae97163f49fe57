//! The machine, as the seat sees it.

use std::cell::Cell;
use std::rc::Rc;

use sharedmem::hand_off::PhysicalRange;
use sharedmem::{Control, Instance};
use supervisor::{
    ApMailboxes, Cores, KeepaliveAnswer, Platform, Port, Role, Signal, Source, Tenant,
};

use crate::kernels::incarnation::Incarnation;
use crate::kernels::tenant::Native;
use crate::machine::core::{Core, Run, interrupt};
use crate::world::{Event, MS, US, World};

/// The other cores.
pub struct Others {
    world: Rc<World>,
    mailboxes: Rc<ApMailboxes>,
}

impl Others {
    /// They, with mailboxes at which nobody has come: the monitor's own memory, which begins anew with each boot.
    pub fn new(world: &Rc<World>) -> Self {
        let mailboxes = Rc::new(ApMailboxes::new());
        *world.mailboxes.borrow_mut() = Rc::clone(&mailboxes);
        Self {
            world: Rc::clone(world),
            mailboxes,
        }
    }
}

impl Cores for Others {
    fn now_ns(&self) -> u64 {
        self.world.now_ns()
    }

    fn spin_until(&self, duration_ns: u64, is_done: impl Fn() -> bool) {
        let until_ns = self.now_ns() + duration_ns;
        while let left_ns @ 1.. = until_ns.saturating_sub(self.now_ns()) {
            if is_done() {
                return;
            }
            self.world.spend(left_ns.min(US));
        }
    }

    fn send(&self, core: u32, signal: Signal) {
        let world = &self.world;
        // A host that has no time for a core lets it run on for a while, or rather not at all.
        let late_ns = match world.once_in(world.scenario.signals.late_once_in) {
            true => world.below(8 * MS),
            false => world.below(20 * US),
        };
        match signal {
            Signal::Init => world.after(late_ns, Event::Init(core)),
            Signal::Startup if world.once_in(world.scenario.signals.lost_once_in) => {}
            Signal::Startup => world.after(late_ns, Event::Startup(core)),
            Signal::Nmi => {}
        }
    }

    fn mailboxes(&self) -> &ApMailboxes {
        &self.mailboxes
    }
}

/// A serial port that nobody reads.
pub struct Silent;

impl Port for Silent {
    fn take() -> Self {
        Self
    }

    fn pump(&mut self, _: &Control) -> bool {
        false
    }
}

/// Everything else.
pub struct Board {
    /// The world.
    pub world: Rc<World>,
}

impl Platform for Board {
    type Cores = Others;
    type Port = Silent;

    fn wake_count(&self) -> u64 {
        self.world.spend(10);
        self.world.wakes.get()
    }

    fn sleep(&mut self, seen: u64, most_ns: Option<u64>) {
        let world = &self.world;
        if world.wakes.get() != seen {
            return;
        }
        let until_ns = most_ns.map_or(u64::MAX, |most_ns| {
            world.now_ns() + most_ns + world.below(20 * US)
        });
        world.sleep(until_ns);
    }

    fn seize_interrupts(&mut self) {
        self.world.spend(self.world.below(100 * US));
    }

    fn quiet_devices(&mut self) -> bool {
        self.world.spend(self.world.below(100 * US));
        self.world.card.quiet();
        true
    }

    fn load(
        &mut self,
        instance: Instance,
        _: Role,
        source: &Source,
        cores: &[u32],
    ) -> Result<Box<dyn Tenant<Self>>, String> {
        let world = &self.world;
        for before in world
            .incarnations
            .borrow()
            .iter()
            .filter(|incarnation| incarnation.instance == instance)
        {
            before.is_gone.set(true);
        }
        let stays_on = |core: &&Core| {
            let incarnation = core
                .incarnation
                .get()
                .map(|incarnation| world.incarnation(incarnation));
            core.run.get() != Run::Off
                && incarnation.is_some_and(|incarnation| incarnation.instance == instance)
        };
        if let Some(core) = world.cores.iter().find(stays_on) {
            world.oracle.broken(format!(
                "instance {instance} is loaded while core {} still runs it",
                core.number
            ));
        }
        let mut left_ns = world.scenario.load_ns;
        while left_ns > 0 {
            let slice_ns = left_ns.min(50 * US);
            world.spend(slice_ns);
            left_ns -= slice_ns;
        }
        let number = world.incarnations.borrow().len() as u32;
        let incarnation = Rc::new(Incarnation::new(number, instance, cores));
        world
            .incarnations
            .borrow_mut()
            .push(Rc::clone(&incarnation));
        Ok(Box::new(Native::new(incarnation, *source)))
    }

    fn report_refused(&self, _: Instance, _: &Source, _: &str) {}

    fn slot(&self, _: Instance) -> Option<PhysicalRange> {
        None
    }

    fn verify_uploaded(&mut self, _: Instance, _: PhysicalRange) -> Result<(), String> {
        Err("nothing can be brought here".into())
    }

    fn store_uploaded(&mut self, _: Instance, _: PhysicalRange) -> Result<Source, String> {
        Err("nothing can be brought here".into())
    }

    fn heap_bytes(&self) -> usize {
        0
    }

    fn reset(&mut self) -> ! {
        self.world.is_reset.set(true);
        self.world.halt()
    }
}

/// Interrupts on the seat.
pub fn interrupted(world: &World, keepalive_answer: &KeepaliveAnswer, kinds: u32) {
    world.wakes.set(world.wakes.get() + 1);
    if kinds & interrupt::KEEPALIVE != 0
        && let Some(core) = keepalive_answer.answer(world.region.control, world.now_ns())
    {
        world.send_interrupt(core, interrupt::KEEPALIVE);
    }
}

/// A count that the seat's interrupt handler raises.
pub type Wakes = Cell<u64>;
