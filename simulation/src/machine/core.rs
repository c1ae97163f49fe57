//! A core: a coroutine with a clock of its own.
//!
//! Its program is the kernels' own code, which knows nothing of this. It is suspended at its accesses to shared memory and when it sleeps, and goes on
//! when no other core is behind it in time. INIT drops it, wherever it stands.

use std::cell::{Cell, RefCell};

use corosensei::{Coroutine, CoroutineResult, Yielder};

/// What a core does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It was never started, or stopped by INIT: it waits for SIPI.
    Off,
    /// It executes instructions.
    Ready,
    /// It is in HLT, with interrupts on; it wakes at this time at the latest, in ns.
    Asleep(u64),
    /// It halted with interrupts off, or hangs: nothing but INIT moves it.
    Still,
}

/// Interrupts, as bits.
pub mod interrupt {
    /// A keepalive has come.
    pub const KEEPALIVE: u32 = 1;
    /// The owner has left an epitaph.
    pub const EPITAPH: u32 = 2;
    /// A device has something for it.
    pub const DEVICE: u32 = 8;
    /// The core's timer.
    pub const TICK: u32 = 4;
}

type Program = Coroutine<(), (), ()>;

/// One core of the machine.
pub struct Core {
    /// Its number; 0 is the seat.
    pub number: u32,
    /// Its clock, in ns: when its next instruction is executed.
    pub time_ns: Cell<u64>,
    /// What it does.
    pub run: Cell<Run>,
    /// Number of the incarnation, see [`Incarnation`](crate::kernels::incarnation::Incarnation), whose instructions it executes.
    pub incarnation: Cell<Option<u32>>,
    /// Interrupts that wait for it.
    pub pending: Cell<u32>,
    /// Interrupts are off, or one is being handled.
    pub is_deaf: Cell<bool>,
    /// Its program is being dropped: what the destructors do is done by nobody.
    pub is_ending: Cell<bool>,
    /// The seat runs the backup as a guest.
    pub runs_guest: Cell<bool>,
    /// It takes neither INIT nor SIPI.
    pub is_stuck: Cell<bool>,
    program: RefCell<Option<Program>>,
    yielder: Cell<Option<*const Yielder<(), ()>>>,
}

impl Core {
    /// A core that is off.
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

    /// Returns when it executes next, in ns, and its number; nothing if it will not by itself.
    pub fn next(&self) -> Option<(u64, u32)> {
        match self.run.get() {
            Run::Ready => Some((self.time_ns.get(), self.number)),
            Run::Asleep(until_ns) => Some((until_ns.max(self.time_ns.get()), self.number)),
            Run::Off | Run::Still => None,
        }
    }

    /// Gives it a program, to be begun at `time_ns`.
    pub fn start(&self, time_ns: u64, program: impl FnOnce(&Yielder<(), ()>) + 'static) {
        self.stop();
        self.time_ns.set(self.time_ns.get().max(time_ns));
        self.run.set(Run::Ready);
        let program = Coroutine::new(move |yielder: &Yielder<(), ()>, ()| program(yielder));
        *self.program.borrow_mut() = Some(program);
    }

    /// From the beginning of its program: by this it is suspended.
    pub fn is_run_by(&self, yielder: &Yielder<(), ()>) {
        self.yielder.set(Some(yielder));
    }

    /// Takes its program away, wherever that stands.
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

    /// Lets it go on until it suspends itself.
    pub fn resume(&self) {
        let Some(mut program) = self.program.borrow_mut().take() else {
            return self.run.set(Run::Still);
        };
        match program.resume(()) {
            CoroutineResult::Yield(()) => *self.program.borrow_mut() = Some(program),
            CoroutineResult::Return(()) => self.run.set(Run::Still),
        }
    }

    /// From its program: lets others go on first.
    pub fn suspend(&self) {
        if let Some(yielder) = self.yielder.get() {
            // SAFETY: the yielder was lent to the program for as long as it runs, and this is called by that program alone: `stop` forgets the
            // pointer with it, and the destructors that run then do not come here.
            unsafe { (*yielder).suspend(()) };
        }
    }
}
