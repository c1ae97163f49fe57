//! What is left of a rank that dies: an epitaph, and a state that stops the others.

use core::fmt::Write;
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use arch::clock::Clock;
use arch::cpu;
use arch::traps::{TrapFrame, VECTOR_NMI, VECTOR_PAGE_FAULT, exception_name};
use compute_slice::{DeathCause, SliceControl, SliceDeath, SliceState};
use x86_64::registers::control::Cr2;

use crate::slice::Slice;

static CONTROL: AtomicPtr<SliceControl> = AtomicPtr::new(ptr::null_mut());
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Learns where to write epitaphs.
pub fn learn(slice: &Slice) {
    GENERATION.store(slice.parameters.generation, Ordering::Relaxed);
    let control = ptr::from_ref(slice.memory.control()).cast_mut();
    CONTROL.store(control, Ordering::Release);
}

/// Dies of a Rust panic.
pub fn by_panic(info: &PanicInfo<'_>) -> ! {
    die(DeathCause::Panic, SliceState::Died, |death| {
        let _ = write!(death, "{}", info.message());
        if let Some(at) = info.location() {
            let _ = write!(death, " ({}:{})", at.file(), at.line());
        }
    })
}

/// Dies of a trap. There is no other end of one here: no interrupt is ever let in, and an NMI is the monitor's way to
/// stop a core that INIT does not reach.
pub fn by_trap(frame: &mut TrapFrame) {
    if frame.vector == VECTOR_NMI {
        cpu::stop();
    }
    die(DeathCause::Exception, SliceState::Died, |death| {
        death.vector = frame.vector;
        death.error_code = frame.error_code;
        death.rip = frame.rip;
        death.rsp = frame.rsp;
        death.registers = frame.registers;
        let _ = death.write_str(exception_name(frame.vector));
        if frame.vector == VECTOR_PAGE_FAULT {
            death.address = Cr2::read_raw();
            let address = death.address;
            let _ = write!(death, " at {address:#x}");
        }
    })
}

/// Ends the computation, because the heap has no room for what a rank wants.
pub fn by_scratch(bytes: usize, used_bytes: usize, heap_bytes: usize) -> ! {
    die(DeathCause::Refused, SliceState::Failed, |death| {
        let _ = write!(
            death,
            "{bytes} bytes of scratch memory are needed, {used_bytes} of {heap_bytes} are in use: a larger mem= would \
             work"
        );
    })
}

fn die(cause: DeathCause, state: SliceState, describe: impl FnOnce(&mut SliceDeath)) -> ! {
    let control = CONTROL.load(Ordering::Acquire);
    // SAFETY: null, or the control block of this slice, which consists of atomics and stays mapped.
    let Some(control) = (unsafe { control.as_ref() }) else {
        cpu::stop()
    };
    let rank = cpu::core_number();
    let step = control.progress.get(rank).map_or(0, |it| it.step());
    let generation = GENERATION.load(Ordering::Relaxed);
    let mut death = SliceDeath::new(cause, generation, rank as u64, step);
    if let Ok(parameters) = control.entered() {
        let clock = Clock::new(parameters.tsc_hz, parameters.tsc_at_boot);
        death.time_ns = clock.now_ns();
    }
    describe(&mut death);
    control.epitaph.write(&death);
    control.status.end(state);
    cpu::stop()
}
