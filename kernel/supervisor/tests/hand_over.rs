//! Supervises a machine that is made up, from its boot over a death to its being protected again: the smallest example
//! of how the supervisor is driven.

mod bench;

use std::sync::atomic::Ordering;

use partition::Kind;
use partition::tenant::{Capabilities, KINDS, LINUX, NATIVE};
use sharedmem::Instance;
use sharedmem::backup::LostBackup;
use sharedmem::cause::BackupLoss;
use sharedmem::console::ConsoleOwner;
use sharedmem::control::NOTHING_RETAINED;
use sharedmem::epitaph::EpitaphCause;
use sharedmem::mailbox::{ARGUMENTS, Command};
use sharedmem::obstacle::{Obstacle, Obstacles};
use sharedmem::protection::ProtectionState;
use sharedmem::timeline::Counter;
use takeover::State;

use bench::{KEEPALIVE_NS, booted, protected, run};

/// Longer than nobody serves before a reset.
const LONG_NS: u64 = 5_000_000_000;

#[test]
fn a_panic_ends_in_a_machine_that_is_protected_again() {
    let (world, mut supervisor) = protected(&NATIVE);
    world.panic(Instance::A);
    run(&mut supervisor, |supervisor| {
        supervisor.machine().epoch() == 2
    });
    assert_eq!(
        world.log.borrow()[..3],
        [1, 2, 3].map(|core| format!("core {core} of a stopped"))
    );
    assert!(world.control.epitaphs[Instance::B].read().is_none());
    run(&mut supervisor, |supervisor| {
        supervisor.machine().is_protected()
    });
    assert_eq!(supervisor.primary_instance(), Instance::B);
    assert_eq!(world.control.epoch.current(), 2);
    assert_eq!(world.control.protection.state(), ProtectionState::Armed);
    assert_eq!(
        world.log.borrow()[3..],
        [
            "interrupts seized",
            "devices quiet for b",
            "core 1 enters b",
            "core 2 enters b",
            "core 3 enters b",
            "a loaded",
        ]
    );
}

#[test]
fn a_backup_that_is_given_up_while_its_primary_is_fenced_is_loaded_again_before_it_takes_over() {
    let (world, mut supervisor) = protected(&NATIVE);
    world.drops_backup.set(true);
    world.panic(Instance::A);
    run(&mut supervisor, |supervisor| {
        supervisor.primary_instance() == Instance::B && supervisor.machine().is_protected()
    });
    let log = world.log.borrow();
    let place = |what| log.iter().position(|it| it == what).expect("it happens");
    let (stopped, loaded) = (place("core 3 of a stopped"), place("b loaded"));
    assert!(stopped < loaded, "{log:?}");
    assert!(loaded < place("interrupts seized"), "{log:?}");
    assert!(loaded < place("core 1 enters b"), "{log:?}");
    let loads = log.iter().filter(|it| *it == "b loaded").count();
    assert_eq!(loads, 1, "{log:?}");
}

#[test]
#[should_panic(expected = "the machine is reset")]
fn a_backup_that_is_given_up_while_its_primary_is_fenced_keeps_no_machine_from_its_reset() {
    let (world, mut supervisor) = booted(&NATIVE, true, true);
    run(&mut supervisor, |supervisor| {
        supervisor.machine().is_protected()
    });
    // Nobody could read the state.
    let retained = &world.control.journal.retained;
    retained.store(NOTHING_RETAINED, Ordering::Relaxed);
    world.drops_backup.set(true);
    world.panic(Instance::A);
    run(&mut supervisor, |_| world.now_ns.get() > LONG_NS);
}

#[test]
fn an_ordered_stop_is_followed_by_nobody_and_the_machine_goes_off_if_that_was_the_order() {
    for (cause, expected) in [
        (EpitaphCause::Halt, &[][..]),
        (EpitaphCause::PowerOff, &["the machine is powered off"]),
    ] {
        for kind in [&NATIVE, &LINUX] {
            let (world, mut supervisor) = booted(kind, true, true);
            run(&mut supervisor, |supervisor| {
                supervisor.machine().is_protected()
            });
            run(&mut supervisor, |_| {
                world.runs[3].get() == Some(Instance::A)
            });
            world.log.take();
            world.end(Instance::A, cause);
            let told_ns = world.now_ns.get();
            run(&mut supervisor, |_| {
                world.now_ns.get() > told_ns + LONG_NS / 4
            });
            assert!(world.log.borrow().is_empty(), "it has its time");
            run(&mut supervisor, |_| world.now_ns.get() > told_ns + LONG_NS);
            assert_eq!(supervisor.machine().state(), State::Stopped);
            assert_eq!(*world.log.borrow(), expected, "{kind}, {cause:?}");
            assert_eq!(world.control.epoch.current(), 1);
            let stopped_ns = world.now_ns.get();
            run(&mut supervisor, |_| world.petted_ns.get() > stopped_ns);
        }
    }
}

#[test]
#[should_panic(expected = "the machine is reset")]
fn a_machine_whose_images_are_refused_at_boot_is_reset() {
    let (world, mut supervisor) = booted(&NATIVE, false, true);
    run(&mut supervisor, |_| world.now_ns.get() > LONG_NS);
}

#[test]
fn a_primary_that_cannot_be_started_again_is_followed_by_the_other_image() {
    for kind in [&NATIVE, &LINUX] {
        let (world, mut supervisor) = protected(kind);
        let control = world.control;
        control.mailbox.ask(Command::Disarm, [0; ARGUMENTS]);
        run(&mut supervisor, |supervisor| {
            !supervisor.machine().is_protected()
        });
        world.refuses.set(Some(Instance::A));
        match kind.capabilities.resets_through_memory {
            true => {
                let reset = &control.resume_slots[Instance::A].reset;
                reset.store(1, Ordering::Relaxed);
            }
            false => world.end(Instance::A, EpitaphCause::Reboot),
        }
        run(&mut supervisor, |_| control.epoch.current() > 1);
        for _ in 0..1000 {
            supervisor.round();
        }
        // A Linux keeps its state elsewhere, so no other one could go on with it.
        let expected = match kind.capabilities.reads_journal {
            true => (Instance::B, 3),
            false => (Instance::A, 2),
        };
        let epoch = control.epoch.current();
        assert_eq!((supervisor.primary_instance(), epoch), expected, "{kind}");
    }
}

#[test]
fn a_backup_whose_text_is_damaged_is_loaded_again_and_never_promoted() {
    for is_silent in [false, true] {
        let (world, mut supervisor) = protected(&NATIVE);
        world.is_altered.set(true);
        world.is_silent.set(is_silent);
        run(&mut supervisor, |_| {
            world.log.borrow().iter().any(|it| it == "b loaded")
        });
        let loss = world.control.backup.last_loss().map(|lost| lost.loss);
        assert_eq!(loss, Some(BackupLoss::Damaged));
        assert_eq!(supervisor.primary_instance(), Instance::A);
        run(&mut supervisor, |supervisor| match is_silent {
            false => supervisor.machine().is_protected(),
            true => supervisor.primary_instance() == Instance::B,
        });
    }
}

#[test]
fn a_core_that_never_comes_is_an_obstacle_until_it_is_left_out_and_costs_no_takeover() {
    let (world, mut supervisor) = protected(&NATIVE);
    world.panic(Instance::A);
    run(&mut supervisor, |supervisor| {
        supervisor.machine().epoch() == 2
    });
    world.deaf.set(Some(3));
    let is_missing = || Obstacles::of(world.control).has(Obstacle::CoresMissing);
    run(&mut supervisor, |_| is_missing());
    run(&mut supervisor, |supervisor| {
        !is_missing() && supervisor.machine().is_protected()
    });
    assert_eq!(Obstacles::of(world.control), Obstacles::NONE);
    let primary: Vec<u32> = supervisor.machine().primary_cores().iter().collect();
    assert_eq!(primary, [1, 2]);
    world.panic(Instance::B);
    run(&mut supervisor, |supervisor| {
        supervisor.machine().epoch() == 3 && supervisor.machine().is_protected()
    });
    assert_eq!(world.runs[3].get(), None);
}

#[test]
fn the_shared_region_tells_what_became_of_backups_and_which_versions_there_are() {
    let (world, mut supervisor) = protected(&NATIVE);
    let control = world.control;
    let version = |instance| control.versions[instance].get();
    let both = || [version(Instance::A), version(Instance::B)];
    let texts = || both().map(|version| version.as_str().to_owned());
    let lost = |count, instance, loss| {
        let lost = LostBackup {
            count,
            instance,
            loss,
        };
        assert_eq!(control.backup.last_loss(), Some(lost));
    };
    assert_eq!(control.backup.last_loss(), None);
    assert_eq!(control.backup.version.get().as_str(), "2.0");
    world.panic(Instance::A);
    run(&mut supervisor, |supervisor| {
        supervisor.primary_instance() == Instance::B
    });
    lost(1, Instance::B, BackupLoss::Promoted);
    run(&mut supervisor, |supervisor| {
        supervisor.machine().is_protected()
    });
    assert_eq!(control.backup.version.get().as_str(), "1.0");
    control.mailbox.ask(Command::Disarm, [0; ARGUMENTS]);
    run(&mut supervisor, |supervisor| {
        !supervisor.machine().is_protected()
    });
    lost(2, Instance::A, BackupLoss::Disarmed);
    assert_eq!(control.backup.version.get().as_str(), "");
    assert_eq!(texts(), ["1.0", "2.0"], "what was loaded last");
}

#[test]
fn silence_is_death_after_the_time_out() {
    let (world, mut supervisor) = protected(&NATIVE);
    let from_ns = world.now_ns.get();
    world.is_silent.set(true);
    run(&mut supervisor, |supervisor| {
        !matches!(supervisor.machine().state(), State::Watching)
    });
    let silent_ns = world.now_ns.get() - from_ns;
    assert!((9 * KEEPALIVE_NS..=11 * KEEPALIVE_NS).contains(&silent_ns));
}

#[test]
fn a_hypervisor_is_condemned_before_it_hears_an_nmi_and_fenced_in_the_first_round() {
    let (world, mut supervisor) = protected(&LINUX);
    for core in 1..=2 {
        world.holds_init[core].set(true);
    }
    world.panic(Instance::A);
    run(&mut supervisor, |supervisor| {
        supervisor.machine().epoch() == 2
    });
    let timeline = world.control.timelines.of_epoch(2);
    assert_eq!(timeline.counter(Counter::FenceRounds), 1);
    assert_eq!(timeline.counter(Counter::CoresLeft), 2);
    assert_eq!(
        world.control.condemned[Instance::A].told(1),
        Some((3, 2)),
        "core 3 had nothing to leave"
    );
    assert_eq!(world.control.condemned[Instance::B].told(2), None);
}

#[test]
fn without_proof_nothing_changes_hands() {
    let (world, mut supervisor) = protected(&NATIVE);
    world.deaf.set(Some(2));
    world.panic(Instance::A);
    run(&mut supervisor, |supervisor| {
        matches!(supervisor.machine().state(), State::Refused(_))
    });
    for _ in 0..1000 {
        supervisor.round();
    }
    assert_eq!(world.control.epoch.current(), 1);
    assert_eq!(world.runs[1].get(), None);
    let log = world.log.borrow();
    assert!(
        log.iter().all(|what| what.ends_with("of a stopped")),
        "{log:?}"
    );
}

/// A kind that only this file knows. It resembles neither of the others: it prints, but keeps no state in the journal.
static THIRD: Kind = Kind {
    bytes_below_4_gib: |_, _| 0,
    name: "third",
    recognises: |_| false,
    capabilities: Capabilities {
        reads_journal: false,
        takes_keepalive_interrupts: false,
        boots_on_lent_core: true,
        lends_core: true,
        ..NATIVE.capabilities
    },
    defaults: NATIVE.defaults,
    check: NATIVE.check,
};

#[test]
fn tenants_of_every_kind_are_supervised_by_what_they_can_do() {
    for kind in KINDS.iter().copied().chain([&THIRD]) {
        let can = kind.capabilities;
        let (world, mut supervisor) = protected(kind);
        let control = world.control;
        control.journal.retained.store(0, Ordering::Relaxed);
        world.panic(Instance::A);
        run(&mut supervisor, |_| {
            world.runs[3].get() == Some(Instance::B)
        });
        let printer = match can.drives_console {
            true => ConsoleOwner::Nobody,
            false => ConsoleOwner::Monitor,
        };
        assert_eq!(control.console.owner(), printer, "{kind}");
        let is_retained = control.journal.retained.load(Ordering::Relaxed) != NOTHING_RETAINED;
        assert_eq!(is_retained, can.reads_journal, "{kind}");
        // One that boots on a lent core waits until the primary lends it one.
        for _ in 0..1000 {
            supervisor.round();
        }
        let is_rearmed = supervisor.machine().is_protected();
        assert_eq!(is_rearmed, !can.boots_on_lent_core, "{kind}");
    }
}
