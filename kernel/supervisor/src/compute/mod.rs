//! Slices for computations: looked at, stopped and entered again beside the watch over the primary.
//!
//! A slice has cores and memory of its own. What is done here strikes its cores and no others, and the takeover of a
//! primary strikes none of its: neither knows the other's cores.

mod computation;
mod orders;
#[cfg(test)]
mod tests;

pub use computation::{Act, Computation, Ending, Idle, SliceView};

use core::mem;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use compute_slice::{SliceDeath, SliceEntry};
use sharedmem::event::{
    ComputeEnded, ComputeEntered, ComputeKept, ComputeRefused, ComputeRests, Text, Word,
};
use takeover::CoreSet;

use crate::ap_mailbox::Order;
use crate::platform::Platform;
use crate::supervisor::Supervisor;

/// How often slices are looked at while ranks run, in ns: a look reads a few words of each.
const LOOK_NS: u64 = 100_000;

/// How often slices are looked at while their cores are stopped, in ns.
const FENCE_POLL_NS: u64 = 10_000;

/// What an earlier boot left in the memory of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The number of its last entry.
    pub entries: u64,
    /// How it ended, if it came to its end.
    pub ended: Option<Ending>,
}

/// A slice, as the supervisor needs it.
pub trait ComputeTenant: SliceView {
    /// Returns its name.
    fn name(&self) -> &str;

    /// Returns the machine numbers of its cores, rank by rank.
    fn cores(&self) -> &[u32];

    /// Returns how long its ranks may make no progress, in ns.
    fn stall_ns(&self) -> u64;

    /// Returns what an earlier boot left in its memory; `None` if that is nothing, or cannot be gone on with.
    fn kept(&self) -> Option<Kept>;

    /// Returns whether it is to be started at the boot.
    fn starts_at_boot(&self) -> bool;

    /// Changes what is computed, from the next start on.
    ///
    /// # Errors
    /// Why that is no text for a computation.
    fn set_arguments(&mut self, arguments: &str) -> Result<(), String>;

    /// Returns the epitaph that a rank left.
    fn epitaph(&self) -> Option<SliceDeath>;

    /// Returns the exit code, once the computation is done.
    fn exit_code(&self) -> Option<u8>;

    /// Copies a piece of its log from `position` on, in bytes. Returns where the piece begins, later if older text was
    /// overwritten, and its length.
    fn log(&self, position: u64, piece: &mut [u8]) -> (u64, usize);

    /// Copies a piece of a result as of the last committed step, from `position` on, in bytes.
    ///
    /// # Errors
    /// There is no such result, nothing is committed, or it was overwritten meanwhile.
    fn result(&self, name: &str, position: u64, piece: &mut [u8]) -> Result<ResultPiece, String>;

    /// Loads the image, while no rank runs. Returns the order for each core.
    ///
    /// # Errors
    /// Why the slice cannot be entered.
    fn prepare(&mut self, entry: SliceEntry, generation: u64) -> Result<Vec<(u32, Order)>, String>;
}

/// A piece of a result that was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultPiece {
    /// The step that it is of.
    pub step: u64,
    /// Length of the whole result, in bytes.
    pub bytes: u64,
    /// Bytes that were copied.
    pub copied: usize,
}

struct Slice {
    tenant: Box<dyn ComputeTenant>,
    computation: Computation,
    /// The end of the entry before, which is logged when there is time for it: behind the next entry, or at rest.
    ended: Option<(Ending, ComputeEnded)>,
}

/// All slices.
#[derive(Default)]
pub(crate) struct Slices {
    slices: Vec<Slice>,
    next_look_ns: u64,
}

impl Slices {
    /// Returns all cores of slices.
    pub(crate) fn cores(&self) -> CoreSet {
        let all = self.slices.iter().map(|it| it.computation.cores());
        all.fold(CoreSet::EMPTY, CoreSet::union)
    }

    /// Notes cores of slices that do not come for their orders. Returns the others.
    pub(crate) fn take_missing(&mut self, given_up: CoreSet) -> CoreSet {
        let mut others = given_up;
        for slice in &mut self.slices {
            let own = slice.computation.cores();
            for core in given_up.iter().filter(|it| own.contains(*it)) {
                others = others.without(core);
                slice.computation.core_is_missing();
                report_rest(&*slice.tenant, Idle::CoresMissing);
            }
        }
        others
    }

    /// Returns when the next look is due, in ns; `None` if nothing runs.
    pub(crate) fn deadline_ns(&self) -> Option<u64> {
        let is_active = self.slices.iter().any(|it| it.computation.is_active());
        is_active.then_some(self.next_look_ns)
    }
}

impl<P: Platform> Supervisor<P> {
    /// Takes a slice in. What an earlier boot left in it goes on; an image that the boot line names is started.
    pub fn add_slice(&mut self, tenant: Box<dyn ComputeTenant>) {
        let cores = CoreSet::from_cores(tenant.cores().iter().copied()).unwrap_or_default();
        let kept = tenant.kept();
        let entries = kept.map_or(0, |kept| kept.entries);
        let mut computation = Computation::new(cores, tenant.stall_ns(), entries);
        if kept.is_some() {
            let kept = ComputeKept {
                slice: Word::of(tenant.name()),
                generation: entries,
                committed: tenant.committed(),
            };
            log::info!("{kept}");
        }
        match kept {
            Some(Kept {
                ended: Some(ending),
                ..
            }) => computation.has_ended(ending),
            Some(_) if tenant.starts_at_boot() => _ = computation.start(SliceEntry::Resume),
            None if tenant.starts_at_boot() => _ = computation.start(SliceEntry::Fresh),
            _ => {}
        }
        self.slices.slices.push(Slice {
            tenant,
            computation,
            ended: None,
        });
    }

    /// Looks at the slices, if it is time to, and does what is due.
    pub(crate) fn watch_slices(&mut self) {
        let now_ns = self.now_ns();
        if self
            .slices
            .deadline_ns()
            .is_none_or(|due_ns| now_ns < due_ns)
        {
            return;
        }
        let mut slices = mem::take(&mut self.slices.slices);
        let mut poll_ns = LOOK_NS;
        for slice in &mut slices {
            while self.advance_slice(slice) {}
            if slice.computation.is_stopping() {
                poll_ns = FENCE_POLL_NS;
            }
        }
        self.slices.slices = slices;
        self.slices.next_look_ns = self.now_ns() + poll_ns;
    }

    /// Does what is due for one slice. Returns whether there may be more.
    fn advance_slice(&mut self, slice: &mut Slice) -> bool {
        let Slice {
            tenant,
            computation,
            ended,
        } = slice;
        let now_ns = self.now_ns();
        let mailboxes = self.dispatch.mailboxes();
        match computation.step(now_ns, &**tenant, |core| mailboxes.checked_in(core)) {
            Act::Wait => return computation.is_due(),
            Act::End(ending) => {
                *ended = Some((ending, end_of(&**tenant, computation.entries(), ending)));
            }
            Act::Nmi(cores) => cores.iter().for_each(|core| self.dispatch.nmi(core)),
            Act::Init(cores) => cores.iter().for_each(|core| self.dispatch.init(core)),
            Act::Startup(cores, generation) => self.dispatch.startup(cores, generation, None),
            Act::Enter { entry, generation } => match tenant.prepare(entry, generation) {
                Ok(orders) => {
                    let cores = orders.iter().map(|(core, _)| *core).collect();
                    self.dispatch.start(orders);
                    let entered_ns = self.now_ns();
                    computation.entered(entered_ns);
                    report_end(ended);
                    let entered = ComputeEntered {
                        slice: Word::of(tenant.name()),
                        generation,
                        entry,
                        committed: tenant.committed(),
                        cores,
                        took_ns: entered_ns - now_ns,
                    };
                    log::info!("{entered}");
                }
                Err(reason) => {
                    computation.refused();
                    report_end(ended);
                    let refused = ComputeRefused {
                        slice: Word::of(tenant.name()),
                        reason: Text::of(reason),
                    };
                    log::error!("{refused}");
                }
            },
            Act::Rest(idle) => {
                report_end(ended);
                report_rest(&**tenant, idle);
            }
        }
        computation.is_stopping()
    }
}

fn report_rest(tenant: &dyn ComputeTenant, idle: Idle) {
    let rests = ComputeRests {
        slice: Word::of(tenant.name()),
        why: Word::of(idle.name()),
    };
    match idle {
        Idle::Ended(Ending::Finished | Ending::Stopped) => log::info!("{rests}"),
        _ => log::error!("{rests}"),
    }
}

/// Says how an entry ended.
fn end_of(tenant: &dyn ComputeTenant, generation: u64, ending: Ending) -> ComputeEnded {
    let death = tenant.epitaph().filter(|it| it.generation == generation);
    ComputeEnded {
        slice: Word::of(tenant.name()),
        generation,
        why: Word::of(ending.name()),
        committed: tenant.committed(),
        rank: death.as_ref().map(|it| it.rank),
        step: death.as_ref().map(|it| it.step),
        cause: death.as_ref().and_then(|it| it.cause),
        vector: death.as_ref().map(|it| it.vector),
        message: death.as_ref().map(|it| Text::of(it.message())),
        exit_code: tenant.exit_code(),
    }
}

fn report_end(ended: &mut Option<(Ending, ComputeEnded)>) {
    match ended.take() {
        Some((Ending::Finished | Ending::Stopped, ended)) => log::info!("{ended}"),
        Some((_, ended)) => log::warn!("{ended}"),
        None => {}
    }
}
