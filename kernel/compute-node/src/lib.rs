//! The kernel of a compute slice, without what it computes: `compute-node` runs the solvers on it, and the static
//! library of `compute-c` a program in C.
//!
//! The monitor enters it on every core of the slice, with interrupts off, and they stay off: there is no timer, no
//! device and no scheduler, so nothing takes a cycle from a computation. INIT, which precedes every entry, masks the
//! local vector table of the core's APIC (Intel SDM vol. 3A, 12.4.7.3), and nothing here unmasks it. Each core is a
//! rank of the computation; `compute_slice` says what it shares with the monitor.
//!
//! | files | what they do |
//! |---|---|
//! | `slice` | the slice's memory: control block, data, and what this kernel keeps for itself at their end |
//! | `core_state`, `floating_point` | a core: descriptor tables, traps; what its results depend on |
//! | `death` | what is left of a rank that dies |
//! | `trial` | how a rank dies in a test |
//! | `scratch` | the heap: what a computation works in beside its regions |
//! | `note` | marks the file as a compute image |
#![cfg(feature = "image")]
#![no_std]

extern crate alloc;

mod core_state;
mod death;
mod floating_point;
mod note;
mod scratch;
mod slice;
mod trial;

use core::arch::asm;
use core::panic::PanicInfo;

use arch::clock::Clock;
use arch::cpu;
use arch::heap::Heap;
use compute::{Error, Host, Rank};
use compute_slice::{MARK_OPERAND, Mark, SliceControl};

use scratch::Scratch;

#[global_allocator]
static HEAP: Scratch = Scratch(Heap::empty());

/// What a computation needs of the machine.
struct Machine(Clock);

impl Host for Machine {
    fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    fn mark(&self, mark: Mark) {
        match mark {
            Mark::Begun => marked::<{ Mark::Begun as u32 }>(),
            Mark::Written => marked::<{ Mark::Written as u32 }>(),
            Mark::Committed => marked::<{ Mark::Committed as u32 }>(),
            Mark::Work => marked::<{ Mark::Work as u32 }>(),
            Mark::Dies => marked::<{ Mark::Dies as u32 }>(),
            Mark::Entered => marked::<{ Mark::Entered as u32 }>(),
        }
    }
}

/// Makes a mark.
#[inline(always)]
fn marked<const MARK: u32>() {
    // SAFETY: a NOP. The compiler takes it for one that may look at memory, and moves nothing across.
    unsafe {
        asm!(
            "nop dword ptr [rax + rax + {}]",
            const MARK_OPERAND | MARK,
            options(nostack, preserves_flags)
        )
    };
}

/// Enters rank `rank` of the slice, on a stack that the monitor mapped for it, and runs `program` with the arguments of
/// the slice.
///
/// # Safety
/// The monitor has passed `control`, the control block at the beginning of this slice, mapped for as long as it runs.
/// Once per rank, on its core.
pub unsafe fn enter(
    control: *const SliceControl,
    rank: u64,
    program: fn(&mut Rank<'_>, &str) -> Result<u8, Error>,
) -> ! {
    x86_64::instructions::interrupts::disable();
    // SAFETY: the caller's promise.
    let control = unsafe { SliceControl::at(control.cast()) };
    let Ok(slice) = slice::Slice::of(control) else {
        // Nothing here is what the monitor says, so there is nobody to tell.
        cpu::stop()
    };
    if rank >= slice.parameters.ranks {
        cpu::stop();
    }
    // SAFETY: once per rank, on its core, with interrupts off.
    unsafe { core_state::set_up(&slice, rank as usize) };
    floating_point::enable();
    let parameters = &slice.parameters;
    let machine = Machine(Clock::new(parameters.tsc_hz, parameters.tsc_at_boot));
    let arguments = control.hand_off.arguments.get();
    compute::run(&slice.memory, rank as usize, &machine, |rank| {
        program(rank, arguments.as_str())
    });
    cpu::stop()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    death::by_panic(info)
}
