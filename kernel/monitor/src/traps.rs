//! Interrupts and exceptions on the seat, in the monitor as in the backup that is its guest.

use core::sync::atomic::{AtomicU64, Ordering};

use arch::clock::Clock;
use arch::cpu;
use arch::traps::{FIRST_INTERRUPT, TrapFrame, VECTOR_NMI, VECTOR_PAGE_FAULT, exception_name};
use ipi::{Ipi, LocalApic};
use sharedmem::SharedRegion;
use sharedmem::abi::Vector;
use spin::Once;
use supervisor::KeepaliveAnswer;
use x86_64::registers::control::Cr2;

use crate::{cores, guest};

/// The seat's own timer.
pub const VECTOR_TIMER: u8 = 0x50;
/// The local APIC's spurious interrupt.
pub const VECTOR_SPURIOUS: u8 = 0xff;

/// What the handlers need. Set before any interrupt can come.
pub struct Surroundings {
    /// Time.
    pub clock: Clock,
    /// The seat's own.
    pub local_apic: &'static LocalApic,
    /// Frequency of its timer, in Hz.
    pub apic_timer_hz: u64,
    /// Shared with the instances.
    pub region: SharedRegion,
}

static SURROUNDINGS: Once<Surroundings> = Once::new();
static WAKES: AtomicU64 = AtomicU64::new(0);

/// What the handler of keepalives and the main loop have in common.
pub static KEEPALIVE_ANSWER: KeepaliveAnswer = KeepaliveAnswer::new();

/// From here on interrupts are handled.
pub fn begin(surroundings: Surroundings) {
    SURROUNDINGS.call_once(|| surroundings);
}

/// How many interrupts have come; a change since the last look is a reason not to sleep.
pub fn wake_count() -> u64 {
    WAKES.load(Ordering::Acquire)
}

/// Lets the timer interrupt after `after_ns`.
pub fn arm_timer(after_ns: u64) {
    let Some(it) = SURROUNDINGS.get() else { return };
    let ticks = u128::from(after_ns) * u128::from(it.apic_timer_hz) / 1_000_000_000;
    it.local_apic.timer_one_shot(
        VECTOR_TIMER,
        u32::try_from(ticks).unwrap_or(u32::MAX).saturating_add(1),
    );
}

/// Handles every trap on the seat.
pub fn handle(frame: &mut TrapFrame) {
    if frame.vector < FIRST_INTERRUPT {
        return exception(frame);
    }
    let Some(it) = SURROUNDINGS.get() else { return };
    WAKES.fetch_add(1, Ordering::Release);
    match frame.vector as u8 {
        VECTOR_TIMER => guest::watch(frame, backup_progress(it), it.clock.now_ns()),
        VECTOR_SPURIOUS => return,
        vector => match Vector::from_number(vector.into()) {
            Some(Vector::KeepaliveToSeat) => answer(it),
            // The epitaph is found by looking.
            Some(Vector::Epitaph) => {}
            // A stray interrupt is acknowledged like any other, or it would block those below it.
            Some(Vector::KeepaliveToPrimary) | None => {}
        },
    }
    it.local_apic.end_of_interrupt();
}

/// The seat's keepalive, in answer to the primary's: slot first, then the interrupt.
fn answer(it: &Surroundings) {
    let core = KEEPALIVE_ANSWER.answer(it.region.control, it.clock.now_ns());
    if let Some(owner) = core.and_then(cores::apic_id) {
        let _ = it
            .local_apic
            .send(owner, Ipi::Fixed(Vector::KeepaliveToPrimary.byte()));
    }
}

fn backup_progress(it: &Surroundings) -> u64 {
    it.region.control.backup.progress.load(Ordering::Relaxed)
}

/// An exception: the guest's ends its call; the monitor's own is the end of the machine's protection, and is told.
fn exception(frame: &mut TrapFrame) {
    if guest::is_running() && frame.vector != VECTOR_NMI {
        let name = exception_name(frame.vector);
        let address = if frame.vector == VECTOR_PAGE_FAULT {
            Cr2::read_raw()
        } else {
            0
        };
        log::error!(
            "the backup ended with a {name} at rip {:#x}, address {address:#x}",
            frame.rip
        );
        return guest::abort(frame);
    }
    if frame.vector == VECTOR_NMI {
        return;
    }
    log::error!(
        "{} in the monitor: rip {:#x}, error code {:#x}, address {:#x}",
        exception_name(frame.vector),
        frame.rip,
        frame.error_code,
        Cr2::read_raw()
    );
    crate::last_words();
    cpu::stop()
}
