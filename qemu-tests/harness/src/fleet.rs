//! A few clients that never reconnect, on a machine with keys in it.

use std::fmt;
use std::time::Duration;

use crate::client;
use crate::machine::QemuMachine;
use crate::problem::{Problem, require};
use crate::steady::{ClientFailure, SteadyClient, Workload};

/// Rounds of every client between two changes of the machine.
const ROUNDS: u64 = 3;

/// One client chats, one sends pipelines, one keeps checksums, one is idle.
const USUAL: [Workload; 4] = [
    Workload::Chat,
    Workload::Pipeline,
    Workload::Checksum,
    Workload::Idle,
];

/// The clients.
pub struct Fleet {
    clients: Vec<SteadyClient>,
    keys: u64,
}

/// What became of the clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetReport {
    /// Their number.
    pub clients: u64,
    /// Rounds that they have done together.
    pub rounds: u64,
    /// Those whose connection was reset.
    pub reset: u64,
    /// Those that did not get what they were owed.
    pub lost: u64,
    /// Those that kept checksums, ...
    pub checked: u64,
    /// ... and those whose checksums do not agree.
    pub differ: u64,
    /// The longest time for which one of them waited for a reply.
    pub longest_silence: Duration,
    /// What went wrong, in words.
    pub troubles: Vec<String>,
}

impl Fleet {
    /// Puts `keys` keys into the machine and starts the usual clients.
    ///
    /// # Errors
    /// One of them does not get to its first reply.
    pub fn start(machine: &QemuMachine, keys: u64) -> Result<Self, Problem> {
        Self::of(machine, keys, &USUAL)
    }

    /// Puts `keys` keys into the machine and starts clients, one after another: QEMU's user network has no queue.
    ///
    /// # Errors
    /// One of them does not get to its first reply.
    pub fn of(machine: &QemuMachine, keys: u64, workloads: &[Workload]) -> Result<Self, Problem> {
        let port = machine.port()?;
        client::inject(port, &format!("DEBUG POPULATE {keys}"))?;
        let mut clients = Vec::new();
        for (number, workload) in workloads.iter().enumerate() {
            let client = SteadyClient::start(port, *workload, &format!("{workload:?}-{number}"));
            SteadyClient::all_do_more(std::slice::from_ref(&client), 1, machine.time_left())?;
            clients.push(client);
        }
        Ok(Self { clients, keys })
    }

    /// Waits until each has done some rounds more.
    ///
    /// # Errors
    /// One does not, or has ended over something that [`report`](Self::report) names.
    pub fn do_more(&self, machine: &QemuMachine) -> Result<(), Problem> {
        SteadyClient::all_do_more(&self.clients, ROUNDS, machine.time_left())?;
        require(!self.clients.iter().any(SteadyClient::has_ended), || {
            "a client gave up".into()
        })
    }

    /// Ends the clients, and returns what became of them.
    ///
    /// # Errors
    /// A client itself is at fault.
    pub fn report(self) -> Result<FleetReport, Problem> {
        let mut tally = FleetReport::default();
        for client in self.clients {
            let workload = client.workload();
            let report = client.report()?;
            tally.clients += 1;
            tally.rounds += report.rounds;
            tally.longest_silence = tally.longest_silence.max(report.longest_silence);
            if let Some(checksums) = report.checksums {
                tally.checked += 1;
                tally.differ += u64::from(!checksums.agree());
            }
            if let Some(trouble) = report.trouble {
                match trouble {
                    ClientFailure::Reset(_) => tally.reset += 1,
                    ClientFailure::Lost(_) => tally.lost += 1,
                }
                tally.troubles.push(format!("{workload:?}: {trouble}"));
            }
        }
        Ok(tally)
    }

    /// Lets the clients go on once more, ends them, and checks that every key is there.
    ///
    /// # Errors
    /// One has lost its connection, or a reply, or a key is missing.
    pub fn finish(self, machine: &QemuMachine) -> Result<FleetReport, Problem> {
        let (keys, done) = (self.keys, self.do_more(machine));
        let tally = self.report()?;
        require(tally.troubles.is_empty(), || tally.troubles.join("; "))?;
        done?;
        let left: u64 = client::ask(machine.port()?, "DBSIZE")?;
        require(left >= keys, || format!("{left} keys of {keys} are left"))?;
        Ok(tally)
    }
}

impl fmt::Display for FleetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checksums = match (self.checked, self.differ) {
            (0, _) => "were not kept",
            (_, 0) => "agree",
            _ => "DIFFER",
        };
        write!(
            f,
            "{} rounds by {} clients, {} lost, {} reset, checksums {checksums}",
            self.rounds, self.clients, self.lost, self.reset
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_says_what_there_was() {
        let mut tally = FleetReport {
            clients: 4,
            rounds: 1200,
            checked: 1,
            ..FleetReport::default()
        };
        assert_eq!(
            tally.to_string(),
            "1200 rounds by 4 clients, 0 lost, 0 reset, checksums agree"
        );
        (tally.lost, tally.reset, tally.differ) = (2, 1, 1);
        assert!(
            tally
                .to_string()
                .ends_with("2 lost, 1 reset, checksums DIFFER")
        );
        tally.checked = 0;
        assert!(tally.to_string().ends_with("checksums were not kept"));
    }
}
