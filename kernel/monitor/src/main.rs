//! The monitor: the boot image.
//!
//! It plans the machine, loads the instances into their slices, starts the primary on the other cores, and stays on the
//! seat, the BSP: there it lets the backup wait, watches the primary, and takes the machine away from it when it is
//! dead.
#![no_std]
#![no_main]

extern crate alloc;

mod ap;
mod boot;
mod calibrate;
mod compute;
mod console;
mod constant;
mod cores;
mod devices;
mod dma;
mod early_log;
mod entry;
mod facts;
mod guest;
mod hand_off;
mod hardware;
mod hardware_watchdog;
mod heap;
mod images;
mod instances;
mod last_words;
mod memory;
mod platform;
mod qualification;
mod ranges;
mod region;
mod screen;
mod start_page;
mod tenants;
mod timer;
mod traps;
mod window;

use core::panic::PanicInfo;

use arch::logger::LOGGER;
use sharedmem::event::{MonitorPanicked, Text};

/// Begins the Rust code: in long mode, on the BSP, with the boot tables and without interrupts.
extern "C" fn boot_main(magic: u32, information: u32) -> ! {
    // SAFETY: once, before anything else.
    unsafe { heap::begin() };
    match boot::boot(magic, information.into()) {
        Ok((facts, plan)) => instances::run(facts, plan),
        Err(refusal) => boot::refuse(&refusal),
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    x86_64::instructions::interrupts::disable();
    // SAFETY: this core is the only one that logs as the monitor, and it does not go back to what it did.
    unsafe { LOGGER.break_lock() };
    let message = Text::of(info);
    log::error!("{}", MonitorPanicked { message });
    last_words::end()
}
