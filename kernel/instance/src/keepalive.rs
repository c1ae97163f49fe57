//! The keepalives of this primary.

use core::sync::atomic::{AtomicU64, Ordering};

use ipi::Ipi;
use sharedmem::abi::Vector;
use sharedmem::keepalive::Keepalive;

use crate::{context, cores, epoch};

static SEQUENCE: AtomicU64 = AtomicU64::new(0);

/// Sends a keepalive: first publishes the slot, then interrupts the seat. Called by the lead, with interrupts off.
pub fn send() {
    let context = context::get();
    let mut keepalive = Keepalive::first(epoch::own(), context.hand_off.core_count);
    keepalive.sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed) + 1;
    keepalive.time_ns = context.now_ns();
    for number in 0..context.hand_off.core_count as usize {
        keepalive.progress[number] = cores::core(number).progress();
    }
    context.region.control.primary_keepalive.publish(&keepalive);
    // If the interrupt cannot be sent, the seat notices that the keepalive is late.
    let _ = context.local_apic.send(
        context.hand_off.seat_apic_id,
        Ipi::Fixed(Vector::KeepaliveToSeat.byte()),
    );
}
