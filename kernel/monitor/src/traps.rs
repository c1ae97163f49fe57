//! Interrupts and exceptions on the seat, in the monitor as in the backup that is its guest.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arch::clock::Clock;
use arch::logger::LOGGER;
use arch::machine_check::{self, Notes};
use arch::traps::{
    FIRST_INTERRUPT, TrapFrame, VECTOR_MACHINE_CHECK, VECTOR_NMI, VECTOR_PAGE_FAULT, exception_name,
};
use ipi::{Ipi, LocalApic};
use sharedmem::SharedRegion;
use sharedmem::abi::Vector;
use spin::Once;
use supervisor::{KeepaliveAnswer, MAIN_LOOP_LOOK_NS};
use x86_64::registers::control::Cr2;

use crate::{cores, guest, last_words, platform, timer};

/// The local APIC's spurious interrupt.
pub const VECTOR_SPURIOUS: u8 = 0xff;

/// What the handlers need. Set before any interrupt can come.
pub struct TrapContext {
    /// Time.
    pub clock: Clock,
    /// The seat's own.
    pub local_apic: &'static LocalApic,
    /// Shared with the instances.
    pub region: SharedRegion,
}

static CONTEXT: Once<TrapContext> = Once::new();
static WAKES: AtomicU64 = AtomicU64::new(0);
/// Whether an interrupt is being handled: an exception then is the monitor's own, whoever was interrupted.
static IS_HANDLING: AtomicBool = AtomicBool::new(false);

/// What the handler of keepalives and the main loop have in common.
pub static KEEPALIVE_ANSWER: KeepaliveAnswer = KeepaliveAnswer::new();

/// The seat's machine number.
pub const SEAT: u32 = 0;

/// Machine checks of the seat that are not logged yet.
pub static MACHINE_CHECKS: Notes = Notes::new();

/// Lets interrupts be handled from here on.
pub fn begin(context: TrapContext) {
    CONTEXT.call_once(|| context);
}

/// Returns how many interrupts have come; a change since the last look is a reason not to sleep.
pub fn wake_count() -> u64 {
    WAKES.load(Ordering::Acquire)
}

/// Returns the time, in ns since the machine's boot; 0 before [`begin`].
pub fn now_ns() -> u64 {
    CONTEXT.get().map_or(0, |it| it.clock.now_ns())
}

/// Handles every trap on the seat.
pub fn handle(frame: &mut TrapFrame) {
    if frame.vector < FIRST_INTERRUPT {
        return exception(frame);
    }
    IS_HANDLING.store(true, Ordering::Release);
    interrupt(frame);
    IS_HANDLING.store(false, Ordering::Release);
}

/// Handles an interrupt; none can come in between.
fn interrupt(frame: &mut TrapFrame) {
    let Some(it) = CONTEXT.get() else { return };
    WAKES.fetch_add(1, Ordering::Release);
    match frame.vector as u8 {
        timer::VECTOR if guest::is_running() => guest::end_slice(frame, backup_progress(it)),
        timer::VECTOR => watch_main_loop(),
        VECTOR_SPURIOUS => return,
        vector => match Vector::from_number(vector.into()) {
            Some(Vector::KeepaliveToSeat) => answer(it),
            // The epitaph is found by looking, which must not wait for the guest.
            Some(Vector::Epitaph) => guest::suspend(frame),
            // A stray interrupt is acknowledged like any other, or it would block those below it.
            Some(Vector::KeepaliveToPrimary) | None => {}
        },
    }
    it.local_apic.end_of_interrupt();
}

/// Ends a monitor whose main loop is stuck while nobody serves.
fn watch_main_loop() {
    if KEEPALIVE_ANSWER.is_stuck() {
        // SAFETY: this core is the only one that logs as the monitor, and it does not go back to what it did.
        unsafe { LOGGER.break_lock() };
        log::error!("the monitor's main loop is stuck");
        last_words::end();
    }
    if KEEPALIVE_ANSWER.must_reset() {
        timer::arm(MAIN_LOOP_LOOK_NS);
    }
}

/// Answers the primary's keepalive with the seat's: slot first, then the interrupt.
fn answer(it: &TrapContext) {
    let core = KEEPALIVE_ANSWER.answer(it.region.control, it.clock.now_ns());
    if let Some(primary) = core.and_then(cores::apic_id) {
        let _ = it
            .local_apic
            .send(primary, Ipi::Fixed(Vector::KeepaliveToPrimary.byte()));
    }
}

fn backup_progress(it: &TrapContext) -> u64 {
    it.region.control.backup.progress.load(Ordering::Relaxed)
}

/// Handles an exception: the guest's ends its call; the monitor's own ends the machine's protection, and is logged.
fn exception(frame: &mut TrapFrame) {
    if frame.vector == VECTOR_MACHINE_CHECK && machine_check::handle(SEAT, &MACHINE_CHECKS).is_ok()
    {
        return;
    }
    let is_guests = guest::is_running() && !IS_HANDLING.load(Ordering::Acquire);
    if is_guests && !matches!(frame.vector, VECTOR_NMI | VECTOR_MACHINE_CHECK) {
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
        if is_guests {
            guest::end_by_nmis(frame);
        }
        return;
    }
    // SAFETY: this core is the only one that logs as the monitor, and it does not go back to what it did.
    unsafe { LOGGER.break_lock() };
    log::error!(
        "{} in the monitor: rip {:#x}, error code {:#x}, address {:#x}",
        exception_name(frame.vector),
        frame.rip,
        frame.error_code,
        Cr2::read_raw()
    );
    platform::report_machine_checks();
    last_words::end()
}
