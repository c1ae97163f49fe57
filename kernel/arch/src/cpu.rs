//! The core that runs: how it waits and stops, its number, its page table.

use core::arch::asm;

use x86_64::instructions::{hlt, interrupts};
use x86_64::registers::model_specific::GsBase;
use x86_64::{PhysAddr, VirtAddr};

/// Sleeps until an interrupt, unless `ready` returns true. Returns with interrupts on.
///
/// No interrupt is lost between the check and the sleep, because STI takes effect only after the HLT behind it
/// (Intel SDM vol. 2B, STI).
pub fn wait_unless(ready: impl FnOnce() -> bool) {
    interrupts::disable();
    if ready() {
        interrupts::enable();
    } else {
        interrupts::enable_and_hlt();
    }
}

/// Stops this core. Only an NMI, INIT or a reset gets it to run again, and after an NMI it stops again.
pub fn stop() -> ! {
    loop {
        interrupts::disable();
        hlt();
    }
}

/// Spins for ever with interrupts off. For fault injection.
pub fn hang() -> ! {
    interrupts::disable();
    loop {
        core::hint::spin_loop();
    }
}

/// Sets this core's number. GS points to it from here on.
///
/// # Safety
/// Nothing else uses GS on this core.
pub unsafe fn set_core_number(number: &'static u64) {
    GsBase::write(VirtAddr::from_ptr(number));
}

/// Returns the number that [`set_core_number`] set.
#[inline]
pub fn core_number() -> usize {
    let number: u64;
    // SAFETY: on every core, GS points to a static number from the first instructions in Rust on.
    unsafe { asm!("mov {}, gs:[0]", out(reg) number, options(nostack, preserves_flags, readonly)) };
    number as usize
}

/// Returns the physical address of the page table in use.
pub fn page_table() -> PhysAddr {
    x86_64::registers::control::Cr3::read().0.start_address()
}

/// Loads a page table.
///
/// # Safety
/// The table maps the running code, the stack, and everything that is referenced, as the one before did.
pub unsafe fn load_page_table(root: PhysAddr) {
    // SAFETY: the caller's promise; the flags are those of a plain write-back table.
    unsafe { asm!("mov cr3, {}", in(reg) root.as_u64(), options(nostack, preserves_flags)) };
}
