//! The cores of a slice for a computation.

use supervisor::Signal;

use super::World;

/// Cores of the slice, if the test adds one.
pub const SLICE_CORES: [u32; 2] = [4, 5];

impl World {
    /// Lets a core of the slice get a signal.
    pub(super) fn strike_rank(&self, core: u32, signal: Signal) {
        let rank = &self.ranks[(core - SLICE_CORES[0]) as usize];
        match signal {
            Signal::Init if rank.take() => self.note(format!("core {core} of the slice stopped")),
            Signal::Startup if !rank.get() => {
                let arrived = self.mailboxes.arrive(core);
                if self.mailboxes.take_order(core, &arrived).is_some() {
                    self.note(format!("core {core} enters the slice"));
                    rank.set(true);
                }
            }
            _ => {}
        }
    }
}
