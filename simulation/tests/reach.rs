//! The seeds reach what they are there for: each of these things is said by the kernels in some of them.

use std::sync::atomic::{AtomicU64, Ordering};

use log::{LevelFilter, Log, Metadata, Record};
use simulation::campaign::{Campaign, Seeds};

/// What is said, and when it is.
const SAID: [(&str, &str); 18] = [
    ("taking over into", "a takeover"),
    ("fence round", "a fence that needs more than one round"),
    ("event=fence-refused", "a fence without proof"),
    ("event=reset number", "a reset by the monitor"),
    ("struck: Pause", "an owner that is paused and goes on"),
    (
        "struck: HungLoop",
        "a main loop that hangs while keepalives go on",
    ),
    ("handed over on purpose", "a switchover"),
    (
        "waiting for the backup to get ready",
        "a death before the backup is ready",
    ),
    ("and no backup: nobody serves", "a death without a backup"),
    ("it crashed on the seat", "a backup that crashes"),
    ("it hung on the seat", "a backup that hangs"),
    ("hole of", "a producer that died between its stores"),
    ("its checksum does not match", "flipped bits"),
    ("make no sense", "cursors that contradict each other"),
    ("event=checkpoint", "a state that is told"),
    (
        "event=retention-lost",
        "a journal that is full with what is kept",
    ),
    (
        "the journal is full and the backup silent",
        "a backup that is given up for room",
    ),
    (
        "did not start; once more",
        "a core that does not come for its order",
    ),
];

static COUNTS: [AtomicU64; SAID.len()] = [const { AtomicU64::new(0) }; SAID.len()];

struct Count;

impl Log for Count {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        for ((said, _), count) in SAID.iter().zip(&COUNTS) {
            if text.contains(said) {
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
    for ((_, what), count) in SAID.iter().zip(&COUNTS) {
        let count = count.load(Ordering::Relaxed);
        println!("{count:>6} times: {what}");
        if count == 0 {
            missing.push(*what);
        }
    }
    assert!(missing.is_empty(), "never reached: {missing:?}");
}
