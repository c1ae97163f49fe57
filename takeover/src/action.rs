//! The actions that the machine asks for.

use arrayvec::ArrayVec;
use sharedmem::timeline::Edge;

use crate::cores::CoreSet;
use crate::notice::Notice;

/// An action. The executor carries them out in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Revoke any job that waits for these cores in the fence page, then send them INIT, one right after the other.
    /// None may take up such a job after its check-in.
    SendInit {
        /// The cores.
        cores: CoreSet,
    },
    /// Send SIPI to these cores, into the fence page.
    SendStartup {
        /// The cores.
        cores: CoreSet,
        /// The generation they must check in with. The executor writes it into the page before the SIPI, in memory that
        /// the old primary cannot write.
        generation: u64,
    },
    /// Send these cores an NMI.
    SendNmi {
        /// The cores.
        cores: CoreSet,
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
/// stamps, and INIT, which goes to any number of cores.
pub const ACTIONS_MAX: usize = 5;

/// The actions of one step.
pub type Actions = ArrayVec<Action, ACTIONS_MAX>;
