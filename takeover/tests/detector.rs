//! The failure detector.

mod common;

use common::{BOOT_TIMEOUT, MS, TIMEOUT, beat, detector_config};
use proptest::prelude::*;
use sharedmem::MAX_CORES;
use sharedmem::keepalive::Keepalive;
use takeover::detector::{Flaw, Ignored, Observation};
use takeover::{Cause, Detector, Failure, Verdict};

const EPOCH: u64 = 4;

fn detector() -> Detector {
    Detector::new(detector_config(), EPOCH, 0)
}

/// Makes a detector that has seen beats 1 and 2, the second at `now_ns`, so that all cores have moved.
fn seen_at(now_ns: u64) -> Detector {
    let mut detector = detector();
    detector.observe(now_ns.saturating_sub(MS), &beat(EPOCH, 1));
    detector.observe(now_ns, &beat(EPOCH, 2));
    detector
}

#[test]
fn waits_for_the_first_keepalive_as_long_as_a_boot_may_take() {
    let detector = detector();
    assert_eq!(detector.verdict(BOOT_TIMEOUT - 1), Verdict::Waiting);
    assert_eq!(detector.deadline_ns(5), Some(BOOT_TIMEOUT));
    assert_eq!(
        detector.verdict(BOOT_TIMEOUT),
        Verdict::Red(Failure::of(Cause::NeverCameUp))
    );
    assert_eq!(
        (detector.deadline_ns(BOOT_TIMEOUT), detector.last_seen_ns()),
        (None, None)
    );
}

#[test]
fn grows_yellow_at_half_the_time_out_and_red_at_the_whole() {
    let detector = seen_at(100 * MS);
    let at = |age| detector.verdict(100 * MS + age);
    assert_eq!(
        (at(0), at(TIMEOUT / 2 - 1)),
        (Verdict::Green, Verdict::Green)
    );
    assert_eq!(
        (at(TIMEOUT / 2), at(TIMEOUT - 1)),
        (Verdict::Yellow, Verdict::Yellow)
    );
    assert_eq!(at(TIMEOUT), Verdict::Red(Failure::of(Cause::Silent)));
    assert_eq!(detector.deadline_ns(100 * MS), Some(105 * MS));
    assert_eq!(detector.deadline_ns(105 * MS), Some(110 * MS));
    assert_eq!(detector.deadline_ns(110 * MS), None);
}

#[test]
fn silence_ends_with_a_fresh_beat_but_not_with_the_old_one() {
    let mut detector = seen_at(0);
    assert_eq!(
        detector.observe(TIMEOUT, &beat(EPOCH, 2)),
        Observation::Repeated
    );
    assert_eq!(
        detector.verdict(TIMEOUT),
        Verdict::Red(Failure::of(Cause::Silent))
    );
    assert_eq!(
        detector.observe(TIMEOUT, &beat(EPOCH, 3)),
        Observation::Fresh
    );
    assert_eq!(detector.verdict(TIMEOUT), Verdict::Green);
    assert_eq!(detector.last_seen_ns(), Some(TIMEOUT));
}

/// Checks the contract: observe, then judge. A beat that came while the observer was away counts from when it is seen.
#[test]
fn who_shows_otherwise_that_it_lives_has_a_whole_time_out_from_then_on() {
    let mut detector = seen_at(0);
    assert_eq!(
        detector.verdict(3 * TIMEOUT),
        Verdict::Red(Failure::of(Cause::Silent))
    );
    detector.vouch(3 * TIMEOUT);
    assert_eq!(detector.verdict(4 * TIMEOUT - 1), Verdict::Yellow);
    assert_eq!(
        detector.verdict(4 * TIMEOUT),
        Verdict::Red(Failure::of(Cause::Silent))
    );
    // A core that has not moved since is not called hung when a beat comes.
    detector.observe(3 * TIMEOUT + 1, &beat(EPOCH, 2));
    assert_eq!(detector.verdict(3 * TIMEOUT + 1), Verdict::Green);
    let mut never_seen = self::detector();
    never_seen.vouch(TIMEOUT);
    assert_eq!(never_seen.verdict(TIMEOUT), Verdict::Waiting);
}

#[test]
fn an_observer_that_was_away_looks_before_it_judges() {
    let mut detector = seen_at(0);
    let back = 2 * TIMEOUT;
    assert_eq!(
        detector.verdict(back),
        Verdict::Red(Failure::of(Cause::Silent)),
        "what it would say without looking"
    );
    detector.observe(back, &beat(EPOCH, 20));
    assert_eq!(detector.verdict(back), Verdict::Green);
}

#[test]
fn a_core_that_stands_still_under_a_ticking_timer_is_hung() {
    let mut detector = seen_at(0);
    let mut slot = beat(EPOCH, 2);
    for ms in 1..=10 {
        slot.sequence += 1;
        slot.progress[0] += 1;
        slot.progress[2] += 1;
        detector.observe(ms * MS, &slot);
        let expected = match ms {
            0..=4 => Verdict::Green,
            5..=9 => Verdict::Yellow,
            _ => Verdict::Red(Failure::on_core(Cause::Hung, 1)),
        };
        assert_eq!(detector.verdict(ms * MS), expected, "{ms} ms");
        if ms == 7 {
            assert_eq!(
                detector.deadline_ns(7 * MS),
                Some((7 + 10) * MS),
                "this is silence: a core's standstill shows only in beats"
            );
        }
    }
    slot.sequence += 1;
    slot.progress[1] += 1;
    detector.observe(11 * MS, &slot);
    assert_eq!(
        detector.verdict(11 * MS),
        Verdict::Green,
        "it was only slow"
    );
}

#[test]
fn silence_after_a_core_stood_still_is_silence() {
    let mut detector = seen_at(0);
    let mut slot = beat(EPOCH, 2);
    for ms in 1..=4 {
        slot.sequence += 1;
        slot.progress[0] += 1;
        detector.observe(ms * MS, &slot);
    }
    assert_eq!(
        detector.verdict((4 + 10) * MS),
        Verdict::Red(Failure::of(Cause::Silent)),
        "no beat shows that the cores stood still for the time-out"
    );
}

#[test]
fn a_core_that_never_moved_is_booting_and_counts_from_the_first_beat() {
    let mut detector = detector();
    let mut slot = beat(EPOCH, 1);
    for ms in 150..349 {
        detector.observe(ms * MS, &slot);
        assert!(
            !matches!(detector.verdict(ms * MS), Verdict::Red(_)),
            "{ms} ms"
        );
        slot.sequence += 1;
        slot.progress[0] += 1;
        slot.progress[1] += 1;
    }
    detector.observe(350 * MS, &slot);
    assert_eq!(
        detector.verdict(350 * MS),
        Verdict::Red(Failure::on_core(Cause::Hung, 2))
    );
}

#[test]
fn cores_beyond_the_count_are_not_looked_at() {
    let mut detector = detector();
    for sequence in 1..400 {
        let mut slot = beat(EPOCH, sequence);
        slot.progress[3..].fill(0);
        detector.observe(sequence * MS, &slot);
        assert_eq!(detector.verdict(sequence * MS), Verdict::Green);
    }
}

#[test]
fn foreign_insane_and_old_beats_are_ignored_and_counted_by_name() {
    let mut detector = seen_at(0);
    let good = beat(EPOCH, 3);
    type Spoil = fn(&mut Keepalive);
    let bad: [(Spoil, Flaw); 7] = [
        (|beat| beat.epoch = EPOCH - 1, Flaw::ForeignEpoch),
        (|beat| beat.epoch = EPOCH + 1, Flaw::ForeignEpoch),
        (|beat| beat.cores = 0, Flaw::CoreCount),
        (|beat| beat.cores = MAX_CORES as u32 + 1, Flaw::CoreCount),
        (|beat| beat.cores = u32::MAX, Flaw::CoreCount),
        (|beat| beat.cores = 2, Flaw::CoreCount),
        (|beat| beat.sequence = 1, Flaw::WentBack),
    ];
    for (spoil, flaw) in bad {
        let mut slot = good;
        spoil(&mut slot);
        assert_eq!(
            detector.observe(TIMEOUT, &slot),
            Observation::Ignored(flaw),
            "{slot:?}"
        );
    }
    assert_eq!(
        detector.verdict(TIMEOUT),
        Verdict::Red(Failure::of(Cause::Silent)),
        "a bad beat is no sign of life"
    );
    assert_eq!(
        detector.ignored(),
        Ignored {
            foreign_epoch: 2,
            core_count: 4,
            went_back: 1
        }
    );
    assert_eq!(
        detector.observe(TIMEOUT, &good),
        Observation::Fresh,
        "a good one is fresh after them"
    );
}

#[test]
fn an_insane_first_beat_is_no_first_beat() {
    let mut detector = detector();
    detector.observe(
        MS,
        &Keepalive {
            time_ns: 0,
            cores: MAX_CORES as u32 + 1,
            ..beat(EPOCH, 1)
        },
    );
    detector.observe(MS, &beat(EPOCH + 1, 1));
    assert_eq!(detector.verdict(MS), Verdict::Waiting);
    assert_eq!(
        detector.observe(
            MS,
            &Keepalive {
                time_ns: 0,
                cores: MAX_CORES as u32,
                ..beat(EPOCH, 0)
            }
        ),
        Observation::Fresh
    );
}

#[test]
fn the_condemned_stay_so_and_by_their_first_cause() {
    let mut detector = seen_at(0);
    detector.condemn(Failure::on_core(Cause::Panic, 2));
    detector.condemn(Failure::of(Cause::ImageRefused));
    detector.observe(MS, &beat(EPOCH, 3));
    assert_eq!(
        detector.verdict(MS),
        Verdict::Red(Failure::on_core(Cause::Panic, 2))
    );
    assert_eq!(detector.deadline_ns(MS), None);
}

#[test]
fn time_that_goes_back_makes_nobody_old() {
    let detector = seen_at(50 * MS);
    assert_eq!(detector.verdict(49 * MS), Verdict::Green);
    assert_eq!(detector.deadline_ns(49 * MS), Some(55 * MS));
    let late = seen_at(u64::MAX - 1);
    assert_eq!(late.verdict(u64::MAX), Verdict::Green);
    assert_eq!(late.deadline_ns(u64::MAX - 1), Some(u64::MAX));
}

/// Returns how bad a verdict is.
fn rank(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Green | Verdict::Waiting => 0,
        Verdict::Yellow => 1,
        Verdict::Red(_) => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Checks that nothing panics, and that the deadline is exact, whatever is in the slot and whatever the clock does.
    #[test]
    fn the_deadline_is_the_first_moment_at_which_the_verdict_is_worse(
        beats in prop::collection::vec((0..30 * MS, 0_u64..4, 0_u32..3, 1_u64..6, any::<u8>()), 0..40),
        wait in 0..20 * MS,
    ) {
        let mut detector = detector();
        let (mut now, mut slot) = (0_u64, beat(EPOCH, 1));
        for (gap, sequence_step, cores_off, epoch, moved) in beats {
            now += gap;
            slot.sequence = (slot.sequence + sequence_step).saturating_sub(1);
            slot.epoch = if epoch == 1 { EPOCH + 1 } else { EPOCH };
            slot.cores = if cores_off == 2 { 4 } else { 3 };
            for core in 0..8 {
                slot.progress[core] += u64::from(moved >> core & 1);
            }
            detector.observe(now, &slot);
        }
        now += wait;
        let verdict = detector.verdict(now);
        match detector.deadline_ns(now) {
            Some(deadline) => {
                prop_assert!(deadline > now);
                prop_assert_eq!(detector.verdict(deadline - 1), verdict);
                prop_assert!(rank(detector.verdict(deadline)) > rank(verdict));
            }
            None => {
                prop_assert_eq!(rank(verdict), 2);
                prop_assert_eq!(rank(detector.verdict(u64::MAX)), 2);
            }
        }
    }

    /// Checks that no beat and no time makes it panic, and that a red peer without news stays red.
    #[test]
    fn hostile_numbers_are_only_numbers(
        epoch: u64,
        config in (any::<u64>(), any::<u64>(), any::<u64>()),
        beats in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>(), 0_u32..40), 1..20),
    ) {
        let config = takeover::DetectorConfig {
            keepalive_ns: config.0,
            timeout_ns: config.1,
            boot_timeout_ns: config.2,
        };
        let mut detector = Detector::new(config, epoch, beats[0].0);
        for (now, sequence, progress, cores) in beats {
            let slot = Keepalive { sequence, time_ns: 0, epoch, cores, progress: [progress; MAX_CORES] };
            detector.observe(now, &slot);
            let verdict = detector.verdict(now);
            if let Some(deadline) = detector.deadline_ns(now) {
                prop_assert!(deadline == u64::MAX || rank(detector.verdict(deadline)) > rank(verdict));
            }
            prop_assert!(rank(detector.verdict(now.saturating_add(progress))) >= rank(verdict));
        }
    }
}
