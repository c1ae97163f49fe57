//! Takeovers in a row, each by a backup that was loaded while the last primary served.

use std::thread;
use std::time::Duration;

use sharedmem::cause::Cause;
use sharedmem::event::Arming;

use harness::client;
use harness::fleet::Fleet;
use harness::images::Images;
use harness::machine::{Accel, Launch, MachineSpec, QemuMachine};
use harness::paths;
use harness::problem::{Problem, require, require_equal};
use harness::timeline_report::TimelineReport;

/// What the boot line says beyond the usual.
pub const OPTIONS: &str = "failover_rearm=auto debug=1 admin=1";
/// Keys that are there from the beginning.
const KEYS: u64 = 5_000;
/// Between two requests whether the machine is protected.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Time for one takeover of a campaign.
pub(crate) const LIMIT_EACH: Duration = Duration::from_secs(20);
/// A campaign prints its progress after so many takeovers.
pub(crate) const REPORT_EVERY: u64 = 50;

/// The ways in which a primary ends, in turn, and the cause that is reported.
const ENDS: [(&str, Cause); 5] = [
    ("DEBUG PANIC", Cause::Panic),
    ("DEBUG HANG all", Cause::Silent),
    ("DEBUG DOUBLE-FAULT", Cause::Panic),
    ("FAILOVER", Cause::Switchover),
    ("DEBUG HANG loop", Cause::Hung),
];

/// Lets the backup take over `count` times under clients that never reconnect, and calls `each` with each report. No
/// connection, no reply and no key may be lost.
///
/// # Errors
/// Something was lost, or the machine was not protected again.
pub fn in_a_row(
    machine: &QemuMachine,
    count: u64,
    mut each: impl FnMut(&TimelineReport) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let port = machine.port()?;
    let clients = Fleet::start(machine, KEYS)?;
    for (epoch, (end, cause)) in (2..=count + 1).zip(ENDS.into_iter().cycle()) {
        wait_protected(machine, port)?;
        clients.do_more(machine)?;
        end_by(port, end)?;
        let takeover = machine.wait_takeover(epoch)?;
        require_equal("the takeover's cause", takeover.event.cause, Some(cause))?;
        each(&takeover)?;
    }
    wait_protected(machine, port)?;
    clients.finish(machine)?;
    require_no_growth(machine)?;
    machine.closing_word()?;
    Ok(())
}

/// Checks that the monitor's heap has not grown: the monitor is the one part that is never loaded again.
fn require_no_growth(machine: &QemuMachine) -> Result<(), Problem> {
    let arming = machine.console().events::<Arming>();
    let heap_bytes: Vec<u64> = arming.iter().filter_map(|it| it.heap_bytes).collect();
    let (early, late) = heap_bytes.split_at(heap_bytes.len() / 2);
    let [early, late] = [early, late].map(|some| some.iter().max().copied().unwrap_or(0));
    require(late <= early, || {
        format!("the monitor's heap has grown from {early} to {late} bytes")
    })
}

/// Runs [`in_a_row`] as a campaign, and prints its progress.
///
/// # Errors
/// As [`in_a_row`].
pub fn campaign(images: &Images, accel: Accel, count: u64) -> Result<(), Problem> {
    let spec = MachineSpec::new("rearm", accel).append(OPTIONS);
    let log = paths::fresh_log(&spec.name)?;
    let limit = LIMIT_EACH * u32::try_from(count).unwrap_or(u32::MAX);
    let machine = QemuMachine::start(&spec, &Launch::of(images, &log, limit))?;
    machine.wait_serving(1)?;
    let port = machine.port()?;
    let mut serving_us = Vec::new();
    in_a_row(&machine, count, |takeover| {
        serving_us.push(takeover.detected_to_serving_us() as u64);
        let done = takeover.event.epoch - 1;
        if done.is_multiple_of(REPORT_EVERY) || done == count {
            let newest = serving_us.len().saturating_sub(REPORT_EVERY as usize);
            let mut latest = serving_us[newest..].to_vec();
            latest.sort_unstable();
            let memory: String = client::ask(port, "INFO memory")?;
            let used = memory.lines().find(|line| line.starts_with("used_memory:"));
            println!(
                "{done} takeovers, nothing lost; of the last {}: detected to serving {} us (median), \
                 {} us (longest); {}",
                latest.len(),
                latest[latest.len() / 2],
                latest[latest.len() - 1],
                used.unwrap_or("used_memory is not told"),
            );
        }
        Ok(())
    })
}

fn end_by(port: u16, end: &str) -> Result<(), Problem> {
    if end == "FAILOVER" {
        let answer: String = client::ask(port, end)?;
        return require_equal("the answer", answer.as_str(), "OK");
    }
    client::inject(port, end)
}

/// Waits until the machine says that it is protected.
///
/// # Errors
/// It does not in the time that it has.
pub fn wait_protected(machine: &QemuMachine, port: u16) -> Result<(), Problem> {
    loop {
        let info: String = client::ask(port, "INFO replication")?;
        if info.contains("protected:1\r") {
            return Ok(());
        }
        require(!machine.time_left().is_zero(), || {
            format!("the machine is not protected again: {info}")
        })?;
        thread::sleep(POLL_INTERVAL);
    }
}

/// Lets the primary panic: the successor, of `epoch`, has exactly the keyspace that it had.
///
/// # Errors
/// Nobody takes over, or with another keyspace.
pub fn take_over_whole(machine: &QemuMachine, epoch: u64) -> Result<TimelineReport, Problem> {
    let port = machine.port()?;
    let digest: String = client::ask(port, "DEBUG DIGEST")?;
    client::inject(port, "DEBUG PANIC")?;
    let takeover = machine.wait_takeover(epoch)?;
    let successors: String = client::ask(port, "DEBUG DIGEST")?;
    require_equal("the digest", successors, digest)?;
    Ok(takeover)
}
