//! The shared region: made at boot, around the journal that an earlier boot left in memory, if there is one.
//!
//! A platform reset leaves memory as it was, as far as the firmware does not use it. The plan of the same machine puts
//! the region to the same place. What is kept is the ring and what is needed to read it; everything else begins anew.

use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use arch::{entropy, rtc};
use sharedmem::abi::CONTROL_BYTES;
use sharedmem::control::RegionError;
use sharedmem::epoch::FIRST_EPOCH;
use sharedmem::event::{ResetSurvived, StateLost, Text};
use sharedmem::hand_off::PhysicalRange;
use sharedmem::prior_boot::PriorBoot;
use sharedmem::{Revisions, SharedRegion};

/// Makes the region in `shared`, for owners from its epoch on. With `may_go_on` the journal that lies there is kept.
/// `now_ns` is the time since the machine's boot.
pub fn make(shared: PhysicalRange, may_go_on: bool, now_ns: u64) -> SharedRegion {
    let address = shared.start as *mut u8;
    // SAFETY: the plan gave this memory to the shared region, identity mapped.
    let old = unsafe { SharedRegion::open(address, shared.len()) };
    // Counted also where no state is kept: a machine that dies again and again must come to rest.
    let resets = match old {
        Ok(region) if may_go_on => region.control.header.resets.load(Relaxed),
        _ => 0,
    };
    let prior = match old {
        Ok(region) if may_go_on => PriorBoot::of(region.control),
        Err(RegionError::Revisions(found)) => {
            let own = Revisions::OWN;
            let reason = Text::of(format_args!(
                "in memory there is a journal of {found}; this is {own}"
            ));
            log::warn!("{}", StateLost { reason });
            None
        }
        _ => None,
    };
    let salt = prior
        .as_ref()
        .map_or_else(entropy::bits, |prior| prior.salt);
    // SAFETY: as above; the control block begins as zeros.
    let region = unsafe {
        ptr::write_bytes(address, 0, CONTROL_BYTES);
        SharedRegion::create(address, shared.len(), salt)
    };
    let region = region.expect("the plan gives the journal its least size");
    region.control.header.resets.store(resets, Relaxed);
    region.control.epoch.reset(FIRST_EPOCH);
    if let Some(prior) = prior {
        prior.restore(region.control);
        let survived = ResetSurvived {
            epoch: region.control.epoch.current(),
            journal_from: prior.retained,
            journal_to: prior.reserved,
            time_before_ns: prior.time_ns,
        };
        log::warn!("{survived}");
    }
    set_time(&region, now_ns);
    region
}

/// Lets the service's time be that of the real-time clock, unless an earlier boot was later: time never goes back.
fn set_time(region: &SharedRegion, now_ns: u64) {
    // SAFETY: no other kernel runs yet, and the monitor reads the clock nowhere else.
    let Some(unix_s) = (unsafe { rtc::unix_seconds() }) else {
        log::warn!(
            "the machine has no real-time clock: what clients see as time counts from the boot"
        );
        return;
    };
    let boot_ns = unix_s.saturating_mul(1_000_000_000).saturating_sub(now_ns);
    let time_before_ns = &region.control.header.time_before_ns;
    time_before_ns.store(time_before_ns.load(Relaxed).max(boot_ns), Relaxed);
}
