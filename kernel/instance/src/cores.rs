//! What the instance keeps of each of its cores: number, progress, descriptor tables.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};

use arch::cpu;
use arch::descriptors::CoreTables;
use sharedmem::MAX_CORES;

/// What one core keeps. Its number comes first, where GS points.
#[repr(C)]
pub struct Core {
    number: u64,
    progress: AtomicU64,
    tables: UnsafeCell<CoreTables>,
}

// SAFETY: `tables` are touched only by the core they belong to; the rest is atomic or constant.
unsafe impl Sync for Core {}

const fn cores() -> [Core; MAX_CORES] {
    let mut cores = [const { Core::new(0) }; MAX_CORES];
    let mut number = 0;
    while number < MAX_CORES {
        cores[number].number = number as u64;
        number += 1;
    }
    cores
}

static CORES: [Core; MAX_CORES] = cores();

/// The core that serves, sends keepalives, and owns the devices.
pub const LEAD: usize = 0;

impl Core {
    const fn new(number: u64) -> Self {
        Self {
            number,
            progress: AtomicU64::new(0),
            tables: UnsafeCell::new(CoreTables::new()),
        }
    }

    /// The main loop came round, or a long piece of work went on.
    pub fn advance(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it did.
    pub fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Makes this the core that runs: its number is this one's, and it uses these descriptor tables.
    ///
    /// # Safety
    /// Once per core and life, on that core, with interrupts off.
    pub unsafe fn become_current(&'static self) {
        // SAFETY: the first field is the number, in a static.
        unsafe { cpu::set_core_number(&self.number) };
        // SAFETY: these tables are this core's alone.
        unsafe { CoreTables::load(self.tables.get()) };
    }
}

/// Core `number` of this instance.
pub fn core(number: usize) -> &'static Core {
    &CORES[number % MAX_CORES]
}

/// The core that asks.
pub fn this() -> &'static Core {
    core(cpu::core_number())
}

/// Takes this core's exception stack away, so that the next exception becomes a double fault. Fault injection.
pub fn ruin_exception_stack() {
    // SAFETY: this core's own tables; the kernel is about to die by them.
    unsafe { CoreTables::ruin_exception_stack(this().tables.get()) };
}
