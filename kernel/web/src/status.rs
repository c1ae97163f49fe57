//! What the page shows, as data and as JSON.

use alloc::vec::Vec;
use journal::RecentRecords;
use serde_json::{Value, json};
use sharedmem::Instance;
use sharedmem::cause::StateFault;
use sharedmem::obstacle::{Obstacle, Obstacles};

use crate::dead_primary::DeadPrimary;
use crate::takeover::TakeoverStatus;

/// The journal's cursors, in bytes since its beginning, and its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalStatus {
    /// Everything below is reserved.
    pub reserved: u64,
    /// Everything below was applied by the primary.
    pub applied: u64,
    /// Everything below was applied by a backup, or is needed by no backup.
    pub consumed: u64,
    /// Bytes of the ring.
    pub capacity_bytes: u64,
}

/// What a primary shows of itself and of its predecessor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryStatus {
    /// This instance.
    pub instance: Instance,
    /// Its version.
    pub version: &'static str,
    /// Its epoch.
    pub epoch: u64,
    /// Number of its cores.
    pub cores: u32,
    /// Time since the machine's boot, in ms.
    pub uptime_ms: u64,
    /// The TCP port of its service.
    pub service_port: u16,
    /// Why no takeover would follow its death.
    pub obstacles: Obstacles,
    /// What is wrong with its own state; `None` if nothing is known to be.
    pub state_fault: Option<StateFault>,
    /// The journal.
    pub journal: JournalStatus,
    /// How it became the primary; `None` for the first one.
    pub takeover: Option<TakeoverStatus>,
    /// Its predecessor; `None` for the first one.
    pub dead: Option<DeadPrimary>,
}

impl PrimaryStatus {
    /// Returns the status as JSON, for programs.
    pub(crate) fn json(&self, records: &RecentRecords) -> Value {
        let JournalStatus {
            reserved,
            applied,
            consumed,
            capacity_bytes,
        } = self.journal;
        json!({
            "role": "primary",
            "instance": self.instance.name(),
            "version": self.version,
            "epoch": self.epoch,
            "cores": self.cores,
            "uptime_ms": self.uptime_ms,
            "service_port": self.service_port,
            "protected": self.obstacles.is_none(),
            "unprotected_reasons": self.obstacles.iter().map(Obstacle::name).collect::<Vec<_>>(),
            "state": self.state_fault.map_or("sound", StateFault::name),
            "journal": {
                "reserved": reserved,
                "applied": applied,
                "consumed": consumed,
                "capacity_bytes": capacity_bytes,
            },
            "records": {
                "kept": records.len(),
                "dropped": records.dropped(),
            },
            "takeover": self.takeover.as_ref().map(TakeoverStatus::json),
            "dead": self.dead.as_ref().map(DeadPrimary::json),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use core::fmt::Write;
    use journal::RecoverySummary;
    use sharedmem::Control;
    use sharedmem::cause::Cause;
    use sharedmem::epitaph::{EpitaphCause, EpitaphText};
    use sharedmem::timeline::Edge;
    use std::boxed::Box;

    /// Makes the status of a first primary.
    pub(crate) fn first() -> PrimaryStatus {
        PrimaryStatus {
            instance: Instance::A,
            version: "1.2.3",
            epoch: 1,
            cores: 3,
            uptime_ms: 65_432,
            service_port: 6379,
            obstacles: Obstacles::NONE,
            state_fault: None,
            journal: JournalStatus {
                reserved: 300,
                applied: 200,
                consumed: 100,
                capacity_bytes: 1 << 20,
            },
            takeover: None,
            dead: None,
        }
    }

    /// Makes the status of an instance that took over from a Linux, which died with `message` and `log`.
    pub(crate) fn after(message: &str, log: &[u8]) -> PrimaryStatus {
        let control = Box::<Control>::default();
        let mut epitaph = EpitaphText::new(1, EpitaphCause::Panic, 0);
        epitaph.write_str(message).unwrap();
        epitaph.time_ns = 9_876_543_210;
        control.epitaphs[Instance::A].write(&epitaph);
        control.instance_logs[Instance::A].write(log);
        let timeline = control.timelines.of_epoch(2);
        timeline.begin(2, Cause::Panic, Some(0));
        timeline.stamp(Edge::Detected, 1_000_000);
        timeline.stamp(Edge::Fenced, 2_500_000);
        let recovered = RecoverySummary {
            records: 2,
            findings: alloc::vec!["torn tail".into()],
            finding_count: 1,
        };
        PrimaryStatus {
            instance: Instance::B,
            epoch: 2,
            obstacles: Obstacles::default().with(Obstacle::CoresMissing),
            state_fault: Some(StateFault::Corrupt),
            takeover: TakeoverStatus::of(&control, 2, recovered),
            dead: Some(DeadPrimary::of(
                &control,
                Instance::A,
                "/boot/vmlinuz-a",
                control.epitaphs[Instance::A].read(),
            )),
            ..first()
        }
    }

    #[test]
    fn the_first_primary_shows_no_predecessor() {
        let json = first().json(&RecentRecords::default());
        assert_eq!(json["protected"], true);
        assert_eq!(json["state"], "sound");
        assert!(json["takeover"].is_null() && json["dead"].is_null());
        assert_eq!(json["journal"]["consumed"], 100);
    }

    #[test]
    fn a_successor_shows_who_died_and_why() {
        let mut records = RecentRecords::new(1 << 16);
        records.keep(0, 1, b"x");
        let json = after("Fatal exception", b"one\ntwo\n").json(&records);
        assert_eq!(json["protected"], false);
        assert_eq!(json["state"], "corrupt");
        let reasons = json!(["no-backup", "cores-missing"]);
        assert_eq!(json["unprotected_reasons"], reasons);
        assert_eq!(json["takeover"]["cause"], "panic");
        assert_eq!(json["takeover"]["findings"], json!(["torn tail"]));
        assert_eq!(json["dead"]["epitaph"]["message"], "Fatal exception");
        assert_eq!(json["dead"]["log"], json!(["one", "two"]));
        assert_eq!(json["records"], json!({"kept": 1, "dropped": 0}));
    }
}
