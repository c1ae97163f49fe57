//! The seeds reach what they are there for: some of them reach each of these goals, by what the kernels log.

use std::sync::atomic::{AtomicU64, Ordering};

use log::{LevelFilter, Log, Metadata, Record};
use sharedmem::cause::{BackupLoss, Cause};
use sharedmem::event::{
    BackupLost, Checkpoint, CoresRetried, DamageKind, Dead, Event, FenceRefused, FenceRetry,
    Finding, Reset, RetentionLost, StateFaulty, TakeoverBegan, WaitingForBackup,
};
use simulation::campaign::{Campaign, Seeds};

/// What is to be reached, and whether a line of the log says that it was.
type Goal = (&'static str, fn(&str) -> bool);

const GOALS: [Goal; 23] = [
    ("a takeover", is::<TakeoverBegan>),
    ("a fence that needs more than one round", is::<FenceRetry>),
    ("a fence without proof", is::<FenceRefused>),
    ("a reset by the monitor", is::<Reset>),
    ("a primary that is paused and goes on", |line| {
        line.contains("struck: Pause {")
    }),
    ("a machine that is paused as a whole", |line| {
        line.contains("struck: MachinePause")
    }),
    ("a primary that gives its backup up after a pause", |line| {
        line.contains("struck: PauseAndDrop")
    }),
    ("a main loop that hangs while keepalives go on", |line| {
        line.contains("struck: HungLoop")
    }),
    ("a primary that serves nobody", |line| {
        line.contains("struck: GateStands")
    }),
    ("a switchover", |line| {
        has(line, |it: TakeoverBegan| it.cause == Cause::Switchover)
    }),
    ("a death before the backup is ready", is::<WaitingForBackup>),
    ("a death without a backup", is::<Dead>),
    ("a backup that crashes", |line| {
        lost(line, BackupLoss::Crashed)
    }),
    ("a backup that hangs", |line| lost(line, BackupLoss::Hung)),
    ("a producer that died between its stores", |line| {
        found(line, DamageKind::Hole)
    }),
    ("flipped bits", |line| found(line, DamageKind::Checksum)),
    ("cursors that contradict each other", |line| {
        found(line, DamageKind::Cursors)
    }),
    ("a state that is told", is::<Checkpoint>),
    (
        "a journal that is full with what is kept",
        is::<RetentionLost>,
    ),
    ("a backup that is given up for room", |line| {
        lost(line, BackupLoss::Dropped)
    }),
    (
        "a core that does not come for its order",
        is::<CoresRetried>,
    ),
    ("a backup with a changed value", |line| {
        lost(line, BackupLoss::Corrupt)
    }),
    ("a primary with a changed value", is::<StateFaulty>),
];

/// Returns whether the line is an event `E`.
fn is<E: Event>(line: &str) -> bool {
    E::parse(line).is_ok()
}

/// Returns whether the line is an event `E` that `is_it`.
fn has<E: Event>(line: &str, is_it: impl FnOnce(E) -> bool) -> bool {
    E::parse(line).is_ok_and(is_it)
}

fn lost(line: &str, loss: BackupLoss) -> bool {
    has(line, |it: BackupLost| it.loss == loss)
}

fn found(line: &str, damage: DamageKind) -> bool {
    has(line, |it: Finding| it.damage == Some(damage))
}

static COUNTS: [AtomicU64; GOALS.len()] = [const { AtomicU64::new(0) }; GOALS.len()];

struct Count;

impl Log for Count {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        for ((_, is_reached), count) in GOALS.iter().zip(&COUNTS) {
            if is_reached(&text) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn flush(&self) {}
}

#[test]
fn the_seeds_reach_what_they_are_there_for() {
    simulation::panics::keep();
    log::set_logger(&Count).unwrap();
    log::set_max_level(LevelFilter::Debug);
    let campaign = Campaign::new("0..1000".parse::<Seeds>().unwrap(), false, true);
    campaign.work();
    let mut missing = Vec::new();
    for ((what, _), count) in GOALS.iter().zip(&COUNTS) {
        let count = count.load(Ordering::Relaxed);
        println!("{count:>6} times: {what}");
        if count == 0 {
            missing.push(*what);
        }
    }
    assert!(missing.is_empty(), "never reached: {missing:?}");
}
