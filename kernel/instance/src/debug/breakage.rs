//! Breaks a part without which nobody is served, while the main loop goes on.

use core::ptr;

use arch::pci::PortConfigSpace;
use arch::pci::config::{COMMAND_BUS_MASTER, COMMAND_MEMORY, clear_command};
use replica::JournaledService;
use service::BrokenPart;
use x86_64::instructions::{interrupts, tlb};
use x86_64::registers::control::{Cr0, Cr0Flags, Cr3};

use crate::context::Context;
use crate::devices;
use crate::devices::gate::Gate;
use crate::memory::virt_of;

/// `ret`.
const RETURN: &[u8] = &[0xc3];
/// `xor eax, eax; xor edx, edx; ret`: returns that all went well, and that nothing was done.
const RETURN_NOTHING: &[u8] = &[0x31, 0xc0, 0x31, 0xd2, 0xc3];
/// What a used index is moved by: more than any queue holds.
const JUMP: u16 = 0x4000;

/// What a used index goes back by: more than can be on its way to the driver.
const BACK: u16 = 0u16.wrapping_sub(256);
/// How far an entry of a card's registers is led astray: beyond the card, where nothing answers.
const PAGES_AWAY: u64 = 16;
/// How far an entry of the heap is led astray, in pages of its size: heap that nobody uses yet.
const HEAP_PAGES_AWAY: u64 = 16;

/// Breaks the part.
pub fn break_part(context: &'static Context, part: BrokenPart) {
    match part {
        BrokenPart::BusMaster => clear(context, COMMAND_BUS_MASTER),
        BrokenPart::PciMemory => clear(context, COMMAND_MEMORY),
        BrokenPart::DeviceStatus => devices::debug::reset(context),
        BrokenPart::ReceiveUsed => devices::debug::move_used_index(context, 0, JUMP),
        BrokenPart::TransmitUsed => devices::debug::move_used_index(context, 1, JUMP),
        BrokenPart::ReceiveBehind => devices::debug::move_used_index(context, 0, BACK),
        BrokenPart::NicPage => misdirect(devices::debug::common_registers(context), PAGES_AWAY),
        BrokenPart::NotifyPage => misdirect(devices::debug::notify_registers(context), PAGES_AWAY),
        BrokenPart::HeapPage => misdirect(devices::debug::receive_area(context), HEAP_PAGES_AWAY),
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

/// Lets the lowest page-table entry that maps `virt` lead so many pages further, as flipped bits might (Intel SDM vol.
/// 3A, 4.5).
fn misdirect(virt: Option<u64>, pages: u64) {
    const PRESENT: u64 = 1;
    const LARGE: u64 = 1 << 7;
    const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
    let Some(virt) = virt else { return };
    let mut table = Cr3::read().0.start_address().as_u64();
    for shift in [39, 30, 21, 12] {
        let at = virt_of(table) + (virt >> shift & 0x1ff) * 8;
        let at = ptr::with_exposed_provenance_mut::<u64>(at as usize);
        // SAFETY: the tables in use are mapped in the direct map.
        let entry = unsafe { at.read_volatile() };
        if entry & PRESENT == 0 {
            return;
        }
        if shift == 12 || entry & LARGE != 0 {
            // SAFETY: none; the test is that the damage is found.
            unsafe { at.write_volatile(entry + (pages << shift)) };
            tlb::flush_all();
            return;
        }
        table = entry & ADDRESS;
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
