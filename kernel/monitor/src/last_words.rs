//! What the monitor prints when it ends.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use sharedmem::Control;
use sharedmem::console::ConsoleOwner;
use supervisor::Port;

use crate::console::{MonitorConsole, SerialPort};

static CONTROL: AtomicPtr<Control> = AtomicPtr::new(ptr::null_mut());

/// Remembers the control block, whose logs are to be printed.
pub fn remember(control: &'static Control) {
    CONTROL.store(ptr::from_ref(control).cast_mut(), Ordering::Release);
}

/// Prints all that was logged, whoever holds the console.
pub fn print() {
    let control = CONTROL.load(Ordering::Acquire);
    if control.is_null() {
        return;
    }
    // SAFETY: set from the `&'static` of the shared region.
    let control = unsafe { &*control };
    let mut console = MonitorConsole::new(SerialPort::take());
    console.give_to(control, ConsoleOwner::Monitor);
    console.flush(control);
}
