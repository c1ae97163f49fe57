//! What a computation says about itself.

use sharedmem::layout;
use sharedmem::slice::SliceState;
use sharedmem::sync::AtomicU64;
use sharedmem::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// The status words.
#[repr(C)]
#[derive(Debug, Default)]
pub struct SliceStatus {
    state: AtomicU64,
    /// Meaningless before [`SliceState::Finished`].
    exit_code: AtomicU64,
    /// How many steps the computation is going to make; 0 if it does not know.
    pub steps: AtomicU64,
    /// One more than the step behind which this entry has continued; 0 if it began.
    resumed: AtomicU64,
}

layout!(SliceStatus: state, exit_code, steps, resumed);

impl SliceStatus {
    /// Returns the state; `None` if its number is unknown.
    pub fn state(&self) -> Option<SliceState> {
        SliceState::from_number(self.state.load(Acquire))
    }

    pub(super) fn set_state(&self, state: SliceState) {
        self.state.store(state.number(), Release);
    }

    pub(super) fn clear(&self) {
        for word in [&self.state, &self.exit_code, &self.steps, &self.resumed] {
            word.store(0, Relaxed);
        }
    }

    /// Says that the computation runs, of how many steps, and behind which one it has continued. For the first rank.
    /// An end that another rank came to stays.
    pub fn run(&self, steps: u64, resumed: Option<u64>) {
        self.steps.store(steps, Relaxed);
        let resumed = resumed.map_or(0, |step| step.wrapping_add(1));
        self.resumed.store(resumed, Relaxed);
        let (prepared, running) = (SliceState::Prepared, SliceState::Running);
        let _ = self
            .state
            .compare_exchange(prepared.number(), running.number(), AcqRel, Relaxed);
    }

    /// Returns the step behind which this entry has continued; `None` if it began.
    pub fn resumed(&self) -> Option<u64> {
        self.resumed.load(Relaxed).checked_sub(1)
    }

    /// Ends the computation. Returns whether this was the first end; the first one stays.
    pub fn end(&self, state: SliceState) -> bool {
        [SliceState::Running, SliceState::Prepared]
            .into_iter()
            .any(|before| {
                let exchanged =
                    self.state
                        .compare_exchange(before.number(), state.number(), AcqRel, Relaxed);
                exchanged.is_ok()
            })
    }

    /// Ends the computation with an exit code. For the first rank, when all are done.
    pub fn finish(&self, exit_code: u8) -> bool {
        self.exit_code.store(exit_code.into(), Relaxed);
        self.end(SliceState::Finished)
    }

    /// Returns the exit code, once the computation is done; `None` also if that is no exit code.
    pub fn exit_code(&self) -> Option<u8> {
        let is_finished = self.state() == Some(SliceState::Finished);
        let code = u8::try_from(self.exit_code.load(Relaxed)).ok()?;
        is_finished.then_some(code)
    }
}
