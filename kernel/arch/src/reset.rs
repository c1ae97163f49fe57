//! How to reset the machine.

use x86_64::VirtAddr;
use x86_64::instructions::port::Port;
use x86_64::instructions::{interrupts, tables};
use x86_64::structures::DescriptorTablePointer;

use crate::cpu;

/// The reset control register of PC chipsets, and the value for a full reset.
const RESET_CONTROL: (u16, u8) = (0xcf9, 0x0e);

/// The keyboard controller's command register, and the command to pulse the reset line.
const KEYBOARD_CONTROLLER: (u16, u8) = (0x64, 0xfe);

/// Resets the machine: by the `preferred` port and byte if there is one (ACPI 6.5, 4.8.3.6), then by the chipset, the
/// keyboard controller, and at last a triple fault.
///
/// # Safety
/// Nothing that a processor or a device is doing is still needed.
pub unsafe fn machine(preferred: Option<(u16, u8)>) -> ! {
    interrupts::disable();
    for (port, value) in preferred
        .into_iter()
        .chain([RESET_CONTROL, KEYBOARD_CONTROLLER])
    {
        // SAFETY: the caller allows the reset.
        unsafe { Port::new(port).write(value) };
        // A reset comes within microseconds, or not at all.
        (0..1_000_000).for_each(|_| core::hint::spin_loop());
    }
    triple_fault()
}

/// Powers the machine off by its PM1 control registers (ACPI 6.5, 4.8.3.2): these ports, with what is written there.
/// Returns if that does not work.
///
/// # Safety
/// As for [`machine`]; the ports are the registers that ACPI names.
pub unsafe fn power_off(ports: impl Iterator<Item = (u16, u16)>) {
    interrupts::without_interrupts(|| {
        for (port, value) in ports {
            // SAFETY: the caller allows the end of the machine. The lowest bit, that ACPI is on, stays as it is.
            unsafe {
                let mut register = Port::<u16>::new(port);
                let acpi_is_on = register.read() & 1;
                register.write(value | acpi_is_on);
            }
        }
    });
}

/// Faults without an interrupt table, so that the processor shuts down, which resets a PC.
pub fn triple_fault() -> ! {
    let nothing = DescriptorTablePointer {
        limit: 0,
        base: VirtAddr::zero(),
    };
    // SAFETY: without an interrupt table, no handler runs any more; the next exception shuts the processor down.
    unsafe { tables::lidt(&nothing) };
    interrupts::int3();
    cpu::stop()
}
