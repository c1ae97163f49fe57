//! What the machine asks to be done.

use arrayvec::ArrayVec;
use sharedmem::MAX_CORES;
use sharedmem::timeline::Edge;

use crate::cores::CoreSet;
use crate::notice::Notice;

/// Something to do, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send INIT to a core, and first revoke any job that waits for it in the fence page: it must not take that up after its check-in.
    SendInit {
        /// Its machine number.
        core: u32,
    },
    /// Send SIPI to a core, into the fence page.
    SendStartup {
        /// Its machine number.
        core: u32,
        /// What it shall check in with; put into the page before the SIPI, in memory the old primary cannot write.
        generation: u64,
    },
    /// Send an NMI to a core.
    SendNmi {
        /// Its machine number.
        core: u32,
    },
    /// Set the epoch word. Answered by [`Stage::RaiseEpoch`](crate::Stage::RaiseEpoch), or by
    /// [`Event::BackupLost`](crate::Event::BackupLost) if the old primary, now stopped for good, had dropped the backup before.
    RaiseEpoch {
        /// The new value, whatever the word holds: a retry may skip numbers, and the dead may have scribbled on it.
        to: u64,
    },
    /// Take the interrupt controllers. Answered by [`Stage::SeizeInterrupts`](crate::Stage::SeizeInterrupts).
    SeizeInterrupts,
    /// Take bus mastering from the devices. Answered by [`Stage::QuietDevices`](crate::Stage::QuietDevices).
    QuietDevices,
    /// Start the backup instance as the primary, under the raised epoch.
    Promote {
        /// The core that leads it.
        core: u32,
    },
    /// Start the image of the owner that ended again, under the raised epoch.
    Restart {
        /// The core that leads it.
        core: u32,
    },
    /// Start the owner on its other cores; it is up, so this is off the critical path.
    StartRemaining {
        /// Cores that wait in the fence page, or were never started.
        cores: CoreSet,
    },
    /// Write a stamp into the timeline that [`Notice::TakeoverBegan`] began.
    Stamp {
        /// What was reached.
        edge: Edge,
        /// When, by the machine's clock.
        at_ns: u64,
    },
    /// Tell people.
    Notify(Notice),
}

/// The most actions one step asks for. The longest step begins a takeover: a notice and two stamps, then an INIT for each core
/// but the seat. The longest step of a fence under way is a notice and a strike for each of them.
pub const ACTIONS_MAX: usize = 3 + (MAX_CORES - 1);

/// What one step asks for.
pub type Actions = ArrayVec<Action, ACTIONS_MAX>;
