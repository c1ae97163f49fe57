//! The fence.

mod common;

use common::{LEAVE, MS, SETTLE, set};
use proptest::prelude::*;
use takeover::fence::{NMI_FROM_ROUND, Strike};
use takeover::{CoreSet, Fence, FenceConfig};

/// The generation of the first round.
const GENERATION: u64 = 9;

fn fence(cores: &[u32]) -> Fence {
    Fence::new(FenceConfig::default(), GENERATION - 1, set(cores))
}

#[test]
fn strikes_all_cores_at_once_and_is_proven_by_the_last_check_in() {
    let cores = set(&[1, 2, 5]);
    let mut fence = fence(&[1, 2, 5]);
    assert_eq!(fence.step(0), Strike::Init(cores));
    assert_eq!(fence.deadline_ns(), SETTLE);
    assert_eq!(fence.step(SETTLE - 1), Strike::Wait);
    assert_eq!(fence.step(SETTLE), Strike::Startup(cores));
    assert_eq!(fence.deadline_ns(), SETTLE + 5 * MS);
    for core in [5, 1] {
        assert!(fence.check_in(core, GENERATION));
        assert_eq!(fence.step(SETTLE + 1), Strike::Wait);
    }
    assert_eq!(fence.pending(), set(&[2]));
    assert!(fence.check_in(2, GENERATION));
    assert_eq!(fence.step(SETTLE + 1), Strike::Proven);
}

#[test]
fn nothing_to_fence_is_proven_at_once() {
    assert_eq!(fence(&[]).step(0), Strike::Proven);
}

#[test]
fn a_check_in_proves_nothing_for_another_fence_or_core() {
    let mut fence = fence(&[1]);
    assert!(!fence.check_in(1, GENERATION - 1), "of the fence before");
    fence.step(0);
    assert!(!fence.check_in(1, GENERATION - 1), "of the fence before");
    assert!(!fence.check_in(1, GENERATION), "before its SIPI");
    fence.step(SETTLE);
    for (core, generation) in [
        (1, GENERATION - 1),
        (1, GENERATION + 1),
        (1, 0),
        (2, GENERATION),
        (0, GENERATION),
    ] {
        assert!(
            !fence.check_in(core, generation),
            "core {core}, generation {generation}"
        );
    }
    assert!(!fence.check_in(u32::MAX, GENERATION));
    assert_eq!(fence.step(SETTLE), Strike::Wait);
    assert!(fence.check_in(1, GENERATION));
    assert!(!fence.check_in(1, GENERATION), "twice is no news");
}

#[test]
fn only_the_missing_are_struck_again_after_twice_the_wait() {
    let mut fence = fence(&[1, 2]);
    fence.step(0);
    fence.step(SETTLE);
    fence.check_in(1, GENERATION);
    let mut now = SETTLE + 5 * MS;
    assert_eq!(fence.step(now - 1), Strike::Wait);
    assert_eq!(fence.step(now), Strike::Init(set(&[2])));
    assert_eq!(fence.round(), 2);
    now += SETTLE;
    assert_eq!(fence.step(now), Strike::Startup(set(&[2])));
    assert_eq!(fence.deadline_ns(), now + 10 * MS);
}

#[test]
fn a_check_in_that_crossed_the_next_init_is_asked_for_again() {
    let mut fence = fence(&[1, 2]);
    fence.step(0);
    fence.step(SETTLE);
    fence.check_in(2, GENERATION);
    let second = SETTLE + 5 * MS;
    assert_eq!(fence.step(second), Strike::Init(set(&[1])));
    assert!(
        !fence.check_in(1, GENERATION),
        "the INIT takes it out of the page again"
    );
    assert_eq!(fence.step(second + SETTLE), Strike::Startup(set(&[1])));
    assert!(!fence.check_in(1, GENERATION));
    assert_eq!(fence.generation(), GENERATION + 1);
    assert!(fence.check_in(1, GENERATION + 1));
    assert_eq!(
        fence.step(second + SETTLE),
        Strike::Proven,
        "core 2 got no second round: its check-in stands"
    );
}

#[test]
fn escalates_with_an_nmi_and_then_refuses_by_name() {
    let mut fence = fence(&[3, 4]);
    let cores = set(&[3, 4]);
    let mut now = 0;
    let mut strikes = Vec::new();
    for _ in 0..16 {
        now = now.max(fence.deadline_ns());
        strikes.push(fence.step(now));
    }
    let plain = [Strike::Init(cores), Strike::Startup(cores)];
    let hard = [
        Strike::Nmi(cores),
        Strike::Init(cores),
        Strike::Startup(cores),
    ];
    let expected = [
        &plain[..],
        &plain,
        &plain,
        &hard,
        &hard,
        &hard,
        &[Strike::Refused(cores)],
    ]
    .concat();
    assert_eq!(strikes, expected);
    let waits = (5 + 10 + 20 + 40 + 80 + 160) * MS;
    assert_eq!(now, waits + 6 * SETTLE + 3 * LEAVE);
    assert_eq!(now, FenceConfig::default().worst_case_ns());
    assert_eq!(
        fence.step(now),
        Strike::Refused(cores),
        "and it stays refused"
    );
}

#[test]
fn a_tenant_that_may_be_a_hypervisor_gets_an_nmi_before_the_first_init() {
    let config = FenceConfig {
        nmi_first: true,
        ..FenceConfig::default()
    };
    let cores = set(&[1, 2]);
    let mut fence = Fence::new(config, GENERATION - 1, cores);
    assert_eq!(fence.step(0), Strike::Nmi(cores));
    assert_eq!(fence.deadline_ns(), LEAVE);
    assert!(
        !fence.check_in(1, GENERATION - 1),
        "it was started in the fence before, and has not been stopped since"
    );
    assert_eq!(fence.step(LEAVE - 1), Strike::Wait);
    assert_eq!(fence.step(LEAVE), Strike::Init(cores));
    assert_eq!(fence.step(LEAVE + SETTLE), Strike::Startup(cores));
    let second = fence.deadline_ns();
    assert_eq!(
        fence.step(second),
        Strike::Init(cores),
        "an NMI may hit a core in the page, so the second round sends none"
    );
    assert_eq!(
        config.worst_case_ns(),
        FenceConfig::default().worst_case_ns() + LEAVE
    );
}

#[test]
fn a_check_in_between_nmi_and_init_crossed_nothing_and_counts() {
    let mut fence = fence(&[1]);
    let mut now = 0;
    for _ in 0..7 {
        fence.step(now);
        now = fence.deadline_ns();
    }
    assert_eq!(fence.round(), NMI_FROM_ROUND);
    assert!(fence.check_in(1, GENERATION + 2));
    assert_eq!((fence.deadline_ns(), fence.step(0)), (0, Strike::Proven));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Checks that the fence ends in time and reports the truth, whichever cores check in and when.
    #[test]
    fn every_fence_ends_in_time_with_the_truth(
        mask in 0_u32..256,
        nmi_first: bool,
        leave_ns in 0..1000_u64,
        settle_ns in 0..1000_u64,
        check_in_ns in 0..100_000_u64,
        tries_max in 1..16_u32,
        arrivals in prop::collection::vec((0..50_usize, 0..10_u32, 0..2_u64), 0..30),
    ) {
        let config = FenceConfig { nmi_first, leave_ns, settle_ns, check_in_ns, tries_max };
        let cores = CoreSet::from_cores((1..9).filter(|core| mask >> (core - 1) & 1 == 1)).unwrap();
        let mut fence = Fence::new(config, 7, cores);
        let mut absent = cores;
        let (mut startups, mut is_started) = (0, false);
        let mut now = 0;
        for step in 0.. {
            for (_, core, lag) in arrivals.iter().filter(|arrival| arrival.0 == step) {
                let counts = *lag == 0 && is_started && absent.contains(*core);
                prop_assert_eq!(fence.check_in(*core, fence.generation() - lag), counts);
                if counts {
                    absent = absent.without(*core);
                }
            }
            match fence.step(now) {
                Strike::Proven => {
                    prop_assert!(absent.is_empty());
                    break;
                }
                Strike::Refused(missing) => {
                    prop_assert_eq!(missing, absent);
                    prop_assert!(!missing.is_empty() && startups == tries_max);
                    break;
                }
                Strike::Startup(struck) => {
                    startups += 1;
                    is_started = true;
                    prop_assert!(!struck.is_empty());
                }
                Strike::Nmi(struck) => prop_assert!(!struck.is_empty() && struck == absent),
                Strike::Init(struck) => {
                    is_started = false;
                    prop_assert!(!struck.is_empty() && struck == absent);
                }
                Strike::Wait => {}
            }
            prop_assert!(step < 4 * tries_max as usize, "no progress");
            now = now.max(fence.deadline_ns());
        }
        prop_assert!(now <= config.worst_case_ns());
    }

    /// Checks that the largest times do not overflow.
    #[test]
    fn hostile_times_are_only_numbers(
        leave_ns: u64, settle_ns: u64, check_in_ns: u64, tries_max in 0..200_u32, times: [u64; 16],
    ) {
        let config = FenceConfig { nmi_first: true, leave_ns, settle_ns, check_in_ns, tries_max };
        config.worst_case_ns();
        let mut fence = Fence::new(config, u64::MAX, set(&[1]));
        for now in times {
            fence.step(now);
            fence.deadline_ns();
        }
    }
}
