//! Breaks a part without which nobody is served, while the main loop goes on.

use core::ptr;

use arch::pci::PortConfigSpace;
use arch::pci::config::{COMMAND_BUS_MASTER, COMMAND_MEMORY, clear_command};
use replica::JournaledService;
use service::BrokenPart;
use x86_64::instructions::interrupts;
use x86_64::registers::control::{Cr0, Cr0Flags};

use crate::context::Context;
use crate::devices;
use crate::devices::gate::Gate;

/// `ret`.
const RETURN: &[u8] = &[0xc3];
/// `xor eax, eax; xor edx, edx; ret`: returns that all went well, and that nothing was done.
const RETURN_NOTHING: &[u8] = &[0x31, 0xc0, 0x31, 0xd2, 0xc3];
/// What a used index is moved by: more than any queue holds.
const JUMP: u16 = 0x4000;

/// Breaks the part.
pub fn break_part(context: &'static Context, part: BrokenPart) {
    match part {
        BrokenPart::BusMaster => clear(context, COMMAND_BUS_MASTER),
        BrokenPart::PciMemory => clear(context, COMMAND_MEMORY),
        BrokenPart::DeviceStatus => devices::debug::reset(context),
        BrokenPart::ReceiveUsed => devices::debug::move_used_index(context, 0, JUMP),
        BrokenPart::TransmitUsed => devices::debug::move_used_index(context, 1, JUMP),
        BrokenPart::Gate => patch(Gate::release as *const u8, RETURN_NOTHING),
        BrokenPart::Service => {
            let submit = JournaledService::<&'static Context>::submit;
            patch(submit as *const u8, RETURN);
        }
    }
}

/// Clears bits of the network card's command register.
fn clear(context: &Context, bits: u32) {
    if let Some(function) = devices::network_function(context) {
        // SAFETY: the lead runs this, and it alone uses the configuration ports.
        let mut space = unsafe { PortConfigSpace::take() };
        clear_command(&mut space, function.address, bits);
    }
}

/// Overwrites the beginning of a function, as a flipped bit might. Text is read-only, which the processor is told to
/// ignore meanwhile.
fn patch(function: *const u8, code: &[u8]) {
    interrupts::without_interrupts(|| {
        let flags = Cr0::read();
        // SAFETY: none; the test is that the damage is found. `function` is text of this instance, and its other cores
        // do not run it.
        unsafe {
            Cr0::write(flags.difference(Cr0Flags::WRITE_PROTECT));
            for (at, byte) in code.iter().enumerate() {
                ptr::write_volatile(function.cast_mut().add(at), *byte);
            }
            Cr0::write(flags);
        }
    });
}
