//! The way of other cores from the [start page](start_page) over their mailboxes into an instance.
//!
//! A core comes here by INIT and SIPI, at boot as after a fence. It checks in at its
//! [mailbox](supervisor::ApMailboxes), looks for an order, and either enters an instance or stops.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arch::machine_check;
use partition::ApicId;
use sharedmem::MAX_CORES;
use supervisor::{ApMailboxes, Order};

use crate::start_page::{self, Words};

/// PAE, OSFXSR, OSXMMEXCPT: paging for long mode, and the SSE that compiled code uses.
pub const CR4: u32 = 1 << 5 | 1 << 9 | 1 << 10;
/// Long mode enable, no-execute enable.
pub const EFER: u32 = 1 << 8 | 1 << 11;
/// Paging, write protection in ring 0, native FPU errors, monitor coprocessor, protected mode.
pub const CR0: u32 = 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1;

/// How long the core that is to lead stays awake after its check-in, waiting for its order, in rounds of PAUSE.
const LINGER_ROUNDS: u32 = 2_000_000;

/// No core's APIC id: as a destination it would be everybody's.
const NO_CORE: u32 = u32::MAX;

/// Stack of a core while it is with the monitor, in bytes; it takes an order there, and perhaps an NMI.
const CORE_STACK_BYTES: usize = 1 << CORE_STACK_SHIFT;
/// The same, as a power of two.
pub const CORE_STACK_SHIFT: u32 = 11;

#[repr(C, align(4096))]
struct Stacks(UnsafeCell<[[u8; CORE_STACK_BYTES]; MAX_CORES]>);

// SAFETY: each core uses its own element.
unsafe impl Sync for Stacks {}

static AP_MAILBOXES: ApMailboxes = ApMailboxes::new();
static STACKS: Stacks = Stacks(UnsafeCell::new([[0; CORE_STACK_BYTES]; MAX_CORES]));
static APIC_IDS: [AtomicU32; MAX_CORES] = [const { AtomicU32::new(NO_CORE) }; MAX_CORES];
static LENT_GENERATION: AtomicU64 = AtomicU64::new(0);

/// Writes the start page, for the first [`MAX_CORES`] of these cores.
///
/// # Safety
/// `page` is the physical address of two free pages below 640 KiB, identity mapped and writable now. `page_table` is
/// the top table of a space that maps them and all of the monitor, identity mapped, for as long as cores start there.
pub unsafe fn prepare(page: u64, page_table: u64, apic_ids: &[ApicId]) {
    for (slot, id) in APIC_IDS.iter().zip(apic_ids) {
        slot.store(id.0, Ordering::Relaxed);
    }
    let words = Words {
        page_table,
        cr4: CR4 | machine_check::cr4_bit(),
        apic_ids: (APIC_IDS.as_ptr() as u64, apic_ids.len().min(MAX_CORES)),
        stacks: STACKS.0.get() as u64,
        arrive: arrive as *const () as u64,
    };
    // SAFETY: the caller's promise; statics of the monitor.
    unsafe { start_page::prepare(page, &words) };
}

/// Returns the page number of the start page: the vector of SIPI.
pub fn start_vector() -> u8 {
    (start_page::address() >> 12) as u8
}

/// Returns where cores arrive.
pub fn mailboxes() -> &'static ApMailboxes {
    &AP_MAILBOXES
}

/// Returns the APIC id of the core with this machine number.
pub fn apic_id(core: u32) -> Option<u32> {
    let id = APIC_IDS.get(core as usize)?.load(Ordering::Relaxed);
    (id != NO_CORE).then_some(id)
}

/// Returns the machine number of the core with this APIC id.
pub fn core_of(id: u32) -> Option<u32> {
    (0..MAX_CORES as u32).find(|core| apic_id(*core) == Some(id))
}

/// Returns the newest generation that a lent core was stopped with; `first` before there was one.
pub fn lent_generation(first: u64) -> u64 {
    LENT_GENERATION.load(Ordering::Relaxed).max(first)
}

/// Notes that a lent core is stopped with this generation.
pub fn note_lent_generation(generation: u64) {
    LENT_GENERATION.store(generation, Ordering::Relaxed);
}

/// Receives a started core, on a small stack of its own, in the monitor's address space, with interrupts off; an NMI
/// returns.
extern "C" fn arrive(core: u64) -> ! {
    let core = core as u32;
    let arrived = AP_MAILBOXES.arrive(core);
    let mut rounds = if arrived.lingers { LINGER_ROUNDS } else { 1 };
    while rounds > 0 {
        if let Some(order) = AP_MAILBOXES.take_order(core, &arrived) {
            enter(&order);
        }
        core::hint::spin_loop();
        rounds -= 1;
    }
    arch::cpu::stop()
}

/// Enters an instance through the gate.
fn enter(order: &Order) -> ! {
    // SAFETY: the gate's page is mapped at the same address in both address spaces; the order comes from the loader,
    // which mapped entry and stack there.
    unsafe {
        core::arch::asm!(
            "jmp {gate}",
            gate = in(reg) start_page::gate(),
            in("rdi") order.arguments[0],
            in("rsi") order.arguments[1],
            in("rdx") order.arguments[2],
            in("rcx") order.entry,
            in("r8") order.page_table,
            in("r9") order.stack_top,
            options(noreturn)
        )
    }
}
