//! A core: a coroutine with a clock of its own.
//!
//! Its program is the kernels' code, which knows nothing of the simulation. The core is suspended at its accesses to
//! shared memory and when it sleeps, and goes on when no other core is behind it in time. INIT drops the program
//! wherever it stands.

use std::cell::{Cell, RefCell};

use corosensei::{Coroutine, CoroutineResult, Yielder};

/// The state of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It was never started, or INIT stopped it. It waits for SIPI.
    Off,
    /// It executes instructions.
    Ready,
    /// It is in HLT with interrupts on. It wakes at this time at the latest, in ns.
    Asleep(u64),
    /// It halted with interrupts off, or hangs. Only INIT ends that.
    Still,
}

/// Interrupts, as bits.
pub mod interrupt {
    /// A keepalive has come.
    pub const KEEPALIVE: u32 = 1;
    /// The primary has left an epitaph.
    pub const EPITAPH: u32 = 2;
    /// A device has something for the core.
    pub const DEVICE: u32 = 8;
    /// The core's timer fired.
    pub const TICK: u32 = 4;
}

type Program = Coroutine<(), (), ()>;

/// One core of the machine.
pub struct Core {
    /// Its number; 0 is the seat.
    pub number: u32,
    /// Its clock: the time of its next instruction, in ns.
    pub time_ns: Cell<u64>,
    /// Its state.
    pub run: Cell<Run>,
    /// Number of the [`Incarnation`](crate::kernels::incarnation::Incarnation) whose instructions it executes.
    pub incarnation: Cell<Option<u32>>,
    /// Interrupts that are pending.
    pub pending: Cell<u32>,
    /// Interrupts are off, or one is being handled.
    pub is_deaf: Cell<bool>,
    /// Its program is being dropped. Accesses of the destructors are nobody's.
    pub is_ending: Cell<bool>,
    /// The seat runs the waiting backup as a guest.
    pub runs_guest: Cell<bool>,
    /// It takes neither INIT nor SIPI.
    pub is_stuck: Cell<bool>,
    program: RefCell<Option<Program>>,
    yielder: Cell<Option<*const Yielder<(), ()>>>,
}

impl Core {
    /// Makes a core that is off.
    pub fn new(number: u32) -> Self {
        Self {
            number,
            time_ns: Cell::new(0),
            run: Cell::new(Run::Off),
            incarnation: Cell::new(None),
            pending: Cell::new(0),
            is_deaf: Cell::new(true),
            is_ending: Cell::new(false),
            runs_guest: Cell::new(false),
            is_stuck: Cell::new(false),
            program: RefCell::new(None),
            yielder: Cell::new(None),
        }
    }

    /// Returns whether it was started and not stopped by INIT.
    pub fn is_on(&self) -> bool {
        self.run.get() != Run::Off
    }

    /// Returns when it executes next, in ns, and its number. Returns nothing if only an event can make it execute.
    pub fn next(&self) -> Option<(u64, u32)> {
        match self.run.get() {
            Run::Ready => Some((self.time_ns.get(), self.number)),
            Run::Asleep(until_ns) => Some((until_ns.max(self.time_ns.get()), self.number)),
            Run::Off | Run::Still => None,
        }
    }

    /// Gives it a program that begins at `time_ns`.
    pub fn start(&self, time_ns: u64, program: impl FnOnce(&Yielder<(), ()>) + 'static) {
        self.stop();
        self.time_ns.set(self.time_ns.get().max(time_ns));
        self.run.set(Run::Ready);
        let program = Coroutine::new(move |yielder: &Yielder<(), ()>, ()| program(yielder));
        *self.program.borrow_mut() = Some(program);
    }

    /// Notes by what the core is suspended. Its program calls this first.
    pub fn is_run_by(&self, yielder: &Yielder<(), ()>) {
        self.yielder.set(Some(yielder));
    }

    /// Drops its program, wherever that stands.
    pub fn stop(&self) {
        let program = self.program.borrow_mut().take();
        self.is_ending.set(true);
        drop(program);
        self.is_ending.set(false);
        self.yielder.set(None);
        self.run.set(Run::Off);
        self.incarnation.set(None);
        self.pending.set(0);
        self.is_deaf.set(true);
    }

    /// Runs it until it suspends itself.
    pub fn resume(&self) {
        let Some(mut program) = self.program.borrow_mut().take() else {
            return self.run.set(Run::Still);
        };
        match program.resume(()) {
            CoroutineResult::Yield(()) => *self.program.borrow_mut() = Some(program),
            CoroutineResult::Return(()) => self.run.set(Run::Still),
        }
    }

    /// Suspends it. Only its own program calls this.
    pub fn suspend(&self) {
        if let Some(yielder) = self.yielder.get() {
            // SAFETY: the yielder is lent to the program for as long as it runs, and only that program calls this.
            // `stop` forgets the pointer with the program, and the destructors that run then do not come here.
            unsafe { (*yielder).suspend(()) };
        }
    }
}
