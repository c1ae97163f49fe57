//! Deaths at seeded instants: the primary dies at any instruction, and clients that never reconnect lose nothing.

use sharedmem::cause::Cause;

use crate::campaigns::rearm::{self, LIMIT_EACH, REPORT_EVERY};
use harness::client;
use harness::fleet::{Fleet, FleetReport};
use harness::images::Images;
use harness::machine::{Accel, Launch, MachineSpec, QemuMachine};
use harness::paths;
use harness::problem::{Problem, require_equal};
use harness::random::Random;
use harness::steady::Workload;
use harness::timeline_report::TimelineReport;

/// What the boot line says beyond the usual. The time-out is long because the host is busy all the time: a core that
/// the host stops for a while must not count as dead.
pub const OPTIONS: &str = "failover_rearm=auto failover_timeout=1s debug=1";
/// CPUs: the monitor's and one that works. More of them would only tick, and on a host with few processors the emulator
/// would stop them for so long that they count as dead.
pub const CPUS: u32 = 2;
/// Keys that are there from the beginning: enough that a checkpoint of them takes a while.
const KEYS: u64 = 5_000;
/// Most delay of a death after its command, in ns: some rounds of every client, and a whole checkpoint for a new
/// backup.
const DELAY_NS_MAX: u64 = 20_000_000;
/// Spreads the numbers of the deaths over the seeds.
const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;
/// The one of four that means [`Moment::Checkpoint`].
const CHECKPOINT: u64 = 0;
/// The clients. Values of 1 MiB fill the journal so fast that the primary has to write checkpoints in between.
const WORKLOADS: [Workload; 7] = [
    Workload::Checksum,
    Workload::Checksum,
    Workload::Checksum,
    Workload::Chat,
    Workload::Pipeline,
    Workload::Large,
    Workload::Idle,
];

/// What the machine does when the primary dies, beside the clients' work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Nothing: a backup waits and applies the journal.
    Protected,
    /// The primary writes a checkpoint.
    Checkpoint,
    /// It has only just taken over: a new backup is loaded, or reads the journal.
    Rearming,
}

/// One death, as its seed and number make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kill {
    delay_ns: u64,
    is_silent: bool,
    moment: Moment,
}

impl Kill {
    fn of(seed: u64, number: u64) -> Self {
        let mut random = Self::random(seed, number);
        let moment = match random.below(4) {
            CHECKPOINT => Moment::Checkpoint,
            // A primary without a whole checkpoint may not die before its backup has the state.
            1 if number > 1 && !Self::is_checkpoint(seed, number - 1) => Moment::Rearming,
            _ => Moment::Protected,
        };
        Self {
            delay_ns: random.below(DELAY_NS_MAX),
            is_silent: number.is_multiple_of(2),
            moment,
        }
    }

    fn random(seed: u64, number: u64) -> Random {
        Random::new(seed ^ number.wrapping_mul(SPREAD))
    }

    fn is_checkpoint(seed: u64, number: u64) -> bool {
        Self::random(seed, number).below(4) == CHECKPOINT
    }

    fn command(self) -> String {
        let end = if self.is_silent { "HANG" } else { "PANIC" };
        format!("DEBUG DIE-IN {} {end}", self.delay_ns)
    }

    /// Kills the primary, and waits for the takeover.
    fn strike(
        self,
        machine: &QemuMachine,
        clients: &Fleet,
        epoch: u64,
    ) -> Result<TimelineReport, Problem> {
        let port = machine.port()?;
        if self.moment != Moment::Rearming {
            rearm::wait_protected(machine, port)?;
            clients.do_more(machine)?;
        }
        if self.moment == Moment::Checkpoint {
            client::inject(port, "DEBUG CHECKPOINT")?;
        }
        client::inject(port, &self.command())?;
        let takeover = machine.wait_takeover(epoch)?;
        let cause = match self.is_silent {
            true => Cause::Silent,
            false => Cause::Panic,
        };
        require_equal("the takeover's cause", takeover.event.cause, Some(cause))?;
        Ok(takeover)
    }
}

/// Kills the primary `kills` times at instants that `seed` chooses, and calls `each` with the number and the report of
/// each takeover. Returns what became of the clients.
///
/// # Errors
/// A client lost its connection, or anything it was owed; or the machine did not go on.
pub fn in_a_row(
    machine: &QemuMachine,
    kills: u64,
    seed: u64,
    mut each: impl FnMut(u64, &TimelineReport),
) -> Result<FleetReport, Problem> {
    let clients = Fleet::of(machine, KEYS, &WORKLOADS)?;
    for number in 1..=kills {
        let kill = Kill::of(seed, number);
        match kill.strike(machine, &clients, number + 1) {
            Ok(takeover) => each(number, &takeover),
            Err(problem) => {
                let troubles = clients.report()?.troubles.join("; ");
                let what = format!(
                    "death {number} of seed {seed} ({}, {:?}; {troubles})",
                    kill.command(),
                    kill.moment
                );
                return Err(problem.while_doing(&what));
            }
        }
    }
    clients
        .finish(machine)
        .map_err(|problem| problem.while_doing(&format!("after the last death of seed {seed}")))
}

/// Runs [`in_a_row`] as a campaign, and prints its progress. Returns the summary.
///
/// # Errors
/// As [`in_a_row`]. Prints the command that repeats the deaths and delays; the emulator's own timing never repeats.
pub fn campaign(images: &Images, accel: Accel, kills: u64, seed: u64) -> Result<String, Problem> {
    let mut spec = MachineSpec::new("instants", accel).append(OPTIONS);
    spec.cpus = CPUS;
    let log = paths::fresh_log(&spec.name)?;
    let limit = LIMIT_EACH * u32::try_from(kills).unwrap_or(u32::MAX);
    let machine = QemuMachine::start(&spec, &Launch::of(images, &log, limit))?;
    machine.wait_serving(1)?;
    let mut done = 0;
    let report = in_a_row(&machine, kills, seed, |number, _| {
        done = number;
        if number.is_multiple_of(REPORT_EVERY) {
            println!("{number} deaths, nothing lost");
        }
    });
    let again = done.saturating_add(1).min(kills);
    let report = report.inspect_err(|_| {
        println!("again: cargo xtask instants --kills {again} --seed {seed}");
    })?;
    machine.closing_word()?;
    Ok(format!(
        "instants: {done} deaths at seeded instants, {report}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_deaths_whatever_their_number() {
        let kills = |seed| (1..=400).map(move |number| Kill::of(seed, number));
        assert!(kills(7).eq(kills(7)));
        assert!(!kills(7).eq(kills(8)));
        for moment in [Moment::Protected, Moment::Checkpoint, Moment::Rearming] {
            for is_silent in [false, true] {
                let is_such = |kill: &Kill| (kill.moment, kill.is_silent) == (moment, is_silent);
                assert!(kills(7).filter(is_such).count() > 20, "{moment:?}");
            }
        }
        let early = kills(7).filter(|kill| kill.delay_ns < DELAY_NS_MAX / 10);
        assert!((20..80).contains(&early.count()));
    }

    #[test]
    fn a_primary_without_a_checkpoint_is_not_killed_while_its_backup_is_loaded() {
        let kills: Vec<Kill> = (1..=400).map(|number| Kill::of(3, number)).collect();
        for pair in kills.windows(2) {
            let moments = (pair[0].moment, pair[1].moment);
            assert_ne!(moments, (Moment::Checkpoint, Moment::Rearming));
        }
        assert_ne!(kills[0].moment, Moment::Rearming);
    }
}
