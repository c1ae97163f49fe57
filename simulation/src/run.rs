//! Runs one scenario from boot to verdict.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use sharedmem::reset_row::IN_A_ROW_MAX;
use sharedmem::sync::Ordering;

use crate::kernels::monitor;
use crate::machine::MS;
use crate::machine::events::Event;
use crate::oracle::Law;
use crate::panics;
use crate::scenario::Scenario;
use crate::world::{World, simulate};

/// Simulated time after which a run ends, in ns.
const LIMIT_NS: u64 = 12_000 * MS;
/// Time within which a machine must be protected again once its clients want nothing more, in ns.
const REST_NS: u64 = 6_000 * MS;

/// The outcome of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The law that was broken first.
    pub violation: Option<String>,
    /// Number of takeovers and switchovers.
    pub takeovers: u64,
    /// Number of resets.
    pub resets: u64,
    /// Every client got everything, and the machine is protected.
    pub is_whole: bool,
    /// Simulated time, in ns.
    pub took_ns: u64,
    /// Number of turns: events, and stretches in which one core executes.
    pub turns: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} takeovers, {} resets, {} ms of the machine, {} turns: {}",
            self.takeovers,
            self.resets,
            self.took_ns / MS,
            self.turns,
            match (&self.violation, self.is_whole) {
                (Some(law), _) => law,
                (None, true) => "nothing lost",
                (None, false) => "it did not go on, which these faults excuse",
            }
        )
    }
}

/// Runs a scenario.
pub fn run(scenario: Scenario) -> Outcome {
    simulate(scenario, |world| {
        monitor::power_on(world);
        for client in 0..world.scenario.clients {
            let delay_ns = world.random.below(5 * MS);
            world.scheduler.after(delay_ns, Event::Client(client));
        }
        let End {
            turns,
            is_whole,
            was_protected,
        } = run_to_end(world);
        let oracle = &world.oracle;
        oracle.check(match is_whole {
            true => oracle.counted_all(),
            false => is_excused(world, was_protected),
        });
        let takeovers = oracle.primary.takeovers.get();
        oracle.check(match world.scenario.is_only_paused() && takeovers > 0 {
            true => Err("a machine that was only paused was taken over".into()),
            false => Ok(()),
        });
        Outcome {
            violation: oracle.violation(),
            takeovers: oracle.primary.takeovers.get(),
            resets: oracle.resets.get(),
            is_whole,
            took_ns: world.now_ns(),
            turns,
        }
    })
}

/// How a run ended.
struct End {
    turns: u64,
    /// Every client has everything, and the machine is protected.
    is_whole: bool,
    /// The machine was protected within the last [`REST_NS`].
    was_protected: bool,
}

/// Checks that the faults excuse a machine that is not whole in the end. Damage may cost clients their connections, but
/// it must not cost the machine its protection. A machine that has reset itself as often as it may stands still: it is
/// to blame if a boot of that row ended without a fault of its own.
fn is_excused(world: &World, was_protected: bool) -> Law {
    let is_damaged = world.oracle.damage.is_done.get();
    let resets = world.oracle.resets.get();
    let stands_still = resets >= IN_A_ROW_MAX && world.faults.struck() > resets;
    match world.scenario.may_stand_still() || stands_still || (is_damaged && was_protected) {
        true => Ok(()),
        false => Err(format!(
            "the machine does not go on: the seat is {}; waiting: {}",
            world.monitor.describe(),
            world.clients.describe_waiting()
        )),
    }
}

/// Returns whether the header is as it should be. A stray store may hit it just before the end.
fn is_header_restored(world: &World) -> bool {
    let header = &world.memory.region.control.header;
    let region_bytes = header.region_bytes.load(Ordering::Relaxed);
    header.check(region_bytes).is_ok()
}

/// Lets the world go on until it is whole, a law is broken, or there is no more time.
fn run_to_end(world: &Rc<World>) -> End {
    let (mut turns, mut protected_ns, mut done_ns) = (0, 0, None);
    loop {
        turns += 1;
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| world.turn())) {
            world.oracle.broken(panics::describe(&*payload));
        }
        if world.monitor.is_reset.take() {
            monitor::reset(world);
        }
        let now_ns = world.now_ns();
        let is_protected = world.monitor.is_protected();
        if is_protected {
            protected_ns = now_ns;
        }
        let are_done = world.clients.are_done();
        let is_sound = world.oracle.values.are_found();
        let are_over = world.faults.are_over();
        let is_quiet = are_done && is_protected && is_sound && are_over;
        let is_whole = is_quiet && is_header_restored(world);
        if are_done && done_ns.is_none() && !is_whole {
            // Nothing is left to ask for: the faults that are left are dropped, so that the run can end.
            world.faults.end();
            done_ns = Some(now_ns);
        }
        let limit_ns = done_ns.map_or(LIMIT_NS, |done_ns| done_ns + REST_NS);
        if is_whole || now_ns > limit_ns || world.oracle.violation().is_some() {
            return End {
                turns,
                is_whole: is_whole && world.oracle.violation().is_none(),
                was_protected: protected_ns + REST_NS > now_ns,
            };
        }
    }
}
