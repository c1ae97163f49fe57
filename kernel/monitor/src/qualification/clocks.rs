//! How far the clocks of other cores are from the seat's, and how long an interrupt takes to wake the seat.

use qualify::{Report, Samples};
use supervisor::Dispatch;

use super::partner::Partner;
use crate::ap::OtherCores;

/// Number of questions to each core. The one with the fastest answer counts: it has the smallest error.
const QUESTIONS: usize = 200;

/// Number of interrupts from each core.
const INTERRUPTS: usize = 64;

/// Measures with each of the cores in turn. One that does not answer is absent.
pub fn measure(
    dispatch: &mut Dispatch<OtherCores>,
    partner: &mut Partner,
    cores: &[u32],
    report: &mut Report,
) {
    let mut latencies = Samples::default();
    for core in cores {
        partner.start(dispatch, *core);
        match distance(partner, dispatch.cores()) {
            Some(distance) => {
                let ns = |ticks: u64| dispatch.cores().clock.ns_of(ticks);
                let ticks_apart = distance.ticks.unsigned_abs();
                let apart_ns = u32::try_from(ns(ticks_apart)).unwrap_or(u32::MAX);
                let error_ns = u32::try_from(ns(distance.error)).unwrap_or(u32::MAX);
                report.tsc_offset_ns_max = report.tsc_offset_ns_max.max(apart_ns);
                report.tsc_error_ns = report.tsc_error_ns.max(error_ns);
                let interrupts = (0..INTERRUPTS).map(|_| partner.interrupt(dispatch.cores()));
                for [sent, awake] in interrupts.map_while(|it| it) {
                    let sent = sent.wrapping_sub_signed(distance.ticks);
                    latencies.add(ns(awake.saturating_sub(sent)));
                }
            }
            None => report.absent.push(*core),
        }
        partner.stop(dispatch, *core);
    }
    report.interrupt_ns = latencies.summary();
}

/// How far a clock is from the seat's, in ticks.
struct Distance {
    ticks: i64,
    error: u64,
}

/// Returns how far the partner's clock is ahead of the seat's; `None` if nobody answers.
fn distance(partner: &mut Partner, cores: &OtherCores) -> Option<Distance> {
    let mut best = None::<Distance>;
    for _ in 0..QUESTIONS {
        let [before, there, after] = partner.clock(cores)?;
        let error = after.saturating_sub(before) / 2;
        if best.as_ref().is_none_or(|best| error < best.error) {
            let ticks = there.wrapping_sub(before + error).cast_signed();
            best = Some(Distance { ticks, error });
        }
    }
    best
}
