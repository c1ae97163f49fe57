//! The cores of the instance: their numbers, their progress, their timers, and what those do that have nothing else to do.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};

use arch::descriptors::CoreTables;
use arch::{cpu, traps as arch_traps};
use sharedmem::MAX_CORES;

use crate::context::{self, Context};
use crate::{faults, memory, traps};

/// What one core keeps. Its number comes first, where GS points.
#[repr(C)]
pub struct Core {
    number: u64,
    progress: AtomicU64,
    order: AtomicU64,
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
            order: AtomicU64::new(0),
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

    /// Leaves word for the core's main loop.
    pub fn leave_word(&self, word: u64) {
        self.order.store(word, Ordering::Release);
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

/// Brings the core that runs under this instance's rule: tables, traps, local APIC, timer. Interrupts are still off afterwards.
///
/// # Errors
/// The local APIC's registers could not be mapped.
///
/// # Safety
/// Once per core and life, on that core, with interrupts off.
pub unsafe fn take_over(context: &Context, number: usize) -> Result<(), &'static str> {
    let core = core(number);
    // SAFETY: the first field is the number, in a static.
    unsafe { cpu::set_core_number(&core.number) };
    // SAFETY: these tables are this core's alone.
    unsafe { CoreTables::load(core.tables.get()) };
    if number == LEAD {
        // SAFETY: the lead comes first, and its tables are loaded.
        unsafe { arch_traps::install(traps::handle) };
        // SAFETY: these are the local APIC's registers, of the cores this instance owns.
        unsafe { memory::map_device(context.hand_off.local_apic_address, 4096) }
            .map_err(|_| "the local APIC's registers cannot be mapped")?;
    } else {
        // SAFETY: the lead installed the table before any other core was started.
        unsafe { arch_traps::load() };
    }
    let apic = &context.local_apic;
    apic.enable(traps::VECTOR_SPURIOUS)
        .map_err(|_| "the local APIC cannot be enabled")?;
    // INIT has cleared it; a stuck bit would silence every vector below, so it is worth a look.
    let _ = apic.drain();
    apic.timer_periodic(
        traps::VECTOR_TICK,
        timer_count(context, context.options.keepalive_ns),
    );
    Ok(())
}

/// Counts of the local APIC's timer in `duration_ns`: at least one, as none would stop it.
pub fn timer_count(context: &Context, duration_ns: u64) -> u32 {
    let counts =
        u128::from(context.hand_off.apic_timer_hz) * u128::from(duration_ns) / 1_000_000_000;
    u32::try_from(counts).unwrap_or(u32::MAX).max(1)
}

/// The life of a core beside the lead: it comes round once a tick, and says so.
pub fn join(number: usize) -> ! {
    let context = context::get();
    // SAFETY: the monitor sends each core here once, with interrupts off.
    if let Err(reason) = unsafe { take_over(context, number) } {
        panic!("core {number} cannot join: {reason}");
    }
    let core = core(number);
    loop {
        core.advance();
        faults::obey(core.order.swap(0, Ordering::AcqRel));
        cpu::wait_unless(|| false);
    }
}

/// Takes this core's exception stack away, so that the next exception becomes a double fault. Fault injection.
pub fn ruin_exception_stack() {
    // SAFETY: this core's own tables; the kernel is about to die by them.
    unsafe { CoreTables::ruin_exception_stack(this().tables.get()) };
}
