//! One machine through many lives: its kernels die, restart or hand over, and after each end it is protected again.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde_json::{Value, json};
use sharedmem::event::Ready;

use crate::takeover::{self, Death};
use crate::tenants::Pair;
use harness::images::Images;
use harness::linux::gap::GapProbe;
use harness::linux::http;
use harness::linux::ledger::FileAudit;
use harness::linux::writer::{FileWriter, HttpStore};
use harness::machine::QemuMachine;
use harness::problem::{Problem, require, require_equal};

/// Writes to be acknowledged in each life.
const WRITES: u64 = 20;

/// From an end until the machine is protected again: a takeover, and the boot of a new backup.
const PROTECTION_LIMIT: Duration = Duration::from_secs(120);

/// From the status of a new primary to its first reply.
const REPLY_LIMIT: Duration = Duration::from_secs(20);

/// Between two looks at what the client saw.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The service starts an order at once.
const ORDER_LIMIT: Duration = Duration::from_secs(3);

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelEnd {
    /// The primary dies.
    Death(Death),
    /// It reboots, and is started again.
    Reboot,
    /// It is to give way to another kernel by `kexec -e`; it is started again instead.
    Kexec,
    /// Somebody presses Ctrl-Alt-Del, and it reboots.
    Keys,
    /// It hands over on purpose.
    Switch,
}

impl KernelEnd {
    /// Returns the name that the timeline has for it.
    fn cause(self) -> &'static str {
        match self {
            Self::Death(death) => death.cause(),
            Self::Reboot | Self::Kexec | Self::Keys => "reboot",
            Self::Switch => "switchover",
        }
    }

    /// Says which of the two kernels is the primary afterwards.
    fn successor(self, owner: usize) -> usize {
        match self {
            Self::Death(_) | Self::Switch => 1 - owner,
            Self::Reboot | Self::Kexec | Self::Keys => owner,
        }
    }

    fn come(self, machine: &QemuMachine) -> Result<(), Problem> {
        let port = machine.port()?;
        match self {
            Self::Death(death) => takeover::end(port, death.name()),
            Self::Reboot => takeover::end(port, "reboot"),
            Self::Kexec => takeover::end(port, "kexec"),
            Self::Keys => machine.control()?.press(&["ctrl", "alt", "delete"]),
            Self::Switch => {
                let reply = http::request(port, "POST", "/order", b"switch --yes", ORDER_LIMIT);
                // The kernel may end before its answer has left.
                match reply {
                    Ok(reply) => require_equal("the answer to an order", reply.status, 200),
                    Err(_) => Ok(()),
                }
            }
        }
    }
}

impl FromStr for KernelEnd {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "reboot" => Ok(Self::Reboot),
            "kexec" => Ok(Self::Kexec),
            "ctrl-alt-del" => Ok(Self::Keys),
            "switch" => Ok(Self::Switch),
            other => Death::from_str(other, false).map(Self::Death).map_err(|_| {
                format!(
                    "{other}: panic, hang, spin, reboot, kexec, ctrl-alt-del or switch would work"
                )
            }),
        }
    }
}

impl fmt::Display for KernelEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Death(death) => death.fmt(f),
            Self::Reboot => f.write_str("reboot"),
            Self::Kexec => f.write_str("kexec"),
            Self::Keys => f.write_str("ctrl-alt-del"),
            Self::Switch => f.write_str("switch"),
        }
    }
}

/// One end, and what came after it.
#[derive(Clone, Debug)]
pub struct Life {
    /// How the life ended.
    pub end: KernelEnd,
    /// The kernel that goes on.
    pub successor: String,
    /// How long a client was without a reply.
    pub client_gap: Duration,
}

impl Life {
    fn told(&self) -> String {
        format!(
            "{}: Linux {} goes on after {:.0} ms, and is protected",
            self.end,
            self.successor,
            self.client_gap.as_secs_f64() * 1e3
        )
    }

    fn json(&self) -> Value {
        json!({
            "end": self.end.to_string(),
            "kernel": self.successor,
            "client_gap_ms": (self.client_gap.as_secs_f64() * 1e4).round() / 10.0,
        })
    }
}

/// What a machine has gone through.
#[derive(Clone, Debug)]
pub struct Lives {
    /// Its lives but the last.
    pub lives: Vec<Life>,
    /// What was acknowledged in all of them, and what is left of it.
    pub audit: FileAudit,
}

impl Lives {
    /// Formats the lives for tools.
    pub fn json(&self) -> Value {
        json!({
            "verdict": if self.audit.is_clean() { "pass" } else { "fail" },
            "files_acked": self.audit.files_acked,
            "files_lost": self.audit.files_lost,
            "lives": self.lives.iter().map(Life::json).collect::<Vec<_>>(),
        })
    }
}

/// Starts a machine, and ends its primaries in the ways of `ends`.
///
/// # Errors
/// `Skipped` where the packages cannot be had; anything that is not as it should be. A lost write is no error but a
/// finding.
pub fn play(
    pair: &Pair,
    images: &Images,
    log: &Path,
    limit: Duration,
    ends: &[KernelEnd],
) -> Result<(QemuMachine, Lives), Problem> {
    let releases = pair.kernels()?.map(|kernel| kernel.release);
    let machine = pair.start(images, log, limit)?;
    let lives = live(&machine, ends, &releases)?;
    Ok((machine, lives))
}

fn live(
    machine: &QemuMachine,
    ends: &[KernelEnd],
    releases: &[String; 2],
) -> Result<Lives, Problem> {
    machine.wait_event::<Ready>()?;
    let port = machine.port()?;
    let writer = FileWriter::start(port);
    let (mut lives, mut owner) = (Vec::new(), 0);
    for (index, end) in ends.iter().enumerate() {
        await_protection(machine, index as u64 + 1)?;
        writer.wait_more(WRITES, machine.time_left())?;
        let client = GapProbe::start(port);
        writer.wait_more(WRITES, machine.time_left())?;
        owner = end.successor(owner);
        let life = outlive(machine, *end, index as u64 + 2, &releases[owner], client)
            .map_err(|problem| problem.while_doing(&format!("end {}, {end}", index + 1)))?;
        println!("  {}", life.told());
        lives.push(life);
    }
    writer.wait_more(WRITES, machine.time_left())?;
    let audit = writer.finish()?.audit(&mut HttpStore { port })?;
    Ok(Lives { lives, audit })
}

/// Ends one life, and waits until the machine is protected in the next, whose epoch is `epoch`.
fn outlive(
    machine: &QemuMachine,
    end: KernelEnd,
    epoch: u64,
    successor: &str,
    client: GapProbe,
) -> Result<Life, Problem> {
    end.come(machine)?;
    let status = await_protection(machine, epoch)?;
    let cause = &status["takeover"]["cause"];
    require_equal("the cause", cause, &json!(end.cause()))?;
    require_equal("the primary's kernel", &status["kernel"], &json!(successor))?;
    Ok(Life {
        end,
        successor: successor.into(),
        client_gap: await_handover(&client)?,
    })
}

/// Waits for the new primary's first reply, and returns how long the client was without one. A kernel that was only
/// restarted may report its status before its first reply.
fn await_handover(client: &GapProbe) -> Result<Duration, Problem> {
    let until = Instant::now() + REPLY_LIMIT;
    loop {
        match client.seen().handover() {
            Some(handover) => return Ok(handover.gap),
            None if Instant::now() < until => thread::sleep(POLL_INTERVAL),
            None => {
                return Err(Problem::Failed(
                    "the client saw no reply before or none after the end".into(),
                ));
            }
        }
    }
}

/// Waits until the primary of `epoch` says that everything is brought up, and that there is a backup.
fn await_protection(machine: &QemuMachine, epoch: u64) -> Result<Value, Problem> {
    let status = takeover::status_within(machine, PROTECTION_LIMIT, |status| {
        status["role"] == "primary" && status["epoch"] == epoch
    })?;
    require(status["protected"] == true, || {
        format!("the primary of epoch {epoch} is not protected: {status}")
    })?;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_as_they_are_written() {
        for text in [
            "panic",
            "hang",
            "spin",
            "reboot",
            "kexec",
            "ctrl-alt-del",
            "switch",
        ] {
            assert_eq!(text.parse::<KernelEnd>().unwrap().to_string(), text);
        }
        let problem = "sleep".parse::<KernelEnd>().unwrap_err();
        assert!(problem.starts_with("sleep: panic, "), "{problem}");
    }

    #[test]
    fn only_a_reboot_is_followed_by_the_same_kernel() {
        assert_eq!(KernelEnd::Reboot.successor(1), 1);
        assert_eq!(KernelEnd::Switch.successor(1), 0);
        assert_eq!(KernelEnd::Death(Death::Hang).successor(0), 1);
    }
}
