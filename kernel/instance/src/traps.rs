//! Interrupts and exceptions of an owner's cores.

use arch::cpu;
use arch::traps::{TrapFrame, VECTOR_NMI};
use sharedmem::abi::VECTOR_KEEPALIVE_TO_PRIMARY;

use crate::cores::LEAD;
use crate::{context, death, instant, keepalive};

/// Each core's own timer.
pub const VECTOR_TICK: u8 = 0x50;
/// The network device has received, or has sent.
pub const VECTOR_NETWORK: u8 = 0x51;
/// The serial port has received.
pub const VECTOR_SERIAL: u8 = 0x52;
/// The lead's timer, when it was set to the instant of a death.
pub const VECTOR_INSTANT: u8 = 0x53;
/// The local APIC's spurious interrupt.
pub const VECTOR_SPURIOUS: u8 = 0xff;

/// Handles every trap. Most interrupts only end the core's sleep: what is to be done is found by looking.
pub fn handle(frame: &mut TrapFrame) {
    match frame.vector as u8 {
        VECTOR_TICK => {
            if cpu::core_number() == LEAD {
                keepalive::send();
                instant::aim(context::get());
            }
            context::get().local_apic.end_of_interrupt();
        }
        VECTOR_NETWORK | VECTOR_SERIAL | VECTOR_KEEPALIVE_TO_PRIMARY => {
            context::get().local_apic.end_of_interrupt()
        }
        VECTOR_INSTANT => instant::come(context::get(), frame.rip),
        VECTOR_SPURIOUS => {}
        vector if u64::from(vector) == VECTOR_NMI => death::by_nmi(frame),
        32.. => context::get().local_apic.end_of_interrupt(),
        _ => death::by_exception(frame),
    }
}
