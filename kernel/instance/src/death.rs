//! How this kernel dies: it leaves an epitaph, says one last word to the seat, and stops. First of all and without waiting for anything,
//! so that the backup need not wait for its time-out.

use core::fmt::Write;
use core::panic::PanicInfo;

use arch::cpu;
use arch::traps::{TrapFrame, VECTOR_PAGE_FAULT, exception_name};
use ipi::Ipi;
use sharedmem::abi::VECTOR_EPITAPH;
use sharedmem::epitaph::{EpitaphCause, EpitaphText};
use x86_64::registers::control::Cr2;

use crate::{context, epoch, memory};

/// A Rust panic.
pub fn by_panic(info: &PanicInfo<'_>) -> ! {
    let mut text = new_text(EpitaphCause::Panic);
    let _ = write!(text, "{}", info.message());
    if let Some(location) = info.location() {
        let _ = write!(text, " ({}:{})", location.file(), location.line());
    }
    leave(text)
}

/// An exception that nothing handles.
pub fn by_exception(frame: &TrapFrame) -> ! {
    let mut text = new_text(EpitaphCause::Exception);
    describe(&mut text, frame);
    let _ = write!(text, "{}", exception_name(frame.vector));
    if frame.vector == VECTOR_PAGE_FAULT {
        text.address = Cr2::read_raw();
        let address = text.address;
        let _ = write!(text, " at {address:#x}");
        if is_in_peer_slice(address) {
            let _ = text.write_str(", in the other instance's slice");
        }
    }
    leave(text)
}

fn is_in_peer_slice(address: u64) -> bool {
    context::try_get().is_some_and(|context| {
        let peer = context.hand_off.peer;
        (memory::virt_of(peer.start)..memory::virt_of(peer.end)).contains(&address)
    })
}

/// The fence lost patience and sent an NMI: leave the registers, and stop.
pub fn by_nmi(frame: &TrapFrame) -> ! {
    let mut text = new_text(EpitaphCause::Exception);
    describe(&mut text, frame);
    let _ = text.write_str("stopped by NMI");
    leave(text)
}

/// This kernel found that the machine is no longer its own.
pub fn superseded(found_epoch: u64) -> ! {
    let mut text = new_text(EpitaphCause::Superseded);
    let _ = write!(text, "the machine is in epoch {found_epoch}");
    leave(text)
}

/// This kernel hands the machine over to its backup, as it was asked to.
pub fn hand_over() -> ! {
    leave(new_text(EpitaphCause::Switchover))
}

/// This kernel cannot come up.
pub fn boot_failed(reason: &str) -> ! {
    let mut text = new_text(EpitaphCause::BootFailed);
    let _ = text.write_str(reason);
    leave(text)
}

fn new_text(cause: EpitaphCause) -> EpitaphText {
    x86_64::instructions::interrupts::disable();
    let mut text = EpitaphText::new(epoch::own(), cause, 0);
    if let Some(context) = context::try_get() {
        text.time_ns = context.now_ns();
        text.core = cpu::core_number() as u64;
    }
    text
}

fn describe(text: &mut EpitaphText, frame: &TrapFrame) {
    text.vector = frame.vector;
    text.error_code = frame.error_code;
    text.rip = frame.rip;
    text.rsp = frame.rsp;
}

fn leave(text: EpitaphText) -> ! {
    let Some(context) = context::try_get() else {
        cpu::stop()
    };
    context.region.control.epitaphs[context.instance()].write(&text);
    if text.epoch == 0 {
        // A backup on the seat, which must not stop the monitor's core: an exception gives it back.
        x86_64::instructions::interrupts::int3();
    }
    let _ = context
        .local_apic
        .send(context.hand_off.seat_apic_id, Ipi::Fixed(VECTOR_EPITAPH));
    cpu::stop()
}
