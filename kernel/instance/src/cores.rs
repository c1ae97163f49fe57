//! What the instance keeps of each of its cores: number, progress, descriptor tables.

use alloc::alloc::{alloc_zeroed, handle_alloc_error};
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use arch::cpu;
use arch::descriptors::CoreTables;
use sharedmem::MAX_CORES;

/// The state of a core. The number comes first, because GS points there.
#[repr(C)]
pub struct Core {
    number: u64,
    progress: AtomicU64,
    ticks: AtomicU64,
    tables: AtomicPtr<CoreTables>,
}

/// Descriptor tables of the lead, which has no heap yet when it needs them.
struct LeadTables(UnsafeCell<CoreTables>);

// SAFETY: the lead alone uses them.
unsafe impl Sync for LeadTables {}

static LEAD_TABLES: LeadTables = LeadTables(UnsafeCell::new(CoreTables::new()));

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

/// The number of the lead: the core that serves, sends keepalives, and drives the devices.
pub const LEAD: usize = 0;

impl Core {
    const fn new(number: u64) -> Self {
        Self {
            number,
            progress: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            tables: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Counts a round of the main loop, or a step of a long piece of work.
    pub fn advance(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the count.
    pub fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Counts a tick of its timer. Returns how many there were before.
    pub fn count_tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed)
    }

    /// Gives the core that runs this number and these descriptor tables.
    ///
    /// # Safety
    /// Called once for each core, on that core, with interrupts off.
    pub unsafe fn become_current(&'static self) {
        // SAFETY: the first field is the number, in a static.
        unsafe { cpu::set_core_number(&self.number) };
        let tables = match self.number as usize {
            LEAD => LEAD_TABLES.0.get(),
            _ => allocate_tables(),
        };
        self.tables.store(tables, Ordering::Relaxed);
        // SAFETY: these tables are this core's alone, and never freed.
        unsafe { CoreTables::load(tables) };
    }
}

/// Allocates the tables of a further core. They are larger than its stack.
fn allocate_tables() -> *mut CoreTables {
    let layout = Layout::new::<CoreTables>();
    // SAFETY: the layout is not empty.
    let tables = unsafe { alloc_zeroed(layout) }.cast::<CoreTables>();
    if tables.is_null() {
        handle_alloc_error(layout);
    }
    tables
}

/// Returns the state of core `number`.
pub fn core(number: usize) -> &'static Core {
    &CORES[number % MAX_CORES]
}

/// Returns the state of the core that runs.
pub fn this() -> &'static Core {
    core(cpu::core_number())
}

/// Takes this core's exception stack away, so that the next exception becomes a double fault. For fault injection.
pub fn ruin_exception_stack() {
    // SAFETY: the tables are this core's own, and the kernel is meant to die.
    unsafe { CoreTables::ruin_exception_stack(this().tables.load(Ordering::Relaxed)) };
}
