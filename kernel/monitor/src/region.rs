//! The shared region: made at boot, around the journal that an earlier boot left in memory, if there is one.
//!
//! A platform reset leaves memory as it was, as far as the firmware does not use it. The plan of the same machine puts the region to the same place.
//! What is kept is the ring and what is needed to read it; everything else begins anew.

use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use arch::entropy;
use sharedmem::SharedRegion;
use sharedmem::abi::CONTROL_BYTES;
use sharedmem::control::{NOTHING_RETAINED, RegionError};
use sharedmem::hand_off::PhysicalRange;

/// Epoch of the first primary.
const FIRST_EPOCH: u64 = 1;

/// What is kept of an earlier boot.
struct Left {
    salt: u64,
    epoch: u64,
    reserved: u64,
    applied: u64,
    retained: u64,
    applying: [u64; 2],
    time_ns: u64,
    script_position: u64,
}

impl Left {
    /// Looks at what lies in `region`, if its journal makes the whole state.
    fn of(region: SharedRegion) -> Option<Self> {
        let control = region.control;
        let (header, journal) = (&control.header, &control.journal);
        let retained = journal.retained.load(Acquire);
        let reserved = journal.reserved.load(Acquire);
        // A primary that never wrote anything leaves nothing to go on with.
        if retained == NOTHING_RETAINED || reserved == 0 {
            return None;
        }
        let run_ns = control
            .primary_keepalive
            .read()
            .map_or(0, |keepalive| keepalive.time_ns);
        Some(Self {
            salt: header.journal_salt.load(Relaxed),
            epoch: control.epoch.current(),
            reserved,
            applied: journal.applied.load(Acquire),
            retained,
            applying: journal.applying.save(),
            time_ns: header.time_before_ns.load(Relaxed).saturating_add(run_ns),
            script_position: control.debug.script_position.load(Relaxed),
        })
    }

    /// Puts it into the new `region`.
    fn restore(&self, region: SharedRegion) {
        let control = region.control;
        let (header, journal) = (&control.header, &control.journal);
        header.time_before_ns.store(self.time_ns, Relaxed);
        control
            .debug
            .script_position
            .store(self.script_position, Relaxed);
        control.epoch.reset(self.epoch.saturating_add(1));
        journal.retained.store(self.retained, Release);
        journal.applying.restore(self.applying);
        journal.consumed.store(self.retained, Release);
        journal.applied.store(self.applied, Release);
        journal.reserved.store(self.reserved, Release);
    }
}

/// Makes the region in `shared`, for owners from its epoch on. With `may_go_on` the journal that lies there is kept.
pub fn make(shared: PhysicalRange, may_go_on: bool) -> SharedRegion {
    let address = shared.start as *mut u8;
    // SAFETY: the plan gave this memory to the shared region, identity mapped.
    let old = unsafe { SharedRegion::open(address, shared.len()) };
    // Counted also where no state is kept: a machine that dies again and again must come to rest.
    let resets = match old {
        Ok(region) if may_go_on => region.control.header.resets.load(Relaxed),
        _ => 0,
    };
    let left = match old {
        Ok(region) if may_go_on => Left::of(region),
        Err(RegionError::Revision(found, expected)) => {
            log::warn!(
                "event=state-lost reason=\"in memory there is a journal of ABI revision {} and journal revision {}; this is {} and {}\"",
                found.0,
                found.1,
                expected.0,
                expected.1
            );
            None
        }
        _ => None,
    };
    let salt = left.as_ref().map_or_else(entropy::bits, |left| left.salt);
    // SAFETY: as above; the control block begins as zeros.
    let region = unsafe {
        ptr::write_bytes(address, 0, CONTROL_BYTES);
        SharedRegion::create(address, shared.len(), salt)
    };
    let region = region.expect("the plan gives the journal its least size");
    region.control.header.resets.store(resets, Relaxed);
    region.control.epoch.reset(FIRST_EPOCH);
    if let Some(left) = left {
        left.restore(region);
        log::warn!(
            "event=reset-survived epoch={} journal_from={} journal_to={} time_before_ns={}",
            region.control.epoch.current(),
            left.retained,
            left.reserved,
            left.time_ns
        );
    }
    region
}
