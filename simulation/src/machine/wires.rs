//! The wires: signals on their way to cores, and frames on their way between clients and the network card. Each may be
//! late, lost, or come twice.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::machine::core::interrupt;
use crate::machine::events::Event;
use crate::machine::frame::Frame;
use crate::machine::random::Random;
use crate::machine::scheduler::Scheduler;
use crate::machine::{MS, US};
use crate::scenario::Chaos;

/// The network card.
#[derive(Default)]
pub struct Card {
    /// The incarnation that drives it. The card masters the bus for that one.
    pub driver: Cell<Option<u32>>,
    /// Frames that arrived and were not fetched. The card wrote them into its driver's memory.
    pub received: RefCell<VecDeque<Frame>>,
}

impl Card {
    /// Resets the card and gives it to a driver.
    pub fn adopt(&self, incarnation: u32) {
        self.driver.set(Some(incarnation));
        self.received.borrow_mut().clear();
    }

    /// Takes bus mastering from the card.
    pub fn quiet(&self) {
        self.driver.set(None);
        self.received.borrow_mut().clear();
    }
}

/// Signals between cores, frames, and the network card.
pub struct Wires {
    /// The network card.
    pub card: Card,
    scheduler: Rc<Scheduler>,
    random: Rc<Random>,
    signals: Chaos,
    frames: Chaos,
}

impl Wires {
    /// Makes wires that disturb signals and frames this much.
    pub fn new(
        scheduler: Rc<Scheduler>,
        random: Rc<Random>,
        signals: Chaos,
        frames: Chaos,
    ) -> Self {
        Self {
            card: Card::default(),
            scheduler,
            random,
            signals,
            frames,
        }
    }

    /// Sends interrupts to a core. Only a keepalive may be lost.
    pub fn send_interrupt(&self, core: u32, kinds: u32) {
        let chaos = &self.signals;
        if kinds == interrupt::KEEPALIVE && self.random.once_in(chaos.lost_once_in) {
            return;
        }
        let late_ns = match self.random.once_in(chaos.late_once_in) {
            true => self.random.below(chaos.late_ns_max),
            false => self.random.below(2 * US),
        };
        self.scheduler.after(late_ns, Event::Interrupt(core, kinds));
        if self.random.once_in(chaos.doubled_once_in) {
            let later_ns = late_ns + self.random.below(MS);
            self.scheduler
                .after(later_ns, Event::Interrupt(core, kinds));
        }
    }

    /// Sends INIT to a core. It is never lost.
    pub fn send_init(&self, core: u32) {
        self.scheduler
            .after(self.signal_delay_ns(), Event::Init(core));
    }

    /// Sends SIPI to a core.
    pub fn send_startup(&self, core: u32) {
        let delay_ns = self.signal_delay_ns();
        if !self.random.once_in(self.signals.lost_once_in) {
            self.scheduler.after(delay_ns, Event::Startup(core));
        }
    }

    /// Draws the delay of a signal. A host that has no time for a virtual core delivers it late.
    fn signal_delay_ns(&self) -> u64 {
        match self.random.once_in(self.signals.late_once_in) {
            true => self.random.below(8 * MS),
            false => self.random.below(20 * US),
        }
    }

    /// Sends a frame. It arrives as the event that `event` makes of it.
    pub fn transmit(&self, frame: Frame, event: impl Fn(Frame) -> Event) {
        if self.random.once_in(self.frames.doubled_once_in) {
            self.scheduler
                .after(self.frame_delay_ns(), event(frame.clone()));
        }
        if !self.random.once_in(self.frames.lost_once_in) {
            self.scheduler.after(self.frame_delay_ns(), event(frame));
        }
    }

    fn frame_delay_ns(&self) -> u64 {
        let late_ns = match self.random.once_in(self.frames.late_once_in) {
            true => self.random.below(self.frames.late_ns_max),
            false => 0,
        };
        20 * US + self.random.below(80 * US) + late_ns
    }
}
