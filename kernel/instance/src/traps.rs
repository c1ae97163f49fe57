//! Interrupts and exceptions of a primary's cores.

use arch::cpu;
use arch::traps::{TrapFrame, VECTOR_MACHINE_CHECK, VECTOR_NMI};

use crate::checks;
use crate::cores::{self, LEAD};
use crate::debug::{self, Point};
use crate::{context, death, keepalive, nmis, vectors};

/// Handles every trap. Most interrupts only end the core's sleep; the main loop then looks for work.
pub fn handle(frame: &mut TrapFrame) {
    match frame.vector as u8 {
        vectors::TICK => {
            checks::look(cores::this().count_tick());
            if cpu::core_number() == LEAD {
                keepalive::send();
                debug::at(context::get(), Point::Tick);
            }
            context::get().local_apic.end_of_interrupt();
        }
        vectors::NETWORK | vectors::SERIAL | vectors::KEEPALIVE => {
            context::get().local_apic.end_of_interrupt()
        }
        vectors::INSTANT => {
            debug::at(context::get(), Point::Instant(frame.rip));
            context::get().local_apic.end_of_interrupt();
        }
        vectors::SPURIOUS => {}
        vector if u64::from(vector) == VECTOR_NMI => nmis::handle(frame),
        vector if u64::from(vector) == VECTOR_MACHINE_CHECK => checks::handle(frame),
        32.. => context::get().local_apic.end_of_interrupt(),
        _ => death::by_exception(frame),
    }
}
