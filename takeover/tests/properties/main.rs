//! Properties that hold for every order of events: a ledger that does not know the machine's states checks every action
//! against the laws.

#[path = "../common/mod.rs"]
mod common;
mod ledger;

use common::{BACKUP_WAIT, FIRST_EPOCH, MS, SETTLE, config};
use ledger::Ledger;
use proptest::prelude::*;
use sharedmem::MAX_CORES;
use sharedmem::keepalive::Keepalive;
use takeover::{
    Backup, BackupLoss, CoreSet, Ending, Event, FenceConfig, Machine, Stage, State, Successor,
    Verdict,
};

/// Something to do to the machine. Numbers are relative to the machine's state, so that deep states are reached.
#[derive(Clone, Debug)]
enum Move {
    Wait(u64),
    GoBack(u64),
    ToDeadline,
    Beat {
        epoch_lag: u64,
        step: u64,
        cores: u32,
        moved: bool,
    },
    Epitaph {
        epoch_lag: u64,
    },
    Ended {
        epoch_lag: u64,
        ending: Ending,
    },
    CheckIn {
        core: u32,
        generation_lag: u64,
    },
    CheckInAll,
    Complete(Stage),
    CompleteNext,
    FailNext,
    BackupReady,
    BackupLost,
    PrimaryRefused,
    PrimaryStarted(u32),
    Rearmed,
    Retry,
}

fn any_stage() -> impl Strategy<Value = Stage> {
    prop::sample::select(vec![
        Stage::RaiseEpoch,
        Stage::SeizeInterrupts,
        Stage::QuietDevices,
    ])
}

fn any_beat(lag: impl Strategy<Value = u64>) -> impl Strategy<Value = Move> {
    let step = prop_oneof![8 => Just(1_u64), 1 => Just(0), 1 => Just(u64::MAX)];
    let cores = prop_oneof![9 => Just(3_u32), 1 => 0..40_u32];
    (lag, step, cores, any::<bool>()).prop_map(|(epoch_lag, step, cores, moved)| Move::Beat {
        epoch_lag,
        step,
        cores,
        moved,
    })
}

fn any_move() -> impl Strategy<Value = Move> {
    let lag = || prop_oneof![6 => Just(0_u64), 1 => Just(1), 1 => Just(u64::MAX)];
    prop_oneof![
        4 => (0..4 * MS).prop_map(Move::Wait),
        1 => (0..BACKUP_WAIT).prop_map(Move::Wait),
        1 => (0..20 * MS).prop_map(Move::GoBack),
        5 => Just(Move::ToDeadline),
        6 => any_beat(lag()),
        1 => lag().prop_map(|epoch_lag| Move::Epitaph { epoch_lag }),
        1 => (lag(), prop::sample::select(vec![Ending::Reboot, Ending::Switchover, Ending::Stop]))
            .prop_map(|(epoch_lag, ending)| Move::Ended { epoch_lag, ending }),
        5 => (0..40_u32, lag()).prop_map(|(core, generation_lag)| Move::CheckIn { core, generation_lag }),
        3 => Just(Move::CheckInAll),
        1 => any_stage().prop_map(Move::Complete),
        5 => Just(Move::CompleteNext),
        1 => Just(Move::FailNext),
        3 => Just(Move::BackupReady),
        1 => Just(Move::BackupLost),
        1 => Just(Move::PrimaryRefused),
        2 => (0..512_u32).prop_map(Move::PrimaryStarted),
        3 => Just(Move::Rearmed),
        1 => Just(Move::Retry),
    ]
}

/// Drives a machine by moves, and passes every event and action to the ledger.
struct Driver {
    machine: Machine,
    ledger: Ledger,
    now: u64,
    slot: Keepalive,
}

impl Driver {
    fn new() -> Self {
        let slot = Keepalive {
            time_ns: 0,
            sequence: 0,
            epoch: FIRST_EPOCH,
            cores: 3,
            progress: [0; MAX_CORES],
        };
        Self {
            machine: Machine::new(config(), 0).unwrap(),
            ledger: Ledger::new(),
            now: 0,
            slot,
        }
    }

    fn step(&mut self, event: Event<'_>) {
        let before = self.machine.state();
        self.ledger.record(before, &event);
        let actions = self.machine.step(self.now, event);
        self.ledger.check(before, &self.machine, &actions);
        self.check_state();
    }

    /// Checks what each state promises.
    fn check_state(&self) {
        let backup = self.machine.backup();
        let is_lost = matches!(backup, Backup::Lost(_));
        let is_red = matches!(self.machine.verdict(), Verdict::Red(_));
        match self.machine.state() {
            State::Booting | State::Promoting | State::Stopped => {}
            State::Watching => assert!(!is_lost),
            State::Unprotected => assert!(is_lost),
            State::Holding { .. } => assert!(is_red && backup == Backup::Loading),
            State::Fencing(_) | State::Preparing(_) | State::Refused(_) => {
                let has_successor =
                    backup == Backup::Ready || self.machine.successor() == Successor::Same;
                assert!(is_red && has_successor)
            }
            State::Dead => assert!(is_red && backup != Backup::Ready),
        }
    }

    fn play(&mut self, step: &Move) {
        match *step {
            Move::Wait(wait_ns) => self.now += wait_ns,
            Move::GoBack(back_ns) => self.now = self.now.saturating_sub(back_ns),
            Move::ToDeadline => self.now = self.now.max(self.machine.deadline_ns().unwrap_or(0)),
            Move::Beat {
                epoch_lag,
                step,
                cores,
                moved,
            } => {
                self.slot.sequence = self.slot.sequence.wrapping_add(step);
                self.slot.cores = cores;
                self.beat(epoch_lag, moved);
            }
            Move::Epitaph { epoch_lag } => {
                let epoch = self.machine.epoch().wrapping_sub(epoch_lag);
                self.step(Event::Epitaph { epoch, core: 1 });
            }
            Move::Ended { epoch_lag, ending } => {
                let epoch = self.machine.epoch().wrapping_sub(epoch_lag);
                self.step(Event::Ended { epoch, ending });
            }
            Move::CheckIn {
                core,
                generation_lag,
            } => {
                let generation = self.machine.generation().wrapping_sub(generation_lag);
                self.step(Event::CheckedIn { core, generation });
            }
            Move::CheckInAll => {
                let generation = self.machine.generation();
                for core in self.machine.primary_cores().iter() {
                    self.step(Event::CheckedIn { core, generation });
                }
            }
            Move::Complete(stage) => self.step(Event::Completed(stage)),
            Move::CompleteNext => {
                if let State::Preparing(stage) = self.machine.state() {
                    self.step(Event::Completed(stage));
                }
            }
            Move::FailNext => {
                if let State::Preparing(stage) = self.machine.state() {
                    self.step(Event::Failed(stage));
                }
            }
            Move::BackupReady => self.step(Event::BackupReady),
            Move::BackupLost => self.step(Event::BackupLost(BackupLoss::Crashed)),
            Move::PrimaryRefused => self.step(Event::PrimaryRefused),
            Move::PrimaryStarted(mask) => {
                let cores =
                    CoreSet::from_cores((1..32).filter(|core| mask >> core & 1 == 1)).unwrap();
                self.step(Event::PrimaryStarted { cores });
            }
            Move::Rearmed => self.step(Event::Rearmed),
            Move::Retry => self.step(Event::RetryRequested),
        }
        self.step(Event::Tick);
    }

    fn beat(&mut self, epoch_lag: u64, moved: bool) {
        self.slot.epoch = self.machine.epoch().wrapping_sub(epoch_lag);
        self.slot.progress[0] += 1;
        self.slot.progress[1] += 1;
        self.slot.progress[2] += u64::from(moved);
        self.step(Event::Observed(&self.slot.clone()));
    }

    /// Lets only time pass from here on: a fence under way ends after a few deadlines.
    fn run_out(&mut self) {
        for _ in 0..100 {
            let State::Fencing(_) = self.machine.state() else {
                return;
            };
            self.now = self.now.max(self.machine.deadline_ns().unwrap());
            self.step(Event::Tick);
        }
        panic!("the fence has not ended: {:?}", self.machine.state());
    }
}

fn moves(most: usize) -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(any_move(), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_breaks_a_law(moves in moves(120)) {
        let mut driver = Driver::new();
        moves.iter().for_each(|step| driver.play(step));
        driver.run_out();
    }

    /// Checks the same from a protected machine on, so that most runs reach a takeover.
    #[test]
    fn no_order_of_events_breaks_a_law_once_protected(mask in 1..256_u32, moves in moves(120)) {
        let mut driver = Driver::new();
        driver.play(&Move::PrimaryStarted(mask << 1 | 2));
        driver.play(&Move::BackupReady);
        driver.play(&Move::Beat { epoch_lag: 0, step: 1, cores: 3, moved: true });
        prop_assert!(driver.machine.is_protected());
        moves.iter().for_each(|step| driver.play(step));
        driver.run_out();
    }

    /// Checks that a fence that is stepped at its deadlines ends within its bound, however few cores check in and when.
    #[test]
    fn a_fence_ends_in_time(present in any::<u32>(), late in 0..20_u64) {
        let mut driver = Driver::new();
        driver.play(&Move::PrimaryStarted(0b1110));
        driver.play(&Move::BackupReady);
        driver.play(&Move::Epitaph { epoch_lag: 0 });
        let began = driver.now;
        for round in 0.. {
            if !matches!(driver.machine.state(), State::Fencing(_)) {
                break;
            }
            if round >= late {
                for core in (1..32).filter(|core| present >> core & 1 == 1) {
                    driver.play(&Move::CheckIn { core, generation_lag: 0 });
                }
            }
            driver.play(&Move::ToDeadline);
        }
        prop_assert!(driver.now - began <= FenceConfig::default().worst_case_ns());
        let all_in = present & 0b1110 == 0b1110 && late < 15;
        prop_assert_eq!(driver.machine.state() == State::Preparing(Stage::RaiseEpoch), all_in);
        prop_assert!(driver.now >= SETTLE);
    }
}
