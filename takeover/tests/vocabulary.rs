//! Core sets, the configuration, and the texts that people read.

mod common;

use common::{MS, config, set};
use takeover::{
    BackupLoss, Cause, Config, ConfigError, CoreError, CoreSet, Failure, Machine, Notice, Refusal,
    Stage,
};

#[test]
fn the_seat_is_in_no_set() {
    assert_eq!(CoreSet::from_cores([1, 0]), Err(CoreError::Seat));
    assert_eq!(
        CoreSet::from_cores([511, 512]),
        Err(CoreError::OutOfRange(512))
    );
    assert_eq!(
        CoreSet::from_cores([u32::MAX]),
        Err(CoreError::OutOfRange(u32::MAX))
    );
    assert_eq!(
        CoreError::Seat.to_string(),
        "core 0 is the monitor's seat and cannot be fenced; use cores 1 to 511"
    );
    assert_eq!(
        CoreError::OutOfRange(512).to_string(),
        "there is no core 512; use cores 1 to 511"
    );
    let all = CoreSet::from_cores(1..512).unwrap();
    assert_eq!(
        (all.len(), all.contains(0), all.first()),
        (511, false, Some(1))
    );
    assert!(all.iter().eq(1..512));
    assert!(!all.contains(512) && !all.contains(u32::MAX));
    assert_eq!(all.to_string(), "1-511");
}

#[test]
fn a_set_is_told_as_ranges() {
    let told = [62, 63, 64, 65, 500].map(|core| set(&[core]));
    let told = told.into_iter().fold(set(&[1]), CoreSet::union);
    assert_eq!(told.to_string(), "1, 62-65, 500");
}

#[test]
fn a_set_is_a_set() {
    let cores = set(&[5, 2, 311, 2]);
    assert_eq!(cores.iter().collect::<Vec<_>>(), [2, 5, 311]);
    assert_eq!(cores.without(2).first(), Some(5));
    assert_eq!(cores.without(7).without(0).without(9999), cores);
    assert!(!cores.contains(69), "69 is 5 modulo 64");
    assert_eq!(cores.without_first(), set(&[5, 311]));
    assert_eq!(CoreSet::EMPTY.without_first(), CoreSet::EMPTY);
    assert_eq!(cores.union(set(&[5, 6])), set(&[2, 5, 6, 311]));
    assert_eq!(
        (CoreSet::EMPTY.first(), CoreSet::EMPTY.is_empty()),
        (None, true)
    );
    assert_eq!(
        (
            cores.to_string().as_str(),
            CoreSet::EMPTY.to_string().as_str()
        ),
        ("2, 5, 311", "none")
    );
}

#[test]
fn a_configuration_that_cannot_work_is_refused_by_what_is_wrong() {
    let good = config();
    let refused = |change: fn(&mut Config)| {
        let mut config = good;
        change(&mut config);
        Machine::new(config, 0).unwrap_err()
    };
    assert_eq!(
        refused(|c| c.detector.keepalive_ns = 0),
        ConfigError::NoKeepalive
    );
    let short = refused(|c| c.detector.timeout_ns = 2 * MS - 1);
    assert_eq!(short, ConfigError::TimeoutTooShort(MS, 2 * MS - 1));
    assert!(
        short.to_string().ends_with("use 2000000 ns or more"),
        "{short}"
    );
    assert_eq!(
        refused(|c| c.detector.boot_timeout_ns = 9 * MS),
        ConfigError::BootTimeoutTooShort(10 * MS, 9 * MS)
    );
    assert_eq!(refused(|c| c.fence.tries_max = 0), ConfigError::Tries(0));
    assert_eq!(refused(|c| c.fence.tries_max = 17), ConfigError::Tries(17));
    assert_eq!(refused(|c| c.spare = CoreSet::EMPTY), ConfigError::NoSpare);
    let mut least = good;
    least.detector.timeout_ns = 2 * MS;
    least.detector.boot_timeout_ns = 2 * MS;
    assert!(Machine::new(least, 0).is_ok());
}

#[test]
fn notices_are_events() {
    let missing = set(&[2, 4]);
    for (notice, text) in [
        (
            Notice::TakeoverBegan {
                failure: Failure::on_core(Cause::Hung, 1),
                epoch: 8,
            },
            "event=takeover-began epoch=8 cause=hung core=1 ;",
        ),
        (
            Notice::Refused(Refusal::Unproven { missing }),
            "event=fence-refused cores=2,4 ;",
        ),
        (
            Notice::Refused(Refusal::StageFailed(Stage::QuietDevices)),
            "event=takeover-refused stage=\"quieting the devices\" ;",
        ),
        (
            Notice::Unprotected(BackupLoss::Crashed),
            "event=backup-lost loss=crashed ;",
        ),
        (
            Notice::FenceRetry {
                round: 2,
                pending: missing,
            },
            "event=fence-retry round=2 cores=2,4 ;",
        ),
        (
            Notice::SeatAbsent {
                unseen_ns: 5,
                absences: 2,
            },
            "event=seat-absent unseen_ns=5 absences=2 ;",
        ),
        (
            Notice::Dead(Failure::of(Cause::Silent)),
            "event=dead cause=silent ;",
        ),
    ] {
        assert_eq!(notice.to_string(), text);
    }
}
