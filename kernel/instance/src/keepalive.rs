//! This primary's keepalives.

use core::sync::atomic::{AtomicU64, Ordering};

use ipi::Ipi;
use sharedmem::abi::VECTOR_KEEPALIVE_TO_SEAT;
use sharedmem::keepalive::Keepalive;

use crate::{context, cores, epoch};

static SEQUENCE: AtomicU64 = AtomicU64::new(0);

/// Sends a keepalive: the slot first, then the interrupt. From the lead's timer.
pub fn send() {
    let context = context::get();
    let mut keepalive = Keepalive::first(epoch::own(), context.hand_off.core_count);
    keepalive.sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed) + 1;
    keepalive.time_ns = context.now_ns();
    for number in 0..context.hand_off.core_count as usize {
        keepalive.progress[number] = cores::core(number).progress();
    }
    context.region.control.primary_keepalive.publish(&keepalive);
    // A keepalive that cannot be sent is one that does not arrive: the seat draws the conclusion.
    let _ = context.local_apic.send(
        context.hand_off.seat_apic_id,
        Ipi::Fixed(VECTOR_KEEPALIVE_TO_SEAT),
    );
}
