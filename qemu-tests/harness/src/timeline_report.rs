//! A takeover as the guest reports it: stamps in, durations out.

use serde_json::{Value, json};

use crate::console::Event;
use crate::problem::Problem;

/// A takeover's stamps, in ns since boot; 0 stands for a moment that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineReport {
    /// The epoch it led to.
    pub epoch: u64,
    /// Why: `panic`, `silent`, `hung`, `never-came-up` or `image-refused`.
    pub cause: String,
    /// The core that is to blame, if one is.
    pub core: u64,
    /// Rounds the fence needed.
    pub fence_rounds: u64,
    /// Journal records that were replayed.
    pub records: u64,
    /// Damage that was found in the journal.
    pub findings: u64,
    /// The fault.
    pub cause_ns: u64,
    /// The newest keepalive that was seen.
    pub last_keepalive_ns: u64,
    /// The primary was declared dead.
    pub detected_ns: u64,
    /// All its cores have proved that they stopped.
    pub fenced_ns: u64,
    /// Interrupts are seized.
    pub interrupts_ns: u64,
    /// Devices are quiet.
    pub quiet_ns: u64,
    /// The new primary has brought them up.
    pub devices_ns: u64,
    /// The journal's tail is applied.
    pub replayed_ns: u64,
    /// Requests are taken.
    pub serving_ns: u64,
    /// The first reply left.
    pub first_reply_ns: u64,
}

impl TimelineReport {
    /// Reads `event=takeover`; the first reply is in an event of its own.
    ///
    /// # Errors
    /// The event lacks a field, or its stamps go backwards.
    pub fn of(event: &Event) -> Result<Self, Problem> {
        let number = |key| event.number(key);
        let takeover = Self {
            epoch: number("epoch")?,
            cause: event.text("cause")?.into(),
            core: number("core")?,
            fence_rounds: number("fence_rounds")?,
            records: number("records")?,
            findings: number("findings")?,
            cause_ns: number("cause_ns")?,
            last_keepalive_ns: number("last_keepalive_ns")?,
            detected_ns: number("detected_ns")?,
            fenced_ns: number("fenced_ns")?,
            interrupts_ns: number("interrupts_ns")?,
            quiet_ns: number("quiet_ns")?,
            devices_ns: number("devices_ns")?,
            replayed_ns: number("replayed_ns")?,
            serving_ns: number("serving_ns")?,
            first_reply_ns: 0,
        };
        takeover.check_order()?;
        Ok(takeover)
    }

    /// The same with the moment of `event=first-reply`.
    ///
    /// # Errors
    /// The event is another epoch's, or lies before the replay's end.
    pub fn with_first_reply(mut self, event: &Event) -> Result<Self, Problem> {
        self.first_reply_ns = event.number("ns")?;
        if event.number("epoch")? != self.epoch || self.first_reply_ns < self.replayed_ns {
            return Err(Problem::Failed(format!(
                "the first reply at {} ns does not belong to {self:?}",
                self.first_reply_ns
            )));
        }
        Ok(self)
    }

    /// The edges in the order in which they must come; each is known once there was a takeover.
    fn edges(&self) -> [(&'static str, u64); 7] {
        [
            ("detected", self.detected_ns),
            ("fenced", self.fenced_ns),
            ("interrupts", self.interrupts_ns),
            ("quiet", self.quiet_ns),
            ("devices", self.devices_ns),
            ("replayed", self.replayed_ns),
            ("serving", self.serving_ns),
        ]
    }

    fn check_order(&self) -> Result<(), Problem> {
        let before = self.cause_ns.max(self.last_keepalive_ns);
        let mut earlier = ("cause and last keepalive", before);
        for edge in self.edges() {
            if edge.1 == 0 || edge.1 < earlier.1 {
                let text = format!(
                    "the timeline goes backwards: {} at {} ns, {} at {} ns",
                    earlier.0, earlier.1, edge.0, edge.1
                );
                return Err(Problem::Failed(text));
            }
            earlier = edge;
        }
        Ok(())
    }

    /// When it began: with the fault, or, where that is not known, after the last sign of life.
    fn start_ns(&self) -> Option<u64> {
        [self.cause_ns, self.last_keepalive_ns]
            .into_iter()
            .find(|ns| *ns != 0)
    }

    /// From the fault to its detection.
    pub fn detect_us(&self) -> Option<f64> {
        self.start_ns()
            .map(|start_ns| us(start_ns, self.detected_ns))
    }

    /// From the detection to the first reply.
    pub fn detected_to_first_reply_us(&self) -> Option<f64> {
        (self.first_reply_ns != 0).then(|| us(self.detected_ns, self.first_reply_ns))
    }

    /// The phases by name, in order, with their durations; one is unknown if an edge of it is.
    pub fn phases(&self) -> [(&'static str, Option<f64>); 7] {
        let first_reply_ns = (self.first_reply_ns != 0).then_some(self.first_reply_ns);
        let total_us = self
            .start_ns()
            .zip(first_reply_ns)
            .map(|(start_ns, end_ns)| us(start_ns, end_ns));
        [
            ("detect", self.detect_us()),
            ("fence", Some(us(self.detected_ns, self.fenced_ns))),
            ("interrupts", Some(us(self.fenced_ns, self.interrupts_ns))),
            ("devices", Some(us(self.interrupts_ns, self.devices_ns))),
            ("replay", Some(us(self.devices_ns, self.replayed_ns))),
            (
                "first_reply",
                first_reply_ns.map(|end_ns| us(self.replayed_ns, end_ns)),
            ),
            ("total", total_us),
        ]
    }

    /// As JSON, for tools.
    pub fn json(&self) -> Value {
        let mut object = json!({
            "epoch": self.epoch,
            "cause": self.cause,
            "fence_rounds": self.fence_rounds,
            "records": self.records,
            "findings": self.findings,
        });
        for (name, duration_us) in self.phases() {
            object[format!("{name}_us")] = json!(duration_us);
        }
        object
    }
}

/// Microseconds from one stamp to a later one.
fn us(start_ns: u64, end_ns: u64) -> f64 {
    // Below 2^53 ns, which is 104 days, this is exact.
    (end_ns - start_ns) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "[    0.445987] b: event=takeover epoch=2 cause=panic core=0 fence_rounds=1 records=3 findings=0 \
        cause_ns=1000000 last_keepalive_ns=900000 detected_ns=1012000 fenced_ns=1500000 interrupts_ns=1506000 quiet_ns=1510000 \
        devices_ns=1900000 replayed_ns=1911000 serving_ns=2000000";

    fn parse(line: &str) -> Result<TimelineReport, Problem> {
        TimelineReport::of(&Event::parse(line).unwrap())
    }

    #[test]
    fn stamps_become_durations() {
        let takeover = parse(LINE).unwrap();
        assert_eq!(
            takeover.phases()[5..],
            [("first_reply", None), ("total", None)]
        );
        let reply = Event::parse("[    0.445815] b: event=first-reply epoch=2 ns=2100500").unwrap();
        let takeover = takeover.with_first_reply(&reply).unwrap();
        let durations: Vec<f64> = takeover
            .phases()
            .into_iter()
            .map(|(_, duration)| duration.unwrap())
            .collect();
        assert_eq!(durations, [12.0, 488.0, 6.0, 394.0, 11.0, 189.5, 1100.5]);
        assert_eq!(durations[..6].iter().sum::<f64>(), durations[6]);
        assert_eq!(takeover.detected_to_first_reply_us(), Some(1088.5));
        let object = takeover.json();
        for key in [
            "detect_us",
            "fence_us",
            "interrupts_us",
            "devices_us",
            "replay_us",
            "first_reply_us",
            "total_us",
        ] {
            assert!(object[key].is_f64(), "{key} in {object}");
        }
        assert_eq!(
            (object["cause"].as_str(), object["records"].as_u64()),
            (Some("panic"), Some(3))
        );
    }

    #[test]
    fn without_a_known_fault_it_begins_at_the_last_keepalive() {
        let silent = parse(&LINE.replace("cause_ns=1000000", "cause_ns=0")).unwrap();
        assert_eq!(silent.detect_us(), Some(112.0));
        let never = LINE
            .replace("cause_ns=1000000", "cause_ns=0")
            .replace("last_keepalive_ns=900000", "last_keepalive_ns=0");
        assert_eq!(parse(&never).unwrap().detect_us(), None);
        assert!(parse(&never).unwrap().json()["detect_us"].is_null());
    }

    #[test]
    fn a_timeline_that_cannot_be_is_reported() {
        for (good, bad) in [
            ("fenced_ns=1500000", "fenced_ns=1000"),
            ("serving_ns=2000000", "serving_ns=0"),
            ("cause_ns=1000000", "cause_ns=1012001"),
            ("records=3 ", ""),
            ("epoch=2", "epoch=two"),
        ] {
            assert!(parse(&LINE.replace(good, bad)).is_err(), "{bad}");
        }
        let reply = |text: &str| {
            Event::parse(&format!("[    0.445815] b: event=first-reply {text}")).unwrap()
        };
        let takeover = parse(LINE).unwrap();
        assert!(
            takeover
                .clone()
                .with_first_reply(&reply("epoch=3 ns=2100500"))
                .is_err()
        );
        assert!(
            takeover
                .with_first_reply(&reply("epoch=2 ns=1900000"))
                .is_err()
        );
    }
}
