//! The status as metrics, in the format of OpenMetrics 1.0 (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).

use alloc::string::String;
use core::fmt::{Display, Write};

use journal::RecentRecords;
use sharedmem::obstacle::Obstacle;

use crate::status::PrimaryStatus;

/// The media type of the format.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A type of metric, by the format's name.
#[derive(Clone, Copy)]
enum Kind {
    Gauge,
    Counter,
    Info,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Info => "info",
        }
    }

    /// Returns what the name of a sample has behind that of its family.
    fn suffix(self) -> &'static str {
        match self {
            Self::Gauge => "",
            Self::Counter => "_total",
            Self::Info => "_info",
        }
    }
}

/// The text, family by family.
struct Exposition(String);

impl Exposition {
    /// Begins a family. Its samples follow.
    fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let _ = writeln!(self.0, "# TYPE understudy_{name} {}", kind.name());
        let _ = writeln!(self.0, "# HELP understudy_{name} {help}");
        Family {
            text: &mut self.0,
            name,
            kind,
        }
    }

    /// Adds a family of one sample without labels.
    fn one(&mut self, name: &'static str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help).sample(&[], value);
    }
}

/// A family that is being written.
struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
    kind: Kind,
}

impl Family<'_> {
    /// Adds a sample. The values of labels are names of ours and versions: nothing in them needs an escape.
    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.text, "understudy_{}{}", self.name, self.kind.suffix());
        for (index, (label, of)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{of}\"");
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }
}

/// Returns the status as a text of metrics.
pub(crate) fn exposition(status: &PrimaryStatus, records: &RecentRecords) -> String {
    let mut out = Exposition(String::new());
    let seconds = |us: i64| us as f64 / 1e6;
    out.family("primary", Kind::Info, "The instance that is the primary.")
        .sample(
            &[
                ("instance", status.instance.name()),
                ("version", status.version),
            ],
            1,
        );
    let help = "Every takeover raises it.";
    out.one("epoch", Kind::Gauge, help, status.epoch);
    let help = "Whether a backup would take over.";
    let is_protected = u8::from(status.obstacles.is_none());
    out.one("protected", Kind::Gauge, help, is_protected);
    let mut reasons = out.family("unprotected", Kind::Gauge, "Why no takeover would follow.");
    for obstacle in Obstacle::ALL {
        let is_there = status.obstacles.iter().any(|it| it == obstacle);
        reasons.sample(&[("reason", obstacle.name())], u8::from(is_there));
    }
    let help = "Whether the primary's state is what it should be.";
    let is_sound = u8::from(status.state_fault.is_none());
    out.one("state_sound", Kind::Gauge, help, is_sound);
    out.one("cores", Kind::Gauge, "Cores of the primary.", status.cores);
    let help = "Time since the machine's boot.";
    let uptime_s = status.uptime_ms as f64 / 1e3;
    out.one("uptime_seconds", Kind::Gauge, help, uptime_s);
    let journal = &status.journal;
    let help = "Bytes that the primary has journaled and applied.";
    out.one(
        "journal_applied_bytes",
        Kind::Counter,
        help,
        journal.applied,
    );
    let help = "Bytes that the primary has applied and the backup has not.";
    let lag_bytes = journal.applied.saturating_sub(journal.consumed);
    out.one("journal_lag_bytes", Kind::Gauge, help, lag_bytes);
    let help = "Bytes of the journal's ring.";
    out.one(
        "journal_capacity_bytes",
        Kind::Gauge,
        help,
        journal.capacity_bytes,
    );
    let help = "Records of programs that are kept.";
    out.one("records_kept", Kind::Gauge, help, records.len());
    let help = "Records of programs that were dropped for room.";
    out.one("records_dropped", Kind::Counter, help, records.dropped());
    if let Some(takeover) = &status.takeover {
        let help = "The takeover that made the primary.";
        let cause = [("cause", takeover.cause_name())];
        out.family("takeover", Kind::Info, help).sample(&cause, 1);
        let help = "When each step of that takeover happened, since the detection.";
        let mut edges = out.family("takeover_edge_seconds", Kind::Gauge, help);
        for (edge, us) in &takeover.edges_us {
            edges.sample(&[("edge", edge.name())], seconds(*us));
        }
    }
    out.0.push_str("# EOF\n");
    out.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::{after, first};
    use std::collections::BTreeSet;

    /// Checks what the format demands of a text, as far as it says so of texts like these.
    fn check(text: &str) {
        let body = text.strip_suffix("# EOF\n").unwrap();
        let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
        let (mut family, mut suffix) = ("", "");
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(families.insert(name), "{name} comes twice");
                family = name;
                suffix = match kind {
                    "gauge" => "",
                    "counter" => "_total",
                    "info" => "_info",
                    _ => panic!("{line}"),
                };
            } else if let Some(rest) = line.strip_prefix("# HELP ") {
                assert!(rest.starts_with(&std::format!("{family} ")), "{line}");
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                assert_eq!(name, std::format!("{family}{suffix}"), "{line}");
                assert!(value.parse::<f64>().unwrap().is_finite());
                assert!(samples.insert(series), "{series} comes twice");
                assert_eq!(series.contains('{'), series.ends_with('}'));
            }
        }
        assert!(samples.len() >= families.len());
    }

    #[test]
    fn the_metrics_are_in_the_format() {
        let records = RecentRecords::default();
        for status in [first(), after("Oops \"\n# EOF\n", b"log\n")] {
            check(&exposition(&status, &records));
        }
    }

    #[test]
    fn what_is_wrong_can_be_seen() {
        let records = RecentRecords::default();
        let of = |status| exposition(&status, &records);
        let (good, bad) = (of(first()), of(after("Oops", b"")));
        assert!(good.contains("\nunderstudy_protected 1\n") && !good.contains("} 1.5\n"));
        assert!(good.contains("\nunderstudy_journal_lag_bytes 100\n"));
        assert!(!good.contains("understudy_takeover"));
        assert!(bad.contains("\nunderstudy_protected 0\n"));
        assert!(bad.contains("\nunderstudy_unprotected{reason=\"cores-missing\"} 1\n"));
        assert!(bad.contains("\nunderstudy_unprotected{reason=\"seat-silent\"} 0\n"));
        assert!(bad.contains("\nunderstudy_state_sound 0\n"));
        assert!(bad.contains("\nunderstudy_takeover_info{cause=\"panic\"} 1\n"));
        assert!(bad.contains("\nunderstudy_takeover_edge_seconds{edge=\"fenced\"} 0.0015\n"));
    }
}
