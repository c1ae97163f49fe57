//! How long cores take from INIT to their check-in.

use alloc::vec::Vec;

use qualify::{Report, Samples};
use supervisor::{Cores, Dispatch};
use takeover::CoreSet;

use crate::ap::OtherCores;

/// How often each core is started.
const ROUNDS: u64 = 8;

/// From INIT to SIPI, in ns. INIT takes its time, and a SIPI that comes before its end is lost.
const SETTLE_NS: u64 = 50_000;

/// From one SIPI to the next, in ns.
const RETRY_NS: u64 = 1_000_000;

/// How often SIPI is sent before a core counts as absent.
const STARTUPS_MAX: u32 = 100;

/// Generations of these check-ins: neither a fence nor the roll call uses such a number.
const FIRST_GENERATION: u64 = 1 << 61;

/// Starts each of the cores several times. Returns those that check in.
pub fn measure(
    dispatch: &mut Dispatch<OtherCores>,
    cores: impl Iterator<Item = u32>,
    report: &mut Report,
) -> Vec<u32> {
    let (mut present, mut samples, mut longest_ns) = (Vec::new(), Samples::default(), 0);
    for core in cores {
        let times = (0..ROUNDS).map(|round| start(dispatch, core, FIRST_GENERATION + round));
        match times.collect::<Option<Vec<u64>>>() {
            Some(times_ns) => {
                present.push(core);
                for ns in times_ns {
                    samples.add(ns.div_ceil(1000));
                    if ns > longest_ns {
                        (longest_ns, report.slowest_core) = (ns, core);
                    }
                }
            }
            None => report.absent.push(core),
        }
        dispatch.init(core);
    }
    report.startup_us = samples.summary();
    present
}

/// Starts a core. Returns how long it took, in ns; `None` if it does not check in.
fn start(dispatch: &mut Dispatch<OtherCores>, core: u32, generation: u64) -> Option<u64> {
    let set = CoreSet::from_cores([core]).ok()?;
    let begin_ns = dispatch.now_ns();
    dispatch.init(core);
    dispatch.cores().spin_until(SETTLE_NS, || false);
    let has_come = |it: &Dispatch<OtherCores>| it.mailboxes().checked_in(core) == generation;
    for _ in 0..STARTUPS_MAX {
        dispatch.startup(set, generation, None);
        dispatch.cores().spin_until(RETRY_NS, || has_come(dispatch));
        if has_come(dispatch) {
            return Some(dispatch.now_ns() - begin_ns);
        }
    }
    None
}
