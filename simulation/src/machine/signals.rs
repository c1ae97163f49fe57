//! What is on its way to a core, or on the wire: interrupts, INIT, SIPI, frames.

use std::rc::Rc;

use crate::kernels::incarnation;
use crate::machine::core::{Run, interrupt};
use crate::machine::wire::Frame;
use crate::world::{Event, MS, US, World};

impl World {
    /// Interrupts reach a core now.
    pub fn interrupt(&self, number: u32, kinds: u32) {
        let core = &self.cores[number as usize];
        if matches!(core.run.get(), Run::Off | Run::Still) {
            return;
        }
        core.pending.set(core.pending.get() | kinds);
        if matches!(core.run.get(), Run::Asleep(_)) {
            core.time_ns.set(core.time_ns.get().max(self.now_ns()));
            core.run.set(Run::Ready);
        }
    }

    /// Sends an interrupt from one core to another. It may be late, lost or come twice.
    pub fn send_interrupt(&self, core: u32, kinds: u32) {
        let chaos = &self.scenario.signals;
        if kinds == interrupt::KEEPALIVE && self.once_in(chaos.lost_once_in) {
            return;
        }
        let late_ns = match self.once_in(chaos.late_once_in) {
            true => self.below(chaos.late_ns_max),
            false => self.below(2 * US),
        };
        self.after(late_ns, Event::Interrupt(core, kinds));
        if self.once_in(chaos.doubled_once_in) {
            let later_ns = late_ns + self.below(MS);
            self.after(later_ns, Event::Interrupt(core, kinds));
        }
    }

    /// Sends a frame on its way; it may be lost, late, or come twice.
    pub fn transmit(&self, frame: Frame, event: impl Fn(Frame) -> Event) {
        let chaos = &self.scenario.wire;
        let delay_ns = |world: &Self| {
            let late_ns = match world.once_in(chaos.late_once_in) {
                true => world.below(chaos.late_ns_max),
                false => 0,
            };
            20 * US + world.below(80 * US) + late_ns
        };
        if self.once_in(chaos.doubled_once_in) {
            self.after(delay_ns(self), event(frame.clone()));
        }
        if !self.once_in(chaos.lost_once_in) {
            self.after(delay_ns(self), event(frame));
        }
    }

    /// INIT takes a core when it is next scheduled: until then, what it runs goes on.
    pub(crate) fn init_arrives(&self, number: u32) {
        let core = &self.cores[number as usize];
        if self.oracle.is_stuck(number) {
            return;
        }
        // A core that was paused is scheduled again first, and goes on for a moment.
        if core.run.get() == Run::Ready && core.time_ns.get() > self.now_ns() + 100 * US {
            let pause_ns = core.time_ns.get() - self.now_ns();
            let delay_ns = pause_ns + self.below(20 * US);
            return self.after(delay_ns, Event::Init(number));
        }
        core.stop();
        core.time_ns.set(core.time_ns.get().max(self.now_ns()));
    }

    pub(crate) fn startup_arrives(self: &Rc<Self>, number: u32) {
        let core = &self.cores[number as usize];
        if self.oracle.is_stuck(number) || core.run.get() != Run::Off {
            return;
        }
        let world = Rc::clone(self);
        self.start(number, self.below(5 * US), move || {
            incarnation::arrive(&world, number)
        });
    }

    pub(crate) fn arrive(&self, frame: Frame) {
        if let Some(incarnation) = self.card.driver.get() {
            self.oracle.delivered_to(self, incarnation);
            self.card.received.borrow_mut().push_back(frame);
            let lead = self.incarnation(incarnation).lead.get();
            self.interrupt(lead, interrupt::DEVICE);
        }
    }
}
