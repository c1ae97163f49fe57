//! The machine's reset.

use x86_64::VirtAddr;
use x86_64::instructions::port::Port;
use x86_64::instructions::{interrupts, tables};
use x86_64::structures::DescriptorTablePointer;

use crate::cpu;

/// The reset control register of PC chipsets, and the full reset in it.
const RESET_CONTROL: (u16, u8) = (0xcf9, 0x0e);

/// The keyboard controller's command register, and its pulse on the reset line.
const KEYBOARD_CONTROLLER: (u16, u8) = (0x64, 0xfe);

/// Resets the machine: by the `preferred` port and byte if there is one (ACPI 4.8.3.6), then in the ways PCs have known for longer, at last by a triple
/// fault.
///
/// # Safety
/// Nobody needs what any processor or device of the machine is doing.
pub unsafe fn machine(preferred: Option<(u16, u8)>) -> ! {
    interrupts::disable();
    for (port, value) in preferred
        .into_iter()
        .chain([RESET_CONTROL, KEYBOARD_CONTROLLER])
    {
        // SAFETY: the caller's promise.
        unsafe { Port::new(port).write(value) };
        // A reset comes within microseconds, or not at all.
        (0..1_000_000).for_each(|_| core::hint::spin_loop());
    }
    triple_fault()
}

/// Faults without an interrupt table: the processor shuts down, which resets a PC.
pub fn triple_fault() -> ! {
    let nothing = DescriptorTablePointer {
        limit: 0,
        base: VirtAddr::zero(),
    };
    // SAFETY: no handler of ours runs any more: without an interrupt table the next exception is the processor's shutdown.
    unsafe { tables::lidt(&nothing) };
    interrupts::int3();
    cpu::stop()
}
