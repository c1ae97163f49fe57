//! How the monitor ends if it cannot go on.

use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use arch::{cpu, reset};
use sharedmem::Control;
use sharedmem::console::ConsoleOwner;
use sharedmem::event;
use supervisor::Port;

use crate::console::{MonitorConsole, SerialPort};
use crate::{boot, hardware_watchdog, screen, traps};

static CONTROL: AtomicPtr<Control> = AtomicPtr::new(ptr::null_mut());
static HAS_ENDED: AtomicBool = AtomicBool::new(false);

/// Remembers the control block, whose logs are to be printed.
pub fn remember(control: &'static Control) {
    CONTROL.store(ptr::from_ref(control).cast_mut(), Ordering::Release);
}

/// Ends the monitor. Resets the machine if nobody serves; if somebody does, that one notices that nobody answers.
///
/// It prints all that was logged, whoever holds the console. If that faults, it is called again, and does not print.
pub fn end() -> ! {
    let control = CONTROL.load(Ordering::Acquire);
    if control.is_null() {
        // At boot there is nothing to be saved.
        boot::print_early();
        cpu::stop();
    }
    // SAFETY: set from the `&'static` of the shared region.
    let control = unsafe { &*control };
    let is_first = !HAS_ENDED.swap(true, Ordering::AcqRel);
    let must_reset =
        traps::KEEPALIVE_ANSWER.must_reset() && control.header.count_reset(traps::now_ns()).is_ok();
    if is_first {
        if must_reset {
            let number = control.header.resets.load(Ordering::Relaxed);
            log::error!("{}", event::Reset { number });
        }
        let printer = control.console.owner();
        let mut console = MonitorConsole::new(SerialPort::take());
        console.give_to(control, ConsoleOwner::Monitor);
        console.flush(control);
        while screen::draw(control) {}
        console.give_to(control, printer);
    }
    if !must_reset {
        hardware_watchdog::stop_for_lone_primary();
    }
    if must_reset {
        // SAFETY: nobody serves, and what is to be kept is in memory.
        unsafe { reset::machine(None) }
    }
    cpu::stop()
}
