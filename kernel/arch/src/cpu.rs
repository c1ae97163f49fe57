//! What a core does besides computing: wait, stop, know its own number.

use core::arch::asm;

use x86_64::instructions::{hlt, interrupts};
use x86_64::registers::model_specific::GsBase;
use x86_64::{PhysAddr, VirtAddr};

/// Sleeps until an interrupt, unless `ready` says that there is something to do. No interrupt is lost in between: `sti` takes effect
/// after the `hlt` that follows it (SDM volume 2, STI). Returns with interrupts on.
pub fn wait_unless(ready: impl FnOnce() -> bool) {
    interrupts::disable();
    if ready() {
        interrupts::enable();
    } else {
        interrupts::enable_and_hlt();
    }
}

/// Stops this core for good, as far as it can stop itself: only NMI, INIT or reset change that.
pub fn stop() -> ! {
    loop {
        interrupts::disable();
        hlt();
    }
}

/// This core spins with interrupts off and hears nothing any more. Fault injection.
pub fn hang() -> ! {
    interrupts::disable();
    loop {
        core::hint::spin_loop();
    }
}

/// Makes `number` this core's number, kept at GS:0.
///
/// # Safety
/// Nobody else uses GS on this core.
pub unsafe fn set_core_number(number: &'static u64) {
    GsBase::write(VirtAddr::from_ptr(number));
}

/// The number given by [`set_core_number`].
#[inline]
pub fn core_number() -> usize {
    let number: u64;
    // SAFETY: GS points to a static number on every core from its first instructions in Rust on.
    unsafe { asm!("mov {}, gs:[0]", out(reg) number, options(nostack, preserves_flags, readonly)) };
    number as usize
}

/// The page table in use.
pub fn page_table() -> PhysAddr {
    x86_64::registers::control::Cr3::read().0.start_address()
}

/// Loads a page table.
///
/// # Safety
/// It maps the code that runs, the stack, and everything that is referenced, as before.
pub unsafe fn load_page_table(root: PhysAddr) {
    // SAFETY: the caller's promise; the flags are those of a plain write-back table.
    unsafe { asm!("mov cr3, {}", in(reg) root.as_u64(), options(nostack, preserves_flags)) };
}
