//! The machine as the supervisor sees it.

use std::rc::Rc;

use sharedmem::hand_off::PhysicalRange;
use sharedmem::{Control, Instance};
use supervisor::{ApMailboxes, Cores, LoadRequest, Platform, Port, Signal, Source, Tenant};

use crate::kernels::monitor;
use crate::kernels::tenant::Native;
use crate::machine::US;
use crate::machine::core::Core;
use crate::world::World;

/// The other cores.
pub struct Others {
    world: Rc<World>,
    mailboxes: Rc<ApMailboxes>,
}

impl Others {
    /// Makes empty mailboxes for them. They lie in the monitor's own memory, which begins anew with each boot.
    pub fn new(world: &Rc<World>) -> Self {
        let mailboxes = Rc::new(ApMailboxes::new());
        *world.monitor.mailboxes.borrow_mut() = Rc::clone(&mailboxes);
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

    fn send(&self, cores: impl IntoIterator<Item = u32>, signal: Signal) {
        let wires = &self.world.wires;
        for core in cores {
            match signal {
                Signal::Init => wires.send_init(core),
                Signal::Startup => wires.send_startup(core),
                Signal::Nmi => {}
            }
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

/// Everything but the other cores.
pub struct Board {
    /// The world.
    pub world: Rc<World>,
}

impl Platform for Board {
    type Cores = Others;
    type Port = Silent;
    type Refusal = &'static str;

    fn wake_count(&self) -> u64 {
        self.world.spend(10);
        self.world.monitor.wakes.get()
    }

    fn sleep(&mut self, seen: u64, most_ns: Option<u64>) {
        let world = &self.world;
        if world.monitor.wakes.get() != seen {
            return;
        }
        let until_ns = most_ns.map_or(u64::MAX, |most_ns| {
            world.now_ns() + most_ns + world.random.below(20 * US)
        });
        world.sleep(until_ns);
    }

    fn seize_interrupts(&mut self) {
        self.world.spend(self.world.random.below(100 * US));
    }

    fn quiet_devices(&mut self, _next: Instance) -> bool {
        self.world.spend(self.world.random.below(100 * US));
        self.world.wires.card.quiet();
        true
    }

    fn load(
        &mut self,
        request: &LoadRequest<'_>,
    ) -> Result<Box<dyn Tenant<Others>>, Self::Refusal> {
        let LoadRequest {
            instance, cores, ..
        } = *request;
        let world = &self.world;
        let values = &world.oracle.values;
        (world.incarnations).give_memory_away(instance, |number| values.found(number));
        let runs_it = |core: &&Core| monitor::runs_instance(world, core, instance);
        if let Some(core) = world.scheduler.cores.iter().find(runs_it) {
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
        let incarnation = world.incarnations.add(instance, cores);
        Ok(Box::new(Native::new(world, incarnation, request.source)))
    }

    fn report_refused(&self, _: &LoadRequest<'_>, _: &Self::Refusal) {}

    fn slot(&self, _: Instance) -> Option<PhysicalRange> {
        None
    }

    fn verify_uploaded(&mut self, _: Instance, _: PhysicalRange) -> Result<(), Self::Refusal> {
        Err("nothing can be uploaded here")
    }

    fn store_uploaded(&mut self, _: Instance, _: PhysicalRange) -> Result<Source, Self::Refusal> {
        Err("nothing can be uploaded here")
    }

    /// Does nothing: code that is simulated does not get stuck.
    fn idle(&mut self, _: &Control) -> bool {
        false
    }

    fn watch_main_loop(&mut self) {}

    /// Does nothing: the monitor's own text is not simulated.
    fn check_memory(&mut self, _now_ns: u64) {}

    /// Does nothing, as nothing here hangs the seat.
    fn pet_watchdog(&mut self, _now_ns: u64) {}

    fn stop_watchdog(&mut self) {}

    fn heap_bytes(&self) -> usize {
        0
    }

    fn power_off(&mut self) {
        // No simulated kernel is told to.
        unreachable!("no kernel asks for it")
    }

    fn reset(&mut self) -> ! {
        self.world.monitor.is_reset.set(true);
        self.world.scheduler.halt()
    }
}
