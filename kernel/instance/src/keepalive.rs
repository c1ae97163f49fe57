//! The keepalives of this primary.

use ipi::Ipi;
use sharedmem::abi::Vector;
use sharedmem::keepalive::Keepalive;
use spin::Mutex;

use crate::{context, cores, epoch};

/// The newest keepalive: too large to be made anew each time.
static NEWEST: Mutex<Keepalive> = Mutex::new(Keepalive::first(0, 0));

/// Sends a keepalive: first publishes the slot, then interrupts the seat. Called by the lead, with interrupts off.
pub fn send() {
    let context = context::get();
    // Nobody holds it: only the lead comes here, and nothing interrupts it but an exception, which does not return.
    let Some(mut keepalive) = NEWEST.try_lock() else {
        return;
    };
    keepalive.epoch = epoch::own();
    keepalive.cores = context.hand_off.core_count;
    keepalive.sequence += 1;
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
