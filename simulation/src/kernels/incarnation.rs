//! An incarnation of an instance, from the loading of its image on: it waits as a guest on the seat, or owns the machine.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;

use replica::Replica;
use sharedmem::Instance;
use sharedmem::epitaph::{EpitaphCause, EpitaphText};
use sharedmem::keepalive::Keepalive;

use crate::kernels::host::Kernel;
use crate::machine::core::interrupt;
use crate::world::World;

/// Every instance that was loaded, in order.
#[derive(Default)]
pub struct Incarnations(RefCell<Vec<Rc<Incarnation>>>);

impl Incarnations {
    /// Adds the next incarnation, of an instance on these cores.
    pub fn add(&self, instance: Instance, cores: &[u32]) -> Rc<Incarnation> {
        let mut all = self.0.borrow_mut();
        let incarnation = Rc::new(Incarnation::new(all.len() as u32, instance, cores));
        all.push(Rc::clone(&incarnation));
        incarnation
    }

    /// Returns the incarnation with this number.
    ///
    /// # Panics
    /// There is none.
    pub fn get(&self, number: u32) -> Rc<Incarnation> {
        Rc::clone(&self.0.borrow()[number as usize])
    }

    /// Gives the memory of all incarnations of an instance away, because another one is loaded there.
    pub fn give_memory_away(&self, instance: Instance) {
        let all = self.0.borrow();
        let its = all.iter().filter(|it| it.instance == instance);
        its.for_each(|it| it.is_gone.set(true));
    }

    /// Forgets them all.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

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
    fn new(number: u32, instance: Instance, cores: &[u32]) -> Self {
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

    /// Publishes a keepalive and sends its interrupt.
    pub fn send_keepalive(&self, world: &World) {
        let mut keepalive = Keepalive::first(self.epoch.get(), self.cores.len() as u32);
        self.sequence.set(self.sequence.get() + 1);
        keepalive.sequence = self.sequence.get();
        keepalive.time_ns = world.now_ns();
        for (to, progress) in keepalive.progress.iter_mut().zip(&self.progress) {
            *to = progress.get();
        }
        world
            .memory
            .region
            .control
            .primary_keepalive
            .publish(&keepalive);
        world.wires.send_interrupt(0, interrupt::KEEPALIVE);
    }

    /// Ends the core that executes: it leaves an epitaph and sends its last interrupt.
    pub fn die(&self, world: &World, cause: EpitaphCause, message: &str) -> ! {
        if let Some(core) = world.scheduler.current() {
            core.is_deaf.set(true);
            world.owner_died();
        }
        let mut text = EpitaphText::new(self.epoch.get(), cause, 0);
        let _ = text.write_str(message);
        text.time_ns = world.now_ns();
        world.memory.region.control.epitaphs[self.instance].write(&text);
        world.wires.send_interrupt(0, interrupt::EPITAPH);
        world.scheduler.halt()
    }
}
