//! The native kernel instance.
//!
//! The monitor calls one entry point, for one of five reasons: to start the instance cold, to add a core, to prepare it
//! as a backup on the seat, to let it apply the journal there, or to promote it. A cold start is a promotion with an
//! empty journal, so there is one way to become the primary.
//!
//! | files | what they do |
//! |---|---|
//! | `standby`, `server` | the instance as a waiting backup, and as the primary |
//! | `host`, `status`, `report`, `operator`, `page` | what the kernel offers to the replica, and to people and tools |
//! | `bringup`, `traps`, `checks`, `nmis`, `keepalive`, `death` | how cores begin, are interrupted, watched, and die |
//! | `devices/` | the gate that holds outgoing frames, network cards, the incident disk |
//! | `console/` | commands come in, log text goes out |
//! | `debug/` | fault injection, behind two hooks |
//! | `context`, `memory`, `cores`, `epoch`, `vectors`, `note` | what all of these use |
#![no_std]
#![no_main]

extern crate alloc;

mod bringup;
mod checks;
mod console;
mod context;
mod cores;
mod death;
mod debug;
mod devices;
mod epoch;
mod host;
mod keepalive;
mod liveness;
mod lone_primary;
mod memory;
mod nmis;
mod note;
mod operator;
mod page;
mod report;
mod server;
mod standby;
mod status;
mod traps;
mod vectors;

use core::panic::PanicInfo;

use sharedmem::abi::{EntryReason, SeatStatus};
use sharedmem::hand_off::HandOff;

/// Enters the instance, on a stack that the monitor mapped for `core` or for the seat.
///
/// Returns a [`SeatStatus`] when called on the seat; otherwise it does not return.
#[unsafe(no_mangle)]
extern "C" fn instance_entry(reason: u64, hand_off: *const HandOff, core: u64) -> u64 {
    // SAFETY: the monitor passes the hand-off that it wrote into this slice, and does not change it while the instance
    // lives.
    let hand_off: &'static HandOff = unsafe { &*hand_off };
    let status = match EntryReason::from_number(reason) {
        Some(EntryReason::SeatInit) => standby::init(hand_off),
        Some(EntryReason::SeatStep) => standby::step(),
        Some(EntryReason::StartPrimary) => server::start(hand_off),
        Some(EntryReason::Promote) => server::promote(),
        Some(EntryReason::JoinCore) => bringup::join(core as usize),
        None => SeatStatus::Failed,
    };
    status as u64
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    death::by_panic(info)
}
