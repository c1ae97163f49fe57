//! The monitor: the boot image.
//!
//! It plans the machine, loads the instances into their slices, starts the primary on the other cores, and keeps the seat: the BSP, where it
//! lets the backup wait, watches the primary, and takes the machine away from it when it is dead.
#![no_std]
#![no_main]

extern crate alloc;

mod boot;
mod calibrate;
mod console;
mod cores;
mod entry;
mod guest;
mod hardware;
mod instances;
mod linux;
mod load;
mod loader;
mod memory;
mod native;
mod platform;
mod region;
mod traps;

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicPtr, Ordering};

use arch::cpu;
use arch::heap::Heap;
use arch::logger::LOGGER;
use sharedmem::Control;
use sharedmem::console::ConsoleOwner;
use supervisor::Port;

use crate::console::{MonitorConsole, SerialPort};

/// Heap of the monitor: boot information, plan, ACPI tables, device list.
const HEAP_BYTES: usize = 2 << 20;

#[repr(C, align(4096))]
struct HeapMemory(core::cell::UnsafeCell<[u8; HEAP_BYTES]>);

// SAFETY: given to the heap once, at the start of `boot_main`.
unsafe impl Sync for HeapMemory {}

static HEAP_MEMORY: HeapMemory = HeapMemory(core::cell::UnsafeCell::new([0; HEAP_BYTES]));

#[global_allocator]
static HEAP: Heap = Heap::empty();

/// The control block, for last words.
static CONTROL: AtomicPtr<Control> = AtomicPtr::new(core::ptr::null_mut());

/// Rust begins here, in long mode, on the BSP, with the boot tables and without interrupts.
extern "C" fn boot_main(magic: u32, information: u32) -> ! {
    // SAFETY: once, and nobody else uses this static.
    unsafe { HEAP.give(HEAP_MEMORY.0.get().cast(), HEAP_BYTES) };
    match boot::boot(magic, information.into()) {
        Ok(ready) => instances::run(ready),
        Err(refusal) => boot::refuse(&refusal),
    }
}

/// Says the last things there are to say, on the console, whoever holds it.
fn last_words() {
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

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    x86_64::instructions::interrupts::disable();
    // SAFETY: this core is the only one that logs as the monitor, and it does not go back to what it did.
    unsafe { LOGGER.break_lock() };
    log::error!("the monitor has panicked, and the machine is unprotected: {info}");
    last_words();
    cpu::stop()
}
