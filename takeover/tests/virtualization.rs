//! The fence against cores on which INIT is held: VMX root and non-root operation (Intel SDM vol. 3C, 24.8 and 26.2),
//! and a global interrupt flag of 0 (AMD64 APM vol. 2, 15.17). The cores leave virtualization when it suits them.

mod common;

use common::{MS, set};
use proptest::prelude::*;
use takeover::fence::Strike;
use takeover::{CoreSet, Fence, FenceConfig};

/// The generation of the first round.
const GENERATION: u64 = 1;

/// Time from a signal to its effect on a core that takes it, in ns.
const SIGNAL_NS: u64 = 1_000;

/// Limit of the time until a core's obstacle ends by itself, if it does, in ns. The fence takes longer than this.
const OBSTACLE_NS_MAX: u64 = 60 * MS;

/// What a core executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The dead kernel, without virtualization.
    Plain,
    /// The dead kernel, in VMX root operation.
    VmxRoot,
    /// A guest of the dead kernel, in VMX non-root operation.
    VmxGuest,
    /// The dead kernel, with a global interrupt flag of 0.
    GifClear,
    /// The dead kernel's handler has halted it.
    Halted,
    /// Nothing: it waits for SIPI.
    WaitsForStartup,
    /// The start page.
    Page,
}

/// A core of the dead primary.
#[derive(Clone, Debug)]
struct Core {
    mode: Mode,
    /// INIT is held.
    holds_init: bool,
    /// An NMI has come that was not taken.
    holds_nmi: bool,
    /// It is in an NMI handler, or the like: further NMIs are held.
    blocks_nmi: bool,
    /// The dead kernel's handler does not leave virtualization: it has none, or it is damaged.
    is_without_handler: bool,
    /// How long the handler takes from the NMI to VMXOFF, in ns.
    handler_ns: u64,
    /// When the handler leaves virtualization.
    leaves_at_ns: Option<u64>,
    /// When its obstacle ends: NMIs are let through, or GIF is set.
    obstacle_ends_ns: Option<u64>,
    /// When the dead kernel leaves virtualization by itself.
    own_leave_ns: Option<u64>,
    /// The generation of its last check-in.
    checked_in: u64,
}

impl Core {
    fn init(&mut self) {
        match self.mode {
            Mode::VmxRoot | Mode::GifClear => self.holds_init = true,
            // A VM exit that nothing handles: the hypervisor goes on.
            Mode::VmxGuest => self.mode = Mode::VmxRoot,
            Mode::Plain | Mode::Halted | Mode::WaitsForStartup | Mode::Page => self.reset(),
        }
    }

    fn reset(&mut self) {
        self.mode = Mode::WaitsForStartup;
        self.holds_init = false;
        self.holds_nmi = false;
        self.leaves_at_ns = None;
    }

    fn startup(&mut self, generation: u64) {
        if self.mode == Mode::WaitsForStartup {
            self.mode = Mode::Page;
            self.checked_in = generation;
        }
    }

    fn nmi(&mut self, now_ns: u64) {
        match self.mode {
            Mode::WaitsForStartup | Mode::Page => {}
            Mode::GifClear => self.holds_nmi = true,
            _ if self.blocks_nmi => self.holds_nmi = true,
            _ => self.enter_handler(now_ns),
        }
    }

    fn enter_handler(&mut self, now_ns: u64) {
        if self.mode == Mode::VmxGuest {
            self.mode = Mode::VmxRoot;
        }
        if !self.is_without_handler {
            self.leaves_at_ns
                .get_or_insert(now_ns.saturating_add(self.handler_ns));
        }
    }

    /// Lets time come to `now_ns`.
    fn advance(&mut self, now_ns: u64) {
        let is_due = |at_ns: Option<u64>| at_ns.is_some_and(|at_ns| at_ns <= now_ns);
        if matches!(self.mode, Mode::WaitsForStartup | Mode::Page) {
            return;
        }
        if is_due(self.obstacle_ends_ns) {
            self.obstacle_ends_ns = None;
            self.blocks_nmi = false;
            if self.mode == Mode::GifClear {
                self.mode = Mode::Plain;
                if self.holds_init {
                    return self.reset();
                }
            }
            if core::mem::take(&mut self.holds_nmi) {
                self.enter_handler(now_ns);
            }
        }
        if is_due(self.leaves_at_ns) {
            self.leave(Mode::Halted);
        } else if is_due(self.own_leave_ns) {
            self.own_leave_ns = None;
            if self.mode == Mode::VmxRoot {
                self.leave(Mode::Plain);
            }
        }
    }

    /// Executes VMXOFF, at which INIT strikes that was held.
    fn leave(&mut self, then: Mode) {
        match self.holds_init {
            true => self.reset(),
            false => self.mode = then,
        }
    }

    /// Returns whether it can be stopped at all.
    fn can_be_stopped(&self) -> bool {
        let leaves = !self.is_without_handler || self.own_leave_ns.is_some();
        match self.mode {
            Mode::GifClear => self.obstacle_ends_ns.is_some(),
            Mode::VmxRoot | Mode::VmxGuest => {
                leaves && (!self.blocks_nmi || self.obstacle_ends_ns.is_some())
                    || self.own_leave_ns.is_some() && self.mode == Mode::VmxRoot
            }
            _ => true,
        }
    }
}

fn core(mode: Mode) -> Core {
    Core {
        mode,
        holds_init: false,
        holds_nmi: false,
        blocks_nmi: false,
        is_without_handler: false,
        handler_ns: 20_000,
        leaves_at_ns: None,
        obstacle_ends_ns: None,
        own_leave_ns: None,
        checked_in: 0,
    }
}

/// How a fence ended: which cores it names as missing, and after how many rounds.
#[derive(Debug, PartialEq, Eq)]
struct End {
    missing: CoreSet,
    rounds: u32,
}

/// Fences `cores`, which are numbered from 1.
fn fence(config: FenceConfig, cores: &mut [Core]) -> End {
    let numbers: Vec<u32> = (1..=cores.len() as u32).collect();
    let mut fence = Fence::new(config, GENERATION - 1, set(&numbers));
    let mut now_ns = 0;
    loop {
        for (core, number) in cores.iter_mut().zip(&numbers) {
            core.advance(now_ns);
            fence.check_in(*number, core.checked_in);
        }
        let struck = |cores: &mut [Core], which: CoreSet, signal: &dyn Fn(&mut Core)| {
            let of_set = |(index, _): &(usize, &mut Core)| which.contains(*index as u32 + 1);
            let those = cores.iter_mut().enumerate().filter(of_set);
            those.for_each(|(_, core)| signal(core));
        };
        match fence.step(now_ns) {
            Strike::Wait => {}
            Strike::Nmi(which) => struck(cores, which, &|core| core.nmi(now_ns)),
            Strike::Init(which) => struck(cores, which, &Core::init),
            Strike::Startup(which) => {
                struck(cores, which, &|core| core.startup(fence.generation()));
            }
            end @ (Strike::Proven | Strike::Refused(_)) => {
                let missing = match end {
                    Strike::Refused(missing) => missing,
                    _ => CoreSet::EMPTY,
                };
                return End {
                    missing,
                    rounds: fence.round(),
                };
            }
        }
        now_ns += SIGNAL_NS;
    }
}

const FIRST: FenceConfig = FenceConfig {
    nmi_first: true,
    leave_ns: 200_000,
    settle_ns: 50_000,
    check_in_ns: 5_000_000,
    tries_max: 6,
};

#[test]
fn a_hypervisor_whose_handler_leaves_is_fenced_in_the_first_round() {
    let modes = [Mode::Plain, Mode::VmxRoot, Mode::VmxGuest, Mode::Halted];
    let end = fence(FIRST, &mut modes.map(core));
    assert_eq!((end.missing, end.rounds), (CoreSet::EMPTY, 1));
}

#[test]
fn without_an_nmi_init_stops_no_core_in_root_operation() {
    let config = FenceConfig {
        tries_max: takeover::fence::NMI_FROM_ROUND - 1,
        ..FenceConfig::default()
    };
    let mut cores = [core(Mode::VmxRoot), core(Mode::Plain)];
    assert_eq!(fence(config, &mut cores).missing, set(&[1]));
    assert!(cores[0].holds_init);
}

#[test]
fn a_tenant_that_is_no_hypervisor_by_its_kind_is_fenced_once_it_gets_an_nmi() {
    let end = fence(FenceConfig::default(), &mut [core(Mode::VmxRoot)]);
    let rounds = takeover::fence::NMI_FROM_ROUND;
    assert_eq!((end.missing, end.rounds), (CoreSet::EMPTY, rounds));
}

#[test]
fn a_core_that_leaves_after_startup_is_started_by_the_next_round() {
    let late = Core {
        handler_ns: MS,
        ..core(Mode::VmxRoot)
    };
    let end = fence(FIRST, &mut [late]);
    assert_eq!((end.missing, end.rounds), (CoreSet::EMPTY, 2));
}

#[test]
fn what_hears_neither_signal_is_named() {
    let in_handler = Core {
        blocks_nmi: true,
        ..core(Mode::VmxRoot)
    };
    let mut cores = [in_handler, core(Mode::GifClear), core(Mode::VmxGuest)];
    assert_eq!(fence(FIRST, &mut cores).missing, set(&[1, 2]));
}

#[test]
fn a_gate_that_opens_late_lets_both_signals_through() {
    let late = |mode| Core {
        blocks_nmi: true,
        obstacle_ends_ns: Some(7 * MS),
        ..core(mode)
    };
    let mut cores = [late(Mode::VmxRoot), late(Mode::GifClear)];
    let end = fence(FIRST, &mut cores);
    assert_eq!((end.missing, end.rounds), (CoreSet::EMPTY, 3));
}

fn any_core() -> impl Strategy<Value = Core> {
    let modes = prop::sample::select(vec![
        Mode::Plain,
        Mode::VmxRoot,
        Mode::VmxGuest,
        Mode::GifClear,
        Mode::Halted,
    ]);
    let time = || prop::option::of(0..OBSTACLE_NS_MAX);
    (modes, any::<(bool, bool)>(), 0..10 * MS, time(), time()).prop_map(
        |(mode, (blocks_nmi, is_without_handler), handler_ns, ends, leaves)| Core {
            blocks_nmi,
            is_without_handler,
            handler_ns,
            obstacle_ends_ns: ends,
            own_leave_ns: leaves.filter(|_| mode == Mode::VmxRoot),
            ..core(mode)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Checks that whoever is proven is stopped for good, with no INIT held that could strike later, and that exactly
    /// those are missing that nothing can stop.
    #[test]
    fn no_core_is_lost_after_it_was_proven(mut cores in prop::collection::vec(any_core(), 1..6), nmi_first: bool) {
        let unstoppable = (1..).zip(&cores).filter(|(_, core)| !core.can_be_stopped()).map(|(number, _)| number);
        let unstoppable = CoreSet::from_cores(unstoppable).unwrap();
        let end = fence(FenceConfig { nmi_first, ..FIRST }, &mut cores);
        prop_assert_eq!(end.missing, unstoppable);
        for (number, core) in (1..).zip(&cores).filter(|(number, _)| !end.missing.contains(*number)) {
            prop_assert_eq!(core.mode, Mode::Page, "core {}", number);
            prop_assert!(!core.holds_init, "core {} is lost when its INIT strikes", number);
        }
    }
}
