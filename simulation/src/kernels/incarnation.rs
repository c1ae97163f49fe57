//! An incarnation: an instance from the loading of its image on. It waits as a guest on the seat, or is the primary.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;

use replica::Replica;
use sharedmem::Instance;
use sharedmem::epitaph::{EpitaphCause, EpitaphText};
use sharedmem::keepalive::Keepalive;

use crate::kernels::host::Kernel;
use crate::machine::core::interrupt;
use crate::oracle::KEY;
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

    /// Marks the memory of an instance's incarnations as given away, because the next one is loaded there. Calls `each`
    /// with their numbers.
    pub fn give_memory_away(&self, instance: Instance, each: impl Fn(u32)) {
        let all = self.0.borrow();
        for its in all.iter().filter(|it| it.instance == instance) {
            its.is_gone.set(true);
            each(its.number);
        }
    }

    /// Returns the incarnation that waits, or gets ready to.
    pub fn waiting(&self) -> Option<Rc<Incarnation>> {
        let all = self.0.borrow();
        let mut newest = all.iter().rev();
        let waits = |it: &&Rc<Incarnation>| it.epoch.get() == 0 && !it.is_gone.get();
        newest.find(waits).cloned()
    }

    /// Drops them all.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

/// An instance that was loaded.
pub struct Incarnation {
    /// Its number, counted from power-on.
    pub number: u32,
    /// The instance whose image was loaded.
    pub instance: Instance,
    /// The epoch in which it is the primary; 0 before.
    pub epoch: Cell<u64>,
    /// The core that leads it, by the machine's number; 0 before it is the primary.
    pub lead: Cell<u32>,
    /// Its cores, by the machine's numbers; the first leads.
    pub cores: Vec<u32>,
    /// Number of rounds of each core's main loop.
    pub progress: Vec<Cell<u64>>,
    /// Its memory was given to a later incarnation.
    pub is_gone: Cell<bool>,
    /// The replica that follows the journal while the incarnation waits.
    pub standby: RefCell<Option<Replica<Kernel>>>,
    /// Which bit of a value is to change in its memory, as soon as it has that value.
    pub flip: Cell<Option<u64>>,
    /// No frame leaves it.
    pub gate_stands: Cell<bool>,
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
            flip: Cell::new(None),
            gate_stands: Cell::new(false),
            sequence: Cell::new(0),
        }
    }

    /// Changes a bit of a value in its memory, if that is planned.
    pub fn flip_value(&self, world: &World, replica: &mut Replica<Kernel>) {
        let Some(bit) = self.flip.get() else { return };
        if replica
            .checkpointed_mut()
            .service
            .state_mut()
            .flip_bit_of(KEY, bit)
        {
            self.flip.set(None);
            let is_primary = self.epoch.get() != 0;
            let values = &world.oracle.values;
            values.flips(self.number, world.now_ns(), is_primary);
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
            world.primary_died();
        }
        let mut text = EpitaphText::new(self.epoch.get(), cause, 0);
        let _ = text.write_str(message);
        text.time_ns = world.now_ns();
        world.memory.region.control.epitaphs[self.instance].write(&text);
        world.wires.send_interrupt(0, interrupt::EPITAPH);
        world.scheduler.halt()
    }
}
