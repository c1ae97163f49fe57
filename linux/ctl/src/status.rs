//! Which kernel this is, and whether it is protected.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sharedmem::Control;
use sharedmem::backup::LostBackup;
use sharedmem::device::DeviceInfo;
use sharedmem::obstacle::{Obstacle, Obstacles};
use sharedmem::protection::ProtectionState;

use crate::keepalive::{self, KeepaliveStatus};
use crate::log;
use crate::timeline::Takeover;

/// A field of the status for programs.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its meaning, for the manual.
    pub says: &'static str,
    value: fn(&Status) -> Value,
}

const fn field(name: &'static str, says: &'static str, value: fn(&Status) -> Value) -> Field {
    Field { name, says, value }
}

/// The fields, in their order.
pub const FIELDS: [Field; 21] =
    [
        field("role", "primary or backup", |it| {
            json!(it.info.role().name())
        }),
        field("instance", "number of this instance", |it| {
            json!(it.info.instance)
        }),
        field("kernel", "release of this kernel", |it| json!(it.kernel)),
        field(
            "epoch",
            "epoch of the primary; every takeover raises it",
            |it| json!(it.epoch),
        ),
        field(
            "protected",
            "whether a takeover would follow if the primary died now",
            |it| json!(it.is_protected()),
        ),
        field(
            "unprotected_reasons",
            "every reason why none would, each in a word",
            |it| json!(it.obstacles.iter().map(Obstacle::name).collect::<Vec<_>>()),
        ),
        field(
            "protection",
            "the state of the protection, in a word",
            |it| json!(it.protection.name()),
        ),
        field("reason", "protected, or why not, for people", |it| {
            json!(it.reason)
        }),
        field(
            "backup_losses",
            "backups that were lost since the machine's boot",
            |it| json!(it.lost.map_or(0, |lost| lost.count)),
        ),
        field(
            "last_loss",
            "the last of them: its instance, and why it was lost, in a word",
            |it| {
                let lost = it.lost;
                json!(lost.map(
                    |lost| json!({"instance": lost.instance.number(), "loss": lost.loss.name()})
                ))
            },
        ),
        field("keepalives_sent", "the primary's keepalives", |it| {
            json!(it.sent.count)
        }),
        field("keepalive_age_us", "how long ago the last was sent", |it| {
            json!(it.sent.age_us)
        }),
        field("keepalives_answered", "the monitor's answers", |it| {
            json!(it.answered.count)
        }),
        field("answer_age_us", "how long ago the last was sent", |it| {
            json!(it.answered.age_us)
        }),
        field(
            "slot_bytes",
            "memory of this instance while it waits",
            |it| json!(it.info.slot_bytes),
        ),
        field("spare_bytes", "memory of the next backup", |it| {
            json!(it.info.spare_bytes)
        }),
        field(
            "pool_bytes",
            "memory that comes with the role of primary",
            |it| json!(it.info.pool_bytes),
        ),
        field("added_bytes", "how much of it was added", |it| {
            json!(it.info.added_bytes)
        }),
        field("pmem_bytes", "memory that is offered as a disk", |it| {
            json!(it.info.pmem_bytes)
        }),
        field("other", "the other kernel, for people", |it| {
            json!(it.other)
        }),
        field(
            "takeover",
            "the last takeover: epoch, cause, rounds of the fence, times of its edges",
            |it| json!(it.takeover.as_ref().map(Takeover::json)),
        ),
    ];

/// The status.
pub struct Status {
    info: DeviceInfo,
    kernel: String,
    protection: ProtectionState,
    obstacles: Obstacles,
    reason: String,
    lost: Option<LostBackup>,
    epoch: u64,
    sent: KeepaliveStatus,
    answered: KeepaliveStatus,
    other: String,
    takeover: Option<Takeover>,
}

impl Status {
    /// Reads the status from `control`, for the kernel of release `kernel` that `info` describes. `now_ns` returns the
    /// time since the machine's boot.
    pub fn of(
        control: &Control,
        info: DeviceInfo,
        kernel: String,
        now_ns: impl FnOnce() -> Option<u64>,
    ) -> Self {
        let protection = control.protection.state();
        let obstacles = Obstacles::of(control);
        let sent = keepalive::newest(&control.primary_keepalive);
        let answered = keepalive::newest(&control.seat_keepalive);
        // The time is read last. Otherwise a keepalive that comes in between would be one from the future.
        let now_ns = now_ns();
        Self {
            protection,
            obstacles,
            reason: reason(control, obstacles),
            lost: control.backup.last_loss(),
            epoch: control.epoch.current(),
            sent: KeepaliveStatus::of(sent, now_ns),
            answered: KeepaliveStatus::of(answered, now_ns),
            other: other(control, &info),
            takeover: Takeover::last(control),
            info,
            kernel,
        }
    }

    /// Returns whether a takeover would follow if the primary died now.
    pub fn is_protected(&self) -> bool {
        self.obstacles.is_none()
    }

    /// Returns the status as one line of JSON.
    pub fn json(&self) -> Value {
        let fields = FIELDS
            .iter()
            .map(|field| (field.name.into(), (field.value)(self)));
        Value::Object(fields.collect())
    }

    /// Returns the status as text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mib = |bytes: u64| bytes >> 20;
        let info = &self.info;
        let _ = writeln!(
            out,
            "{} (instance {}), Linux {}, epoch {}",
            self.info.role().name(),
            self.info.instance(),
            self.kernel,
            self.epoch
        );
        let _ = writeln!(out, "{}", self.reason);
        let losses = self.lost.map_or(0, |lost| lost.count);
        let _ = writeln!(out, "backups lost since the machine's boot: {losses}");
        let _ = writeln!(
            out,
            "keepalives: {} sent{}, {} answered{}",
            self.sent.count,
            ago(self.sent),
            self.answered.count,
            ago(self.answered)
        );
        let _ = writeln!(
            out,
            "memory: slot {} MiB, spare {} MiB, pool {} MiB of which {} MiB added, pmem {} MiB",
            mib(info.slot_bytes),
            mib(info.spare_bytes),
            mib(info.pool_bytes),
            mib(info.added_bytes),
            mib(info.pmem_bytes)
        );
        let _ = writeln!(out, "the other kernel: {}", self.other);
        if let Some(takeover) = &self.takeover {
            let _ = writeln!(
                out,
                "takeover into epoch {}: {}, {} fence rounds, {} cores left virtualization",
                takeover.epoch, takeover.cause, takeover.fence_rounds, takeover.cores_left
            );
            for line in takeover.lines() {
                let _ = writeln!(out, "  {line}");
            }
        }
        out
    }
}

fn ago(status: KeepaliveStatus) -> String {
    status.age_us.map_or(String::new(), |us| {
        format!(" (the last {:.1} ms ago)", us as f64 / 1000.0)
    })
}

fn reason(control: &Control, obstacles: Obstacles) -> String {
    if obstacles.is_none() {
        return "protected".into();
    }
    let texts = obstacles.texts();
    if !obstacles.has(Obstacle::NoBackup) {
        return format!("unprotected: {texts}");
    }
    let lost = control.backup.last_loss();
    let why = lost.map_or(String::new(), |lost| format!(", because {}", lost.loss));
    format!("unprotected: {texts}{why}; `understudyctl arm` loads one")
}

/// Describes the other instance.
fn other(control: &Control, info: &DeviceInfo) -> String {
    let instance = info.instance().other();
    let version = match control.versions[instance].get().as_str() {
        "" => String::new(),
        version => format!(", {version}"),
    };
    let is_armed = control.protection.state() == ProtectionState::Armed;
    let has_ticket = control.resume_slots[instance].ticket().is_some();
    let state = match (info.is_primary(), is_armed, has_ticket) {
        (false, ..) => "the primary".into(),
        (true, true, true) => "parked".into(),
        (true, true, false) => "ready".into(),
        (true, false, true) => "parked, but lost as a backup".into(),
        (true, false, false) => match control.epitaphs[instance].read() {
            Some(epitaph) => format!(
                "dead: {}",
                log::printable(epitaph.message().as_bytes()).trim()
            ),
            None => "not loaded".into(),
        },
    };
    format!("instance {instance}{version}, {state}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharedmem::Instance;
    use sharedmem::Role;
    use sharedmem::cause::BackupLoss;
    use sharedmem::epitaph::{EpitaphCause, EpitaphText};
    use sharedmem::keepalive::Keepalive;
    use sharedmem::sync::Ordering;

    fn status(control: &Control) -> Status {
        let info = DeviceInfo {
            role: Role::Primary.number() as u32,
            instance: 1,
            spare_start: 0x1000_0000,
            spare_bytes: 128 << 20,
            ..DeviceInfo::default()
        };
        Status::of(control, info, "6.1.0".into(), || Some(5_000_000))
    }

    #[test]
    fn who_this_is_and_how_old_the_keepalives_are() {
        let control = Box::<Control>::default();
        control.epoch.reset(2);
        let mut beat = Keepalive::first(2, 1);
        beat.sequence = 9;
        beat.time_ns = 3_500_000;
        control.primary_keepalive.publish(&beat);
        let status = status(&control);
        let text = status.text();
        assert!(text.starts_with("primary (instance b), Linux 6.1.0, epoch 2\n"));
        assert!(
            text.contains("9 sent (the last 1.5 ms ago), 0 answered\n"),
            "{text}"
        );
        let json = status.json();
        assert_eq!(json["role"], "primary");
        assert_eq!(
            (&json["keepalive_age_us"], &json["spare_bytes"]),
            (&1500.into(), &(128 << 20).into())
        );
        assert!(json["answer_age_us"].is_null() && json["takeover"].is_null());
    }

    #[test]
    fn why_it_is_not_protected_is_said() {
        let control = Box::<Control>::default();
        assert!(!status(&control).is_protected());
        assert!(status(&control).reason.contains("no backup waits; "));
        control.backup.note_loss(Instance::A, BackupLoss::Crashed);
        let lost = status(&control);
        assert!(lost.reason.contains("because it crashed on the seat"));
        let json = lost.json();
        assert_eq!(json["protection"], "no-backup");
        assert_eq!(json["backup_losses"], 1);
        assert_eq!(json["last_loss"], json!({"instance": 0, "loss": "crashed"}));
        control.protection.arm();
        let missing = Obstacles::NONE.with(Obstacle::CoresMissing);
        control.obstacles.store(missing.word(), Ordering::Relaxed);
        let missing = status(&control);
        assert!(!missing.is_protected() && missing.reason.contains("cores do not come"));
        assert_eq!(
            missing.json()["unprotected_reasons"],
            json!(["cores-missing"])
        );
        control.obstacles.store(0, Ordering::Relaxed);
        assert!(status(&control).is_protected());
        assert_eq!(status(&control).reason, "protected");
        assert!(control.protection.claim());
        assert!(status(&control).reason.contains("under way"));
    }

    #[test]
    fn the_other_kernel_is_named_by_what_is_left_of_it() {
        let control = Box::<Control>::default();
        assert!(
            status(&control)
                .text()
                .contains("the other kernel: instance a, not loaded")
        );
        control.versions[Instance::A].set("Linux 6.12.95");
        let mut epitaph = EpitaphText::new(1, EpitaphCause::Panic, 0);
        epitaph.write_str("Fatal exception\n").unwrap();
        control.epitaphs[Instance::A].write(&epitaph);
        let text = status(&control).text();
        assert!(
            text.contains("instance a, Linux 6.12.95, dead: Fatal exception\n"),
            "{text}"
        );
    }
}
