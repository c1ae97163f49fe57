//! How this kernel dies: it writes an epitaph, sends the seat one last interrupt, and stops.
//!
//! It does this first and waits for nothing, so the monitor detects the death at once and not by time-out. Only if the
//! monitor is dead as well does the dying kernel do one thing more: it resets the machine, whose memory keeps the
//! state.

use core::fmt::{Display, Write};
use core::panic::PanicInfo;

use arch::machine_check::BankReport;
use arch::traps::{TrapFrame, VECTOR_PAGE_FAULT, exception_name};
use arch::{cpu, reset};
use ipi::Ipi;
use partition::cmdline::Reset;
use replica::MonitorSilence;
use sharedmem::abi::Vector;
use sharedmem::epitaph::{EpitaphCause, EpitaphText};
use x86_64::registers::control::Cr2;

use crate::context::Context;
use crate::{context, epoch, memory};

/// How often a dying kernel asks whether the monitor is there, in ns.
const ASK_NS: u64 = 10_000_000;

/// For how long the monitor does nothing for a dying kernel until it counts as dead, in ns. A takeover takes
/// milliseconds; a monitor that is just loading an image needs longer.
const MONITOR_DEAD_NS: u64 = 3_000_000_000;

/// Dies of a Rust panic.
pub fn by_panic(info: &PanicInfo<'_>) -> ! {
    let mut text = new_text(EpitaphCause::Panic);
    let _ = write!(text, "{}", info.message());
    if let Some(location) = info.location() {
        let _ = write!(text, " ({}:{})", location.file(), location.line());
    }
    leave(text)
}

/// Dies of an exception that nothing handles.
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

/// Dies of an error of the processor or of memory.
pub fn by_machine_check(frame: &TrapFrame, report: &BankReport) -> ! {
    let mut text = new_text(EpitaphCause::Exception);
    describe(&mut text, frame);
    let _ = write!(
        text,
        "{}: bank {}, status {:#x}, address {:#x}, misc {:#x}",
        exception_name(frame.vector),
        report.bank,
        report.status,
        report.address,
        report.more
    );
    leave(text)
}

/// Returns whether an address lies in the other instance's slice.
fn is_in_peer_slice(address: u64) -> bool {
    context::try_get().is_some_and(|context| {
        let peer = context.hand_off.peer;
        (memory::virt_of(peer.start)..memory::virt_of(peer.end)).contains(&address)
    })
}

/// Dies of the fence's NMI.
pub fn by_nmi(frame: &TrapFrame) -> ! {
    let mut text = new_text(EpitaphCause::Exception);
    describe(&mut text, frame);
    let _ = text.write_str("stopped by NMI");
    leave(text)
}

/// Dies because the machine is in an epoch that is not this kernel's.
pub fn superseded(found_epoch: u64) -> ! {
    let mut text = new_text(EpitaphCause::Superseded);
    let _ = write!(text, "the machine is in epoch {found_epoch}");
    leave(text)
}

/// Dies because it cannot serve any longer: `reason` says why.
pub fn for_cause(cause: EpitaphCause, reason: impl Display) -> ! {
    let mut text = new_text(cause);
    let _ = write!(text, "{reason}");
    leave(text)
}

/// Hands the machine over to the backup, as the operator asked.
pub fn hand_over() -> ! {
    leave(new_text(EpitaphCause::Switchover))
}

/// Dies because this kernel cannot come up.
pub fn boot_failed(reason: &str) -> ! {
    let mut text = new_text(EpitaphCause::BootFailed);
    let _ = text.write_str(reason);
    leave(text)
}

/// Begins an epitaph: what died, when, and on which core. Disables interrupts.
fn new_text(cause: EpitaphCause) -> EpitaphText {
    x86_64::instructions::interrupts::disable();
    let mut text = EpitaphText::new(epoch::own(), cause, 0);
    if let Some(context) = context::try_get() {
        text.time_ns = context.now_ns();
        text.core = cpu::core_number() as u64;
    }
    text
}

/// Adds the registers of a trap.
fn describe(text: &mut EpitaphText, frame: &TrapFrame) {
    text.vector = frame.vector;
    text.error_code = frame.error_code;
    text.rip = frame.rip;
    text.rsp = frame.rsp;
}

/// Writes the epitaph, interrupts the seat, and stops.
fn leave(text: EpitaphText) -> ! {
    let Some(context) = context::try_get() else {
        cpu::stop()
    };
    context.region.control.epitaphs[context.instance()].write(&text);
    if text.epoch == 0 {
        // This is a backup on the seat, whose core belongs to the monitor: an exception returns it.
        x86_64::instructions::interrupts::int3();
    }
    let _ = context.local_apic.send(
        context.hand_off.seat_apic_id,
        Ipi::Fixed(Vector::Epitaph.byte()),
    );
    await_fence(context, text.epoch)
}

/// Waits to be fenced. Resets the machine if the monitor does nothing all the while: then nobody will come.
fn await_fence(context: &'static Context, epoch: u64) -> ! {
    let control = context.region.control;
    // A takeover is over by then, and nothing has held it up.
    context.clock.spin_ns(ASK_NS);
    let mut silence = MonitorSilence::begin(control, context.now_ns());
    while context.options.failover_reset == Reset::Auto && control.epoch.is_owned_by(epoch) {
        let _ = context.local_apic.send(
            context.hand_off.seat_apic_id,
            Ipi::Fixed(Vector::KeepaliveToSeat.byte()),
        );
        context.clock.spin_ns(ASK_NS);
        if silence.look(control, context.now_ns()) >= MONITOR_DEAD_NS {
            reset_machine(context);
            break;
        }
    }
    cpu::stop()
}

/// Resets the machine in place of the monitor, unless that did not help several times in a row.
pub fn reset_machine(context: &Context) {
    if context
        .region
        .control
        .header
        .count_reset(context.now_ns())
        .is_ok()
    {
        // SAFETY: nobody serves any more, and what is to be kept is in memory.
        unsafe { reset::machine(None) }
    }
}
