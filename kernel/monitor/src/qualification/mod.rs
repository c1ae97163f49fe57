//! The qualification of this machine (`qualify=`): what is measured before the first primary, and what is kept of each
//! takeover, until the report is complete.
//!
//! Nothing here touches a disk or a network card: their functions are counted, and that is all.

mod clocks;
mod partner;
mod pauses;
mod startup;

use alloc::boxed::Box;
use alloc::string::ToString;
use core::sync::atomic::Ordering;

use arch::clock::Clock;
use partition::Plan;
use qualify::{Death, Report, Samples, Verdict, block};
use raw_cpuid::CpuId;
use sharedmem::Control;
use sharedmem::event;
use sharedmem::timeline::Edge;
use supervisor::Dispatch;

use self::partner::Partner;
use crate::ap::OtherCores;
use crate::dma::Dma;
use crate::facts::BootFacts;
use crate::window::Windows;

/// A machine on which nothing happens for so long is reported on as it is, in ns.
const PATIENCE_NS: u64 = 60_000_000_000;

/// Number of times that progress is logged on the way through the takeovers.
const PROGRESS_LINES: u64 = 20;

/// Times of takeovers after one kind of death, in us.
#[derive(Default)]
struct CauseSamples {
    detect: Samples,
    gap: Samples,
}

/// A qualification under way.
pub struct Qualification {
    report: Report,
    clock: Clock,
    denial: Samples,
    fence: Samples,
    serving: Samples,
    causes: [CauseSamples; Death::ALL.len()],
    /// Number of takeovers after which it is over.
    wanted: u64,
    /// The takeover that is waited for is the one that leads to this epoch.
    next_epoch: u64,
    /// When the last one was seen, in ns.
    seen_ns: u64,
    is_over: bool,
}

impl Qualification {
    /// Measures cores, clocks and pauses, if the operator wants a qualification. `show` prints what was logged.
    pub fn begin(
        facts: &BootFacts,
        plan: &Plan,
        windows: Windows,
        dma: &Dma,
        control: &Control,
        mut show: impl FnMut(),
    ) -> Option<Box<Self>> {
        let wanted = plan.options.qualify_takeovers;
        if wanted == 0 {
            return None;
        }
        let clock = facts.clock();
        let mut tell = |text: &str| {
            log::info!("qualify: {text}");
            show();
        };
        tell("no disk and no network card is touched");
        let mut report = describe(facts, wanted);
        report.is_iommu_used = dma.denies();
        let seat = plan.seat.number;
        let others = facts.acpi.cpus.iter().enumerate();
        let others = others.map(|(core, _)| core as u32).filter(|it| *it != seat);
        let mut dispatch = Dispatch::new(OtherCores {
            local_apic: facts.local_apic,
            clock,
        });
        tell("how long cores take to start");
        let present = startup::measure(&mut dispatch, others, &mut report);
        tell("how far clocks are apart, and how long an interrupt takes");
        let mut partner = Partner::new(facts, windows.root());
        clocks::measure(&mut dispatch, &mut partner, &present, &mut report);
        tell("how the seat is paused");
        report.pauses = pauses::measure(&clock);
        tell("takeovers");
        Some(Box::new(Self {
            report,
            clock,
            denial: Samples::default(),
            fence: Samples::default(),
            serving: Samples::default(),
            causes: Default::default(),
            wanted: wanted.into(),
            next_epoch: control.epoch.current() + 1,
            seen_ns: clock.now_ns(),
            is_over: false,
        }))
    }

    /// Takes in the takeover that is waited for, if it is over; reports if it was the last one. Takes little time.
    /// `denied_ns` is how long the last takeover's denial of DMA took, if there was one.
    pub fn look(&mut self, control: &Control, denied_ns: Option<u64>) {
        if self.is_over {
            return;
        }
        let now_ns = self.clock.now_ns();
        let timeline = control.timelines.of_epoch(self.next_epoch);
        let is_served =
            timeline.epoch() == self.next_epoch && timeline.edge_ns(Edge::Serving).is_some();
        if is_served && self.next_epoch <= self.wanted + 1 {
            self.take(control);
            denied_ns.inspect(|ns| self.denial.add(*ns));
            self.seen_ns = now_ns;
        }
        let is_last_checked = control.debug.trial_epoch.load(Ordering::Acquire) > self.wanted;
        let is_complete = self.next_epoch > self.wanted + 1 && is_last_checked;
        if is_complete || now_ns.saturating_sub(self.seen_ns) > PATIENCE_NS {
            self.finish(control);
        }
    }

    fn take(&mut self, control: &Control) {
        let timeline = control.timelines.of_epoch(self.next_epoch);
        let [detected, fenced, serving] =
            [Edge::Detected, Edge::Fenced, Edge::Serving].map(|edge| timeline.edge_ns(edge));
        let injected = control.debug.injected_ns.load(Ordering::Acquire);
        let us = |from: u64, to: Option<u64>| to?.checked_sub(from).map(|ns| ns.div_ceil(1000));
        if let Some(detected) = detected {
            us(detected, fenced).inspect(|us| self.fence.add(*us));
            us(detected, serving).inspect(|us| self.serving.add(*us));
        }
        let death = Death::of_epoch(self.next_epoch - 1);
        let cause = Death::ALL.iter().position(|it| *it == death).unwrap_or(0);
        let cause = &mut self.causes[cause];
        us(injected, detected).inspect(|us| cause.detect.add(*us));
        us(injected, serving).inspect(|us| cause.gap.add(*us));
        self.report.takeovers += 1;
        self.next_epoch += 1;
        let done = u64::from(self.report.takeovers);
        if done.is_multiple_of(self.wanted.div_ceil(PROGRESS_LINES)) || done == self.wanted {
            log::info!("qualify: {done} of {} takeovers", self.wanted);
        }
    }

    fn finish(&mut self, control: &Control) {
        self.is_over = true;
        let report = &mut self.report;
        report.wrong = control.debug.trial_wrong.load(Ordering::Acquire);
        report.resets = control.header.resets.load(Ordering::Relaxed) as u32;
        report.dma_denial_ns = self.denial.summary();
        report.fence_us = self.fence.summary();
        report.serving_us = self.serving.summary();
        for (cause, samples) in report.causes.iter_mut().zip(&self.causes) {
            cause.detect_us = samples.detect.summary();
            cause.gap_us = samples.gap.summary();
        }
        for line in block::write(report) {
            log::info!("qualify: {line}");
        }
        for line in report.to_string().lines() {
            log::info!("qualify: {line}");
        }
        let qualified = event::Qualified {
            passed: report.verdict() == Verdict::Pass,
            takeovers: report.takeovers,
            wrong: report.wrong,
        };
        log::info!("{qualified}");
    }
}

/// Returns a report that says what the machine is.
fn describe(facts: &BootFacts, wanted: u32) -> Report {
    let cpuid = CpuId::new();
    let brand = cpuid.get_processor_brand_string();
    let power = cpuid.get_advanced_power_mgmt_info();
    Report {
        version: env!("CARGO_PKG_VERSION").into(),
        processor: brand.map_or_else(Default::default, |it| it.as_str().trim().into()),
        cpus: facts.acpi.cpus.len() as u32,
        is_x2apic: facts.is_x2apic,
        tsc_hz: facts.frequencies.tsc_hz,
        is_tsc_invariant: power.is_some_and(|it| it.has_invariant_tsc()),
        functions: facts.functions.len() as u32,
        iommus: (facts.acpi.iommus.as_ref()).map_or(0, |it| it.units.len() as u32),
        takeovers_wanted: wanted,
        ..Report::default()
    }
}
