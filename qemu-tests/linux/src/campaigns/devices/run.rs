//! Plays a machine: a client for each card and each disk, a panic, and what each client sees afterwards.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sharedmem::event::Ready;

use super::report::{CameBack, Row};
use super::{Device, Kind, Trial};
use crate::takeover::{Death, kill, told_status};
use crate::tenants::Pair;
use harness::emulator;
use harness::images::Images;
use harness::linux::gap::GapProbe;
use harness::linux::writer::{FileWriter, HttpStore};
use harness::machine::QemuMachine;
use harness::paths;
use harness::problem::{Problem, require_equal};
use linux_kit::packages::Series;

/// A machine that is not done after this time is given up: two boots, a takeover, and waiting in vain.
pub const LIMIT: Duration = Duration::from_secs(300);

/// Emulated cores share the host's: a healthy one may stand still for a while.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Drivers of real cards and disks take more memory than those of virtio.
const BACKUP_MEMORY: &str = "failover_mem=192M";

/// The port of the service.
const SERVICE_PORT: u16 = 80;

/// Between two requests by a card.
const PROBE_PERIOD: Duration = Duration::from_millis(100);

/// What a client must have got before the death and must get after it.
const REPLIES: usize = 5;
const WRITES: u64 = 8;

/// A device that does not work this long after the death does not come back.
const RETURN_LIMIT: Duration = Duration::from_secs(40);

/// Between two looks at the clients.
const LOOK: Duration = Duration::from_millis(50);

/// Plays `trials` one after the other, and gives each row to `said` as soon as it is known.
///
/// # Errors
/// A machine could not be tried: something is wrong with the host, or before anything has died.
pub fn run(
    trials: &[Trial],
    images: &Images,
    mut said: impl FnMut(&Row),
) -> Result<Vec<Row>, Problem> {
    let mut rows = Vec::new();
    for (index, trial) in trials.iter().enumerate() {
        let name = format!("linux-devices-{}", index + 1);
        let log = paths::fresh_log(&name)?;
        let (_, played) = emulator::once_more(&name, &log, || trial.play(images, &log, LIMIT))
            .map_err(|problem| problem.while_doing(&format!("console: {}", log.display())))?;
        played.iter().for_each(&mut said);
        rows.extend(played);
    }
    Ok(rows)
}

/// The client of a device.
enum Client {
    Card(GapProbe),
    Disk(FileWriter),
}

impl Client {
    /// Tells how much it got.
    fn count(&self) -> u64 {
        match self {
            Self::Card(probe) => probe.seen().count() as u64,
            Self::Disk(writer) => writer.acknowledged(),
        }
    }

    fn wanted(&self) -> u64 {
        match self {
            Self::Card(_) => REPLIES as u64,
            Self::Disk(_) => WRITES,
        }
    }

    /// Ends it, and tells what it saw of a death; `port` leads to the service by a card that works.
    fn end(self, port: u16) -> Result<CameBack, String> {
        match self {
            Self::Card(probe) => {
                let handover = probe.end().handover();
                let handover = handover.ok_or("no reply by the new primary")?;
                Ok(CameBack {
                    silence_ms: handover.gap.as_millis() as u64,
                    files_lost: 0,
                })
            }
            Self::Disk(writer) => {
                let silence = writer.longest_silence();
                let audit = writer.finish().and_then(|ledger| {
                    let mut store = HttpStore { port };
                    ledger.audit(&mut store)
                });
                let audit = audit.map_err(|problem| problem.text().to_string())?;
                Ok(CameBack {
                    silence_ms: silence.as_millis() as u64,
                    files_lost: audit.files_lost + audit.files_invented,
                })
            }
        }
    }
}

impl Trial {
    fn pair(&self) -> Pair {
        Pair {
            hardware: self.hardware(),
            timeout: TIMEOUT,
            append: BACKUP_MEMORY.into(),
            // All share their files, so they run one after the other.
            ..Pair::new("linux-devices", Series::V6_12, Series::V6_1)
        }
    }

    /// Starts the machine, kills its primary, and returns what becomes of each device.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had; something is wrong with the host, or before anything has died.
    pub fn play(
        &self,
        images: &Images,
        log: &Path,
        limit: Duration,
    ) -> Result<(QemuMachine, Vec<Row>), Problem> {
        let pair = self.pair();
        let machine = pair.start(images, log, limit)?;
        machine.wait_event::<Ready>()?;
        let before = told_status(&machine, |status| status["role"] == "primary")?;
        require_equal("protected", &before["protected"], &json!(true))?;
        let ports = machine.control()?.forwarded_ports(Some(SERVICE_PORT))?;
        let clients = self.clients(&ports);
        let begun: Vec<u64> = vec![0; clients.len()];
        let working = wait_for_more(&clients, &begun, machine.time_left().min(RETURN_LIMIT));
        let counts: Vec<u64> = clients.iter().map(|(_, client)| client.count()).collect();
        kill(ports[0], Death::Panic)?;
        let status = self.await_takeover(&machine, &pair);
        wait_for_more(&clients, &counts, machine.time_left().min(RETURN_LIMIT));
        let outcomes = clients.into_iter().zip(counts).zip(working);
        let outcomes = outcomes.map(|(((device, client), count), worked)| {
            let outcome = match (&status, worked, client.count() >= count + client.wanted()) {
                (_, false, _) => Err("it did not work before the death, either".into()),
                (Err(problem), _, false) => Err(problem.text().to_string()),
                (_, _, false) => Err("it does not work after the takeover".into()),
                _ => client.end(ports[0]),
            };
            (device, outcome)
        });
        let rows = self.rows(outcomes.collect());
        Ok((machine, rows))
    }

    /// Starts a client for each card and each disk that is tried, each with the place of its device in the list.
    fn clients(&self, ports: &[u16]) -> Vec<(usize, Client)> {
        let (mut card_ports, mut disks) = (ports[1..].iter(), 0..);
        let disk_count = self.hardware().disks.len() as u64;
        let mut clients = Vec::new();
        for (index, Device { kind, count, .. }) in self.devices.iter().enumerate() {
            for _ in 0..*count {
                let client = match kind {
                    Kind::Card(_) => {
                        let port = card_ports.next().expect("each card has a port");
                        Client::Card(GapProbe::every(PROBE_PERIOD, *port))
                    }
                    Kind::Disk(_) => {
                        let disk = disks.next().expect("endless");
                        Client::Disk(FileWriter::on_disk(ports[0], disk, disk_count))
                    }
                };
                clients.push((index, client));
            }
        }
        clients
    }

    fn await_takeover(&self, machine: &QemuMachine, pair: &Pair) -> Result<Value, Problem> {
        let [_, backup] = pair.kernels()?;
        let status = told_status(machine, |status| !status["takeover"].is_null())?;
        require_equal("the new primary", &status["kernel"], &json!(backup.release))?;
        Ok(status)
    }

    /// Makes the rows: a device of which there are two comes back when both do, as late as the later one.
    fn rows(&self, outcomes: Vec<(usize, Result<CameBack, String>)>) -> Vec<Row> {
        let devices = self.devices.iter().enumerate();
        let row = |(index, device): (usize, &Device)| {
            let own = outcomes.iter().filter(|(of, _)| *of == index);
            let own: Result<Vec<CameBack>, String> = own.map(|(_, it)| it.clone()).collect();
            let outcome = own.map(|all| CameBack {
                silence_ms: all.iter().map(|it| it.silence_ms).max().unwrap_or(0),
                files_lost: all.iter().map(|it| it.files_lost).sum(),
            });
            Row {
                device: *device,
                has_iommu: self.has_iommu,
                outcome,
            }
        };
        devices.map(row).collect()
    }
}

/// Waits until each client has got what it wants on top of `counts`, or for `limit`. Returns which have.
fn wait_for_more(clients: &[(usize, Client)], counts: &[u64], limit: Duration) -> Vec<bool> {
    let until = Instant::now() + limit;
    loop {
        let has_more = |((_, client), count): (&(usize, Client), &u64)| {
            client.count() >= count + client.wanted()
        };
        let have: Vec<bool> = clients.iter().zip(counts).map(has_more).collect();
        if have.iter().all(|it| *it) || Instant::now() >= until {
            return have;
        }
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::super::few;
    use super::*;

    #[test]
    fn a_device_of_which_there_are_two_is_as_good_as_the_worse() {
        let trial = &few()[0];
        let came_back = |silence_ms, files_lost| {
            Ok(CameBack {
                silence_ms,
                files_lost,
            })
        };
        let mut outcomes = vec![
            (0, came_back(1, 0)),
            (1, Err("dead".into())),
            (2, came_back(3, 0)),
            (3, came_back(3, 0)),
            (4, came_back(4, 1)),
            (4, came_back(5, 1)),
            (5, came_back(6, 0)),
        ];
        let rows = trial.rows(outcomes.clone());
        assert_eq!(rows[1].outcome, Err("dead".into()));
        assert_eq!(rows[4].outcome, came_back(5, 2));
        outcomes[5].1 = Err("dead".into());
        assert_eq!(trial.rows(outcomes)[4].outcome, Err("dead".into()));
    }
}
