//! The report for people: one screen of 80 columns.

use core::fmt;

use crate::report::Report;
use crate::samples::Summary;
use crate::trial::Death;

/// Writes the report, line by line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes_no = |is: bool| if is { "yes" } else { "no" };
        let mode = if self.is_x2apic { "x2APIC" } else { "xAPIC" };
        writeln!(
            f,
            "Understudy {}: qualification of this machine",
            self.version
        )?;
        writeln!(f, "processor      {:.60}", self.processor)?;
        writeln!(
            f,
            "               {} CPUs, {mode}, {} PCI functions, {} IOMMUs, {}",
            self.cpus,
            self.functions,
            self.iommus,
            if self.is_iommu_used {
                "in use"
            } else {
                "none in use"
            }
        )?;
        writeln!(
            f,
            "clock          {} MHz, invariant: {}; cores apart {} ns (+- {} ns)",
            self.tsc_hz / 1_000_000,
            yes_no(self.is_tsc_invariant),
            self.tsc_offset_ns_max,
            self.tsc_error_ns
        )?;
        let pauses = &self.pauses;
        writeln!(
            f,
            "pauses         longest {} us in {} ms; {} > 10 us, {} > 100 us, {} > 1 ms",
            pauses.longest_ns.div_ceil(1000),
            pauses.watched_ms,
            pauses.above_10us,
            pauses.above_100us,
            pauses.above_1ms
        )?;
        writeln!(
            f,
            "{:<26}{:>7}{:>10}{:>10}{:>10}",
            "", "count", "p50", "p99", "max"
        )?;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, it: &Summary| {
            let Summary {
                count,
                p50,
                p99,
                max,
            } = it;
            writeln!(f, "{name:<26}{count:>7}{p50:>10}{p99:>10}{max:>10}")
        };
        row(f, "INIT to check-in, us", &self.startup_us)?;
        row(f, "interrupt, ns", &self.interrupt_ns)?;
        row(f, "denial of DMA, ns", &self.dma_denial_ns)?;
        row(f, "detected to fenced, us", &self.fence_us)?;
        row(f, "detected to serving, us", &self.serving_us)?;
        for (death, cause) in Death::ALL.into_iter().zip(&self.causes) {
            let name = death.name();
            row(f, &Name(name, "detected, us").text(), &cause.detect_us)?;
            row(f, &Name(name, "serving, us").text(), &cause.gap_us)?;
        }
        if !self.absent.is_empty() {
            writeln!(f, "cores that do not start: {:?}", self.absent)?;
        }
        writeln!(
            f,
            "takeovers      {} of {}, {} wrong replies, {} resets; slowest core: {}",
            self.takeovers, self.takeovers_wanted, self.wrong, self.resets, self.slowest_core
        )?;
        write!(f, "{}", self.verdict().text())
    }
}

/// The name of a row: from which death, to what.
struct Name(&'static str, &'static str);

impl Name {
    fn text(&self) -> alloc::string::String {
        alloc::format!("{} to {}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use crate::report::{CauseReport, Report};
    use crate::samples::Summary;
    use std::string::ToString;

    #[test]
    fn the_page_fits_a_screen_whatever_the_numbers() {
        let wide = Summary {
            count: 100_000,
            p50: 9_999_999,
            p99: u32::MAX,
            max: u32::MAX,
        };
        let report = Report {
            version: "10.10.10".into(),
            processor: "x".repeat(100),
            cpus: 512,
            tsc_hz: u64::from(u32::MAX) * 4,
            functions: 4096,
            iommus: 32,
            is_iommu_used: true,
            dma_denial_ns: wide,
            startup_us: wide,
            interrupt_ns: wide,
            fence_us: wide,
            serving_us: wide,
            causes: [CauseReport {
                detect_us: wide,
                gap_us: wide,
            }; 3],
            takeovers: 100_000,
            takeovers_wanted: 100_000,
            ..Report::default()
        };
        let text = report.to_string();
        assert!(text.lines().count() <= 24, "{text}");
        assert!(text.lines().all(|line| line.len() < 80), "{text}");
        assert!(text.ends_with("nothing acknowledged was lost"), "{text}");
    }
}
