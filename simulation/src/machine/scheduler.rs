//! The scheduler: the cores, their clocks, and the one place that decides which core executes next.
//!
//! The core whose clock is farthest behind executes next, until it has passed the next core or the next event. So all
//! accesses to shared memory happen in the order of the cores' clocks, and the seed decides how these advance.

use std::cell::Cell;
use std::rc::Rc;

use crate::machine::core::{Core, Run};
use crate::machine::events::{Event, Events};

/// Cores, clocks and events.
pub struct Scheduler {
    /// The cores, by number. Core 0 is the seat.
    pub cores: Vec<Core>,
    events: Events,
    /// The core that executes now.
    current: Cell<Option<u32>>,
    /// Time up to which the core that executes goes on, in ns.
    horizon_ns: Cell<u64>,
    /// Time of the event that happens now, or of the last one.
    now_ns: Cell<u64>,
}

/// What happened in a turn.
#[derive(Debug)]
pub enum Turn {
    /// An event is due, now.
    Event(Event),
    /// A core executed some instructions.
    Executed,
    /// Nothing happened, and nothing ever will.
    Nothing,
}

impl Scheduler {
    /// Makes `count` cores, all off, at time 0.
    pub fn new(count: u32) -> Self {
        Self {
            cores: (0..count).map(Core::new).collect(),
            events: Events::default(),
            current: Cell::new(None),
            horizon_ns: Cell::new(0),
            now_ns: Cell::new(0),
        }
    }

    /// Returns the time, in ns: of the core that executes, or of the event that happens.
    pub fn now_ns(&self) -> u64 {
        self.current()
            .map_or(self.now_ns.get(), |core| core.time_ns.get())
    }

    /// Returns the core that executes now.
    pub fn current(&self) -> Option<&Core> {
        self.current.get().map(|number| self.core(number))
    }

    /// Returns a core by its number.
    ///
    /// # Panics
    /// The machine has no such core.
    pub fn core(&self, number: u32) -> &Core {
        &self.cores[number as usize]
    }

    /// Lets an event happen after `delay_ns`.
    pub fn after(&self, delay_ns: u64, event: Event) {
        self.events.add(self.now_ns() + delay_ns, event);
    }

    /// Starts a core on a program after `delay_ns`.
    pub fn start(self: &Rc<Self>, number: u32, delay_ns: u64, program: impl FnOnce() + 'static) {
        let (scheduler, begin_ns) = (Rc::clone(self), self.now_ns() + delay_ns);
        self.core(number).start(begin_ns, move |yielder| {
            scheduler.core(number).is_run_by(yielder);
            program();
        });
    }

    /// Marks interrupts as pending on a core, and wakes it if it sleeps.
    pub fn interrupt(&self, number: u32, kinds: u32) {
        let core = self.core(number);
        if matches!(core.run.get(), Run::Off | Run::Still) {
            return;
        }
        core.pending.set(core.pending.get() | kinds);
        if matches!(core.run.get(), Run::Asleep(_)) {
            core.time_ns.set(core.time_ns.get().max(self.now_ns()));
            core.run.set(Run::Ready);
        }
    }

    /// Halts the core that executes with interrupts off. Only INIT ends that.
    pub fn halt(&self) -> ! {
        loop {
            if let Some(core) = self.current() {
                core.run.set(Run::Still);
                core.suspend();
            }
        }
    }

    /// Advances a core's clock, and lets others execute if it has passed them.
    pub fn advance(&self, core: &Core, time_ns: u64) {
        core.time_ns.set(core.time_ns.get() + time_ns);
        if core.time_ns.get() > self.horizon_ns.get() {
            core.suspend();
        }
    }

    /// Takes the next event, or lets one core execute some instructions.
    pub fn turn(&self) -> Turn {
        let event_ns = self.events.next_ns();
        let mut times = self.cores.iter().filter_map(Core::next);
        let Some(mut first) = times.next() else {
            return self.take_event();
        };
        let mut second_ns = u64::MAX;
        for next in times {
            let later = first.max(next);
            first = first.min(next);
            second_ns = second_ns.min(later.0);
        }
        if event_ns.is_some_and(|at_ns| at_ns <= first.0) {
            return self.take_event();
        }
        let (time_ns, number) = first;
        if time_ns == u64::MAX {
            return Turn::Nothing;
        }
        let core = self.core(number);
        core.time_ns.set(time_ns);
        core.run.set(Run::Ready);
        self.horizon_ns
            .set(second_ns.min(event_ns.unwrap_or(u64::MAX)));
        self.now_ns.set(time_ns);
        self.current.set(Some(number));
        core.resume();
        self.current.set(None);
        Turn::Executed
    }

    fn take_event(&self) -> Turn {
        let Some((at_ns, event)) = self.events.take() else {
            return Turn::Nothing;
        };
        self.now_ns.set(at_ns);
        Turn::Event(event)
    }
}
