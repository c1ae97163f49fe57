//! What the crate `x2apic` does in x2APIC mode: identification, end of interrupt, sends, and the timer's counts.
//!
//! Each operation is one access of the local APIC's own MSRs. The rest (mode transitions, masking, xAPIC mode, the TSC
//! deadline) is done in `ipi` itself, because version 0.5.1 gets it wrong; docs/ARCHITECTURE.md has the table.

use core::mem::ManuallyDrop;
use core::ptr;

use spin::Once;
use x2apic::lapic::{LocalApic, LocalApicBuilder};

use crate::VECTOR_MIN;
use crate::cpu::CpuRegisters;

/// Operations of the local APIC of the processor that runs the call, in x2APIC mode.
///
/// A send is physical and edge-triggered, with level "assert". Nothing waits before it for earlier stores; see
/// [`Registers::fence`](crate::Registers::fence).
pub trait X2ApicOps {
    /// Returns the APIC id.
    fn x2apic_id(&self) -> u32;
    /// Ends the interrupt of highest priority that is in service.
    fn x2apic_end_of_interrupt(&self);
    /// Sends the interrupt `vector`.
    fn x2apic_send(&self, destination: u32, vector: u8);
    /// Sends a non-maskable interrupt.
    fn x2apic_send_nmi(&self, destination: u32);
    /// Sends INIT.
    fn x2apic_send_init(&self, destination: u32);
    /// Sends SIPI, which starts the receiver at page `page`.
    fn x2apic_send_startup(&self, destination: u32, page: u8);
    /// Starts the timer with `count`; 0 stops it.
    fn x2apic_set_timer_count(&self, count: u32);
    /// Returns the timer's count.
    fn x2apic_timer_count(&self) -> u32;
}

/// The crate's handle. Its methods want `&mut self`, and it is neither `Send` nor `Sync`, since it names the registers
/// of whichever core runs it. It holds MSR numbers and settings for `enable`, which is not called; so each operation
/// works on a copy of its own, and cores and interrupt handlers share nothing that changes.
struct Template(LocalApic);

// SAFETY: the handle is only read, by `copy`; it holds numbers and no pointer that is followed.
unsafe impl Send for Template {}
// SAFETY: as for `Send`.
unsafe impl Sync for Template {}

impl Template {
    #[inline(always)]
    fn copy(&self) -> ManuallyDrop<LocalApic> {
        // SAFETY: the handle is plain data without `Drop`, and nobody writes to the original.
        ManuallyDrop::new(unsafe { ptr::read(&self.0) })
    }
}

static TEMPLATE: Once<Template> = Once::new();

/// Makes the crate's handle, before the first operation. Asks CPUID, which the caller has done before.
pub(crate) fn prepare() {
    TEMPLATE.call_once(|| {
        // The vectors are used by `enable` alone.
        let vector = usize::from(VECTOR_MIN);
        let handle = LocalApicBuilder::new()
            .timer_vector(vector)
            .error_vector(vector)
            .spurious_vector(vector)
            .build();
        Template(handle.expect("CPUID has x2APIC mode, which was detected before"))
    });
}

#[inline(always)]
fn handle() -> ManuallyDrop<LocalApic> {
    TEMPLATE
        .get()
        .expect("`CpuRegisters::new` has made it")
        .copy()
}

impl X2ApicOps for CpuRegisters {
    fn x2apic_id(&self) -> u32 {
        // SAFETY: whoever made these registers promised ring 0 and, as this is called in x2APIC mode only, that mode.
        // The operation reads one MSR of the local APIC. So it is with the other reads below.
        unsafe { handle().id() }
    }

    fn x2apic_end_of_interrupt(&self) {
        // SAFETY: as for `x2apic_id`; the operation writes one MSR of the local APIC, which changes interrupt delivery
        // and never memory. So it is with the other writes below.
        unsafe { handle().end_of_interrupt() }
    }

    fn x2apic_send(&self, destination: u32, vector: u8) {
        // SAFETY: as above.
        unsafe { handle().send_ipi(vector, destination) }
    }

    fn x2apic_send_nmi(&self, destination: u32) {
        // SAFETY: as above.
        unsafe { handle().send_nmi(destination) }
    }

    fn x2apic_send_init(&self, destination: u32) {
        // SAFETY: as above.
        unsafe { handle().send_init_ipi(destination) }
    }

    fn x2apic_send_startup(&self, destination: u32, page: u8) {
        // SAFETY: as above.
        unsafe { handle().send_sipi(page, destination) }
    }

    fn x2apic_set_timer_count(&self, count: u32) {
        // SAFETY: as above.
        unsafe { handle().set_timer_initial(count) }
    }

    fn x2apic_timer_count(&self) -> u32 {
        // SAFETY: as above.
        unsafe { handle().timer_current() }
    }
}
