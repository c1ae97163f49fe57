//! Machines of the deterministic model. Only the boot line's script drives them: the network is idle, so every run is
//! the same.

use std::path::Path;
use std::time::Duration;

use sharedmem::event::ExecReply;

use crate::console::Logged;
use crate::images::Images;
use crate::machine::{Accel, ClosingWord, Launch, MachineSpec, QemuMachine};
use crate::problem::{Problem, require};
use crate::setup::{Version, WITH_X2APIC};
use crate::timeline_report::TimelineReport;

/// What the script's last command gives back.
pub const CLOSING_WORD: &str = "closing-word";

/// From the fault to the closing word: enough for a takeover, and for the console to print what there is to say of it.
const AFTERMATH: Duration = Duration::from_millis(300);

/// A death of the primary, some time after the machine has come up.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The machine, without its script.
    pub machine: MachineSpec,
    /// Keys in the store.
    pub keys: u64,
    /// The command that kills.
    pub fault: String,
    /// When, counted from the moment the first primary serves.
    pub fault_at: Duration,
}

/// Describes the usual machine of the model.
pub fn machine(name: impl Into<String>, qemu: Version) -> MachineSpec {
    let spec = MachineSpec::new(name, Accel::Model);
    match qemu >= WITH_FINE_TURNS {
        true => spec,
        // A busy core lets no other core run for up to 10 ms of the model's time, which the monitor takes for a death.
        false => spec.append("failover_timeout=50ms"),
    }
}

/// From this version on, cores of the model take turns often enough for the default time-out: tried with 10.0, not so
/// with 7.2.
const WITH_FINE_TURNS: Version = WITH_X2APIC;

/// What was seen.
#[derive(Debug)]
pub struct ModelRun {
    /// The takeover, with its first reply.
    pub takeover: TimelineReport,
    /// The console up to the closing word.
    pub console: Vec<String>,
    /// The guest's closing word.
    pub closing_word: ClosingWord,
}

impl Scenario {
    /// Describes a death by `fault` on the usual machine, with `keys` keys, after its backup has had time to follow.
    pub fn new(name: impl Into<String>, keys: u64, fault: &str, qemu: Version) -> Self {
        // A key costs either kernel some 12 us of the model's time; the backup begins when the primary has ended.
        let fault_at = Duration::from_millis(200) + Duration::from_micros(keys * 40);
        Self {
            machine: machine(name, qemu),
            keys,
            fault: fault.into(),
            fault_at,
        }
    }

    /// Writes the script: fill, wait, die, show that the keys are there, and say the closing word when all is printed.
    pub fn script(&self) -> String {
        let populate = match self.keys {
            0 => String::new(),
            keys => format!("DEBUG POPULATE {keys}; "),
        };
        let (fault_us, fault) = (self.fault_at.as_micros(), &self.fault);
        let end_us = (self.fault_at + AFTERMATH).as_micros();
        format!(
            "debug=1 exec=\"{populate}{fault_us}us {fault}; PING; DBSIZE; {end_us}us ECHO {CLOSING_WORD}\""
        )
    }

    /// Runs the scenario.
    ///
    /// # Errors
    /// The machine does not do what it should, or was not ready for the fault: keys were missing, or the backup was
    /// behind.
    pub fn run(&self, images: &Images, log: &Path, limit: Duration) -> Result<ModelRun, Problem> {
        let spec = self.machine.clone().append(&self.script());
        let machine = QemuMachine::start(&spec, &Launch::of(images, log, limit))?;
        let takeover = machine.wait_first_reply(2)?;
        let closing_word = machine.said_closing_word(CLOSING_WORD)?;
        machine.end();
        let keys = format!(":{}", self.keys);
        let has_keys = machine
            .console()
            .events::<ExecReply>()
            .iter()
            .any(|reply| reply.text == *keys);
        require(has_keys, || {
            format!(
                "the store does not have {} keys after the takeover",
                self.keys
            )
        })?;
        // The backup cannot have had the record of the command that killed, nor time for the status record before it.
        require(takeover.event.records <= 2, || {
            format!("the backup was {} records behind", takeover.event.records)
        })?;
        let mut console = machine.console().lines();
        let is_closing =
            |logged: Logged<ExecReply>| logged.event.text.as_str().contains(CLOSING_WORD);
        // What comes later depends on when the machine was killed.
        let end = console
            .iter()
            .position(|line| Logged::parse(line).is_some_and(is_closing));
        console.truncate(end.map_or(0, |index| index + 1));
        Ok(ModelRun {
            takeover,
            console,
            closing_word,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_one_the_guest_takes() {
        for keys in [0, 1000] {
            let scenario = Scenario::new("x", keys, "DEBUG HANG all", WITH_FINE_TURNS);
            let line = scenario
                .machine
                .clone()
                .append(&scenario.script())
                .boot_line();
            let clauses = partition::Options::parse(&line).unwrap().exec;
            let commands: Vec<&str> = clauses
                .iter()
                .map(|clause| clause.command.as_str())
                .collect();
            assert_eq!(
                commands[commands.len() - 4..],
                ["DEBUG HANG all", "PING", "DBSIZE", "ECHO closing-word"]
            );
            assert_eq!(commands.len(), if keys == 0 { 4 } else { 5 });
            let fault = &clauses[commands.len() - 4];
            assert_eq!(u128::from(fault.at_ns), scenario.fault_at.as_nanos());
        }
    }

    #[test]
    fn an_old_qemu_gets_a_longer_time_out() {
        let timeout_ns = |major, minor| {
            let line = machine("x", Version { major, minor }).boot_line();
            partition::Options::parse(&line)
                .unwrap()
                .failover_timeout_ns
        };
        assert_eq!(
            [timeout_ns(7, 2), timeout_ns(9, 0)],
            [50_000_000, 10_000_000]
        );
    }
}
