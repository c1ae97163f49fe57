//! Who this kernel is, whether it is protected, and how the last takeover went.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Map, Value, json};
use sharedmem::Control;
use sharedmem::protection::ProtectionState;
use sharedmem::timeline::Timeline;
use takeover::{Cause, Edge};

use crate::device::{Device, Info, ROLE_PRIMARY};
use crate::problem::Problem;

/// What is told.
pub struct Status {
    info: Info,
    kernel: String,
    protection: ProtectionState,
    epoch: u64,
    beats: u64,
    seat_beats: u64,
    takeover: Option<Takeover>,
}

/// A takeover, as its timeline has it.
struct Takeover {
    epoch: u64,
    cause: &'static str,
    fence_rounds: u64,
    /// Times since the detection, in us; those before it are negative.
    edges_us: Vec<(&'static str, i64)>,
}

impl Status {
    /// Reads it.
    ///
    /// # Errors
    /// The module or /proc refuses.
    pub fn read(device: &Device) -> Result<Self, Problem> {
        const RELEASE: &str = "/proc/sys/kernel/osrelease";
        let kernel = fs::read_to_string(RELEASE).map_err(Problem::with(RELEASE))?;
        Ok(Self::of(
            device.control(),
            device.info,
            kernel.trim().to_string(),
        ))
    }

    fn of(control: &Control, info: Info, kernel: String) -> Self {
        let epoch = control.epoch.current();
        let sequence = |slot: &sharedmem::keepalive::KeepaliveSlot| {
            slot.read().map_or(0, |keepalive| keepalive.sequence)
        };
        Self {
            info,
            kernel,
            protection: control.protection.state(),
            epoch,
            beats: sequence(&control.primary_keepalive),
            seat_beats: sequence(&control.seat_keepalive),
            takeover: Takeover::of(control.timelines.of_epoch(epoch), epoch),
        }
    }

    /// Whether a backup waits.
    pub fn is_protected(&self) -> bool {
        self.protection == ProtectionState::Armed
    }

    /// Why there is no protection.
    pub fn why_unprotected(&self) -> String {
        match self.protection {
            ProtectionState::Armed => "protected".into(),
            ProtectionState::Claimed => "unprotected: a takeover is under way".into(),
            ProtectionState::Dropped => {
                "unprotected: the backup fell behind and was dropped".into()
            }
            ProtectionState::NoBackup => {
                "unprotected: no backup waits; `understudyctl arm` loads one".into()
            }
        }
    }

    fn role(&self) -> &'static str {
        match self.info.role == ROLE_PRIMARY {
            true => "primary",
            false => "backup",
        }
    }

    /// For programs: one line.
    pub fn json(&self) -> Value {
        let takeover = self.takeover.as_ref().map(|takeover| {
            let edges: Map<String, Value> = takeover
                .edges_us
                .iter()
                .map(|(name, us)| (format!("{}_us", name.replace(' ', "_")), json!(us)))
                .collect();
            json!({
                "epoch": takeover.epoch,
                "cause": takeover.cause,
                "fence_rounds": takeover.fence_rounds,
                "edges": edges,
            })
        });
        json!({
            "role": self.role(),
            "instance": self.info.instance,
            "kernel": self.kernel,
            "epoch": self.epoch,
            "protected": self.is_protected(),
            "keepalives_sent": self.beats,
            "keepalives_answered": self.seat_beats,
            "slot_bytes": self.info.slot[1],
            "spare_bytes": self.info.spare[1],
            "pool_bytes": self.info.pool_bytes,
            "added_bytes": self.info.added_bytes,
            "pmem_bytes": self.info.pmem[1],
            "takeover": takeover,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mib = |bytes: u64| bytes >> 20;
        let _ = writeln!(
            out,
            "{} (instance {}), Linux {}, epoch {}",
            self.role(),
            self.info.instance,
            self.kernel,
            self.epoch
        );
        let _ = writeln!(out, "{}", self.why_unprotected());
        let _ = writeln!(
            out,
            "keepalives: {} sent, {} answered",
            self.beats, self.seat_beats
        );
        let _ = writeln!(
            out,
            "memory: slot {} MiB, spare {} MiB, pool {} MiB of which {} MiB added, pmem {} MiB",
            mib(self.info.slot[1]),
            mib(self.info.spare[1]),
            mib(self.info.pool_bytes),
            mib(self.info.added_bytes),
            mib(self.info.pmem[1])
        );
        if let Some(takeover) = &self.takeover {
            let _ = writeln!(
                out,
                "takeover into epoch {}: {}, {} fence rounds",
                takeover.epoch, takeover.cause, takeover.fence_rounds
            );
            for (name, us) in &takeover.edges_us {
                let _ = writeln!(out, "  {:>10.3} ms  {name}", *us as f64 / 1000.0);
            }
        }
        out
    }
}

impl Takeover {
    fn of(timeline: &Timeline, epoch: u64) -> Option<Self> {
        if timeline.epoch() != epoch {
            return None;
        }
        let zero = timeline.edge_ns(Edge::Detected.index())?;
        let since = |ns: u64| (ns as i64).wrapping_sub(zero as i64) / 1000;
        let mut edges_us: Vec<(&'static str, i64)> = Edge::ALL
            .into_iter()
            .filter_map(|edge| Some((edge.name(), since(timeline.edge_ns(edge.index())?))))
            .collect();
        edges_us.sort_by_key(|(_, us)| *us);
        Some(Self {
            epoch,
            cause: Cause::from_code(timeline.cause(), timeline.core() as u32)
                .map_or("unknown", Cause::name),
            fence_rounds: timeline.counter(0),
            edges_us,
        })
    }
}

/// Checks, without doing anything, what a takeover would find.
///
/// # Errors
/// Something is missing.
pub fn test(device: &Device) -> Result<(), Problem> {
    let findings = findings(device.control(), &device.info);
    for (is_good, text) in &findings {
        println!("{}  {text}", if *is_good { "ok  " } else { "FAIL" });
    }
    match findings.iter().all(|(is_good, _)| *is_good) {
        true => Ok(()),
        false => Err(Problem::No("a takeover would fail".into())),
    }
}

fn findings(control: &Control, info: &Info) -> Vec<(bool, String)> {
    let other = 1 - (info.instance as usize).min(1);
    let beats = |slot: &sharedmem::keepalive::KeepaliveSlot| slot.read().is_some();
    let [start, bytes] = info.spare;
    let mut all = vec![
        (
            info.role == ROLE_PRIMARY,
            "this kernel is the primary".into(),
        ),
        (
            control.protection.state() == ProtectionState::Armed,
            "the monitor says that a backup is ready".into(),
        ),
        (
            beats(&control.primary_keepalive),
            "this kernel sends keepalives".into(),
        ),
        (
            beats(&control.seat_keepalive),
            "the monitor answers them".into(),
        ),
        (
            control.epitaphs[info.instance as usize & 1]
                .read()
                .is_none(),
            "no epitaph of this kernel is in the way".into(),
        ),
    ];
    match control.linux[other].ticket() {
        Some(ticket) => {
            let is_own = ticket.page_table >= start && ticket.page_table < start + bytes;
            all.push((
                is_own,
                format!(
                    "the backup's page table is in its slot ({:#x})",
                    ticket.page_table
                ),
            ));
            all.push((
                ticket.entry >= 0xffff_8000_0000_0000,
                format!("its entry is in the kernel's half ({:#x})", ticket.entry),
            ));
        }
        None => all.push((false, "the backup has left its ticket".into())),
    }
    all
}

/// Stamps an edge, by name or number.
///
/// # Errors
/// There is no such edge, or the module refuses.
pub fn stamp(device: &Device, edge: &str) -> Result<(), Problem> {
    device.stamp(edge_of(edge)?)
}

fn edge_of(text: &str) -> Result<u32, Problem> {
    let named = Edge::ALL
        .into_iter()
        .find(|edge| edge.name().replace(' ', "-") == text)
        .map(|edge| edge.index() as u32);
    named.or_else(|| text.parse().ok()).ok_or_else(|| {
        let names = Edge::ALL.map(|edge| edge.name().replace(' ', "-"));
        Problem::No(format!(
            "there is no edge {text}; there are {}",
            names.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(role: u32) -> Info {
        Info {
            role,
            instance: 1,
            spare: [0x1000_0000, 128 << 20],
            ..Info::default()
        }
    }

    #[test]
    fn a_takeover_is_told_from_its_detection_on() {
        let control = Box::<Control>::default();
        control.epoch.reset(2);
        let timeline = control.timelines.of_epoch(2);
        timeline.begin(2, Cause::Silent.code(), 0);
        timeline.stamp(Edge::LastKeepalive.index(), 1_000_000);
        timeline.stamp(Edge::Detected.index(), 21_000_000);
        timeline.stamp(Edge::Resumed.index(), 24_500_000);
        timeline.stamp(Edge::DevicesAdopted.index(), 44_000_000);
        let status = Status::of(&control, info(ROLE_PRIMARY), "6.1.0".into());
        let json = status.json();
        assert_eq!(json["takeover"]["cause"], "silent");
        assert_eq!(json["takeover"]["edges"]["last_keepalive_us"], -20_000);
        assert_eq!(json["takeover"]["edges"]["resumed_us"], 3500);
        assert_eq!(json["protected"], false);
        let text = status.text();
        assert!(text.contains("primary (instance 1), Linux 6.1.0, epoch 2"));
        assert!(
            text.find("resumed") < text.find("devices adopted"),
            "{text}"
        );
    }

    #[test]
    fn a_dry_run_finds_what_is_missing() {
        let control = Box::<Control>::default();
        let bad = |control: &Control| {
            findings(control, &info(ROLE_PRIMARY))
                .into_iter()
                .filter(|(is_good, _)| !is_good)
                .count()
        };
        assert_eq!(bad(&control), 4);
        control.protection.arm();
        let beat = sharedmem::keepalive::Keepalive::first(1, 1);
        control.primary_keepalive.publish(&beat);
        control.seat_keepalive.publish(&beat);
        control.linux[0].park(sharedmem::linux::Ticket {
            page_table: 0x1000_4000,
            entry: 0xffff_ffff_c000_0000,
            stack: 0xffff_ffff_c000_1000,
            apic_id: 1,
        });
        assert_eq!(bad(&control), 0);
    }

    #[test]
    fn edges_have_names_and_numbers() {
        assert_eq!(edge_of("disk-readable").unwrap(), 10);
        assert_eq!(edge_of("8").unwrap(), 8);
        assert!(
            edge_of("lunch")
                .unwrap_err()
                .to_string()
                .contains("first-reply")
        );
    }
}
