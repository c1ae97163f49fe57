//! What a qualification found.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::samples::Summary;
use crate::trial::Death;

/// The report on a machine. New fields go to the end, and raise [`crate::block::REVISION`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the monitor.
    pub version: String,
    /// What the processor calls itself; empty if it does not say.
    pub processor: String,
    /// Number of CPUs.
    pub cpus: u32,
    /// Whether the local APICs are in x2APIC mode.
    pub is_x2apic: bool,
    /// Frequency of the time-stamp counter, in Hz.
    pub tsc_hz: u64,
    /// Whether the processor says that the time-stamp counter never stops and never changes its pace.
    pub is_tsc_invariant: bool,
    /// Number of PCI functions.
    pub functions: u32,
    /// Number of IOMMUs that the firmware names.
    pub iommus: u32,
    /// From INIT to the check-in, each core several times, in us.
    pub startup_us: Summary,
    /// Core that took longest to check in.
    pub slowest_core: u32,
    /// Cores that did not check in, by number.
    pub absent: Vec<u32>,
    /// From the sending of a keepalive's interrupt on another core to the seat's being awake, in ns.
    pub interrupt_ns: Summary,
    /// The greatest distance of a core's clock from the seat's, in ns.
    pub tsc_offset_ns_max: u32,
    /// How uncertain that distance is, in ns.
    pub tsc_error_ns: u32,
    /// How the seat was paused.
    pub pauses: Pauses,
    /// Whether IOMMUs are in use, so that each takeover begins with the denial of all DMA.
    pub is_iommu_used: bool,
    /// From the beginning of a takeover's denial until no device reached memory any more, in ns.
    pub dma_denial_ns: Summary,
    /// Number of takeovers that were asked for.
    pub takeovers_wanted: u32,
    /// Number of takeovers after which somebody served.
    pub takeovers: u32,
    /// Requests whose reply was not the right one.
    pub wrong: u64,
    /// How often the machine was reset on the way.
    pub resets: u32,
    /// From detection until all cores were fenced, in us.
    pub fence_us: Summary,
    /// From detection until the successor served, in us.
    pub serving_us: Summary,
    /// By the cause of death, in the order of [`Death::ALL`].
    pub causes: [CauseReport; Death::ALL.len()],
}

/// The takeovers after deaths of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseReport {
    /// From the death to its detection, in us.
    pub detect_us: Summary,
    /// From the death until the successor served, in us.
    pub gap_us: Summary,
}

/// How the seat was paused while it did nothing but look at the clock: by firmware (SMI), or by whatever runs below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// How long it looked, in ms.
    pub watched_ms: u32,
    /// The longest pause, in ns.
    pub longest_ns: u32,
    /// Number of pauses above 10 us.
    pub above_10us: u32,
    /// Of these, above 100 us.
    pub above_100us: u32,
    /// Of these, above 1 ms.
    pub above_1ms: u32,
}

impl Pauses {
    /// Counts a gap between two looks.
    pub fn add(&mut self, gap_ns: u64) {
        self.longest_ns = self
            .longest_ns
            .max(u32::try_from(gap_ns).unwrap_or(u32::MAX));
        self.above_10us += u32::from(gap_ns > 10_000);
        self.above_100us += u32::from(gap_ns > 100_000);
        self.above_1ms += u32::from(gap_ns > 1_000_000);
    }
}

/// What the report comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every takeover that was asked for took place, and nothing was wrong.
    Pass,
    /// Some requests had a wrong reply.
    StateWrong,
    /// Takeovers are missing, or the machine was reset on the way.
    TakeoverFailed,
    /// An IOMMU did not do what it was told.
    DmaNotDenied,
    /// A core does not start.
    CoreAbsent,
}

impl Verdict {
    /// Returns what it means, for people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Pass => "PASS: every takeover took place, and nothing acknowledged was lost",
            Self::StateWrong => "FAIL: replies were wrong after a takeover",
            Self::TakeoverFailed => "FAIL: not every takeover took place, or the machine was reset",
            Self::DmaNotDenied => "FAIL: an IOMMU did not deny devices the memory (iommu=off)",
            Self::CoreAbsent => "FAIL: a core does not start; leave it out (failover_cpus=)",
        }
    }
}

impl Report {
    /// Returns what the report comes to.
    pub fn verdict(&self) -> Verdict {
        if self.wrong > 0 {
            Verdict::StateWrong
        } else if self.takeovers < self.takeovers_wanted || self.resets > 0 {
            Verdict::TakeoverFailed
        } else if self.is_iommu_used && self.dma_denial_ns.count < self.takeovers {
            Verdict::DmaNotDenied
        } else if !self.absent.is_empty() {
            Verdict::CoreAbsent
        } else {
            Verdict::Pass
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn each_fault_alone_spoils_the_verdict() {
        let good = Report {
            takeovers_wanted: 10,
            takeovers: 10,
            ..Report::default()
        };
        assert_eq!(good.verdict(), Verdict::Pass);
        type Fault = fn(&mut Report);
        let faults: [(Fault, Verdict); 5] = [
            (|it| it.wrong = 1, Verdict::StateWrong),
            (|it| it.takeovers = 9, Verdict::TakeoverFailed),
            (|it| it.resets = 1, Verdict::TakeoverFailed),
            (|it| it.is_iommu_used = true, Verdict::DmaNotDenied),
            (|it| it.absent = vec![3], Verdict::CoreAbsent),
        ];
        for (fault, verdict) in faults {
            let mut report = good.clone();
            fault(&mut report);
            assert_eq!(report.verdict(), verdict);
        }
    }

    #[test]
    fn pauses_are_counted_by_their_length() {
        let mut pauses = Pauses::default();
        for gap_ns in [500, 10_001, 100_001, 1_000_001] {
            pauses.add(gap_ns);
        }
        let Pauses {
            longest_ns,
            above_10us,
            above_100us,
            above_1ms,
            ..
        } = pauses;
        assert_eq!(
            [longest_ns, above_10us, above_100us, above_1ms],
            [1_000_001, 3, 2, 1]
        );
    }
}
