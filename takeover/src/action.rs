//! The actions that the machine asks for.

use arrayvec::ArrayVec;
use sharedmem::MAX_CORES;
use sharedmem::timeline::Edge;

use crate::cores::CoreSet;
use crate::notice::Notice;

/// An action. The executor carries them out in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Revoke any job that waits for a core in the fence page, then send the core INIT. It must not take up such a job
    /// after its check-in.
    SendInit {
        /// The core's machine number.
        core: u32,
    },
    /// Send SIPI to a core, into the fence page.
    SendStartup {
        /// The core's machine number.
        core: u32,
        /// The generation it must check in with. The executor writes it into the page before the SIPI, in memory that
        /// the old primary cannot write.
        generation: u64,
    },
    /// Send an NMI to a core.
    SendNmi {
        /// The core's machine number.
        core: u32,
    },
    /// Set the epoch word. The executor answers with [`Stage::RaiseEpoch`](crate::Stage::RaiseEpoch); or, if the
    /// stopped primary had dropped the backup, with [`Event::BackupLost`](crate::Event::BackupLost).
    RaiseEpoch {
        /// The new value, whatever the word holds: a retry may skip numbers, and the dead primary may have overwritten
        /// the word.
        to: u64,
    },
    /// Take the interrupt controllers. The executor answers with
    /// [`Stage::SeizeInterrupts`](crate::Stage::SeizeInterrupts).
    SeizeInterrupts,
    /// Stop the devices' bus mastering. The executor answers with [`Stage::QuietDevices`](crate::Stage::QuietDevices).
    QuietDevices,
    /// Start the backup instance as the primary, under the raised epoch.
    Promote {
        /// The core it starts on.
        core: u32,
    },
    /// Start the image of the primary that ended once more, under the raised epoch.
    Restart {
        /// The core it starts on.
        core: u32,
    },
    /// Start the primary's other cores. The primary is up, so this is off the critical path.
    StartRemaining {
        /// Cores that wait in the fence page, or were never started.
        cores: CoreSet,
    },
    /// Write a stamp into the timeline that [`Notice::TakeoverBegan`] began.
    Stamp {
        /// The edge that was reached.
        edge: Edge,
        /// When it was reached, by the machine's clock, in ns.
        at_ns: u64,
    },
    /// Log a notice.
    Notify(Notice),
}

/// Maximum number of actions of one step. The longest step ends an absence and begins a takeover: two notices, two
/// stamps, and an INIT for each core but the seat. The longest step of a fence under way is a notice and one signal for
/// each of these cores.
pub const ACTIONS_MAX: usize = 4 + (MAX_CORES - 1);

/// The actions of one step.
pub type Actions = ArrayVec<Action, ACTIONS_MAX>;
