//! The columns of a takeover's timeline: its edges in order, and the cause that began it.

use core::fmt;

/// Moments of a takeover. The number is the index in the shared region's timeline, so it never changes.
///
/// The machine stamps the edges up to [`Edge::DevicesQuiet`]; the instance that is promoted stamps the others.
#[repr(usize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// The newest keepalive of the dead primary was observed; absent if there never was one.
    LastKeepalive = 0,
    /// The primary was declared dead.
    Detected = 1,
    /// Every core of it has checked in at the fence.
    Fenced = 2,
    /// Every interrupt goes where the new owner wants it.
    InterruptsSeized = 3,
    /// No device of the dead primary masters the bus any more.
    DevicesQuiet = 4,
    /// The new primary brought the devices up.
    DevicesAdopted = 5,
    /// The tail of the journal is applied.
    Replayed = 6,
    /// The service takes requests.
    Serving = 7,
    /// The first reply left.
    FirstReply = 8,
    /// A parked kernel runs again.
    Resumed = 9,
    /// The new primary has read from its disk.
    DiskReadable = 10,
}

impl Edge {
    /// All edges, in the order in which they come. An instance that has no such moment leaves it out.
    pub const ALL: [Self; 11] = [
        Self::LastKeepalive,
        Self::Detected,
        Self::Fenced,
        Self::InterruptsSeized,
        Self::DevicesQuiet,
        Self::Resumed,
        Self::DevicesAdopted,
        Self::DiskReadable,
        Self::Replayed,
        Self::Serving,
        Self::FirstReply,
    ];

    /// Index in the timeline.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastKeepalive => "last keepalive",
            Self::Detected => "detected",
            Self::Fenced => "fenced",
            Self::InterruptsSeized => "interrupts seized",
            Self::DevicesQuiet => "devices quiet",
            Self::DevicesAdopted => "devices adopted",
            Self::Replayed => "replayed",
            Self::Serving => "serving",
            Self::FirstReply => "first reply",
            Self::Resumed => "resumed",
            Self::DiskReadable => "disk readable",
        }
    }
}

/// What is counted in a takeover. The number is the index in the shared region's timeline, so it never changes.
#[repr(usize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Rounds the fence needed.
    FenceRounds = 0,
}

impl Counter {
    /// Index in the timeline.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Why a peer counts as dead, or does not go on.
///
/// `core` is an index in the peer's own count of its cores, as in its keepalive and its epitaph, not a machine core's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It said so itself, in an epitaph.
    Panic {
        /// The core that died first.
        core: u32,
    },
    /// No new keepalive for the time-out.
    Silent,
    /// Keepalives come, but this core's main loop did not go round for the time-out.
    Hung {
        /// The lowest core that stands still.
        core: u32,
    },
    /// No keepalive at all within the boot time-out.
    NeverCameUp,
    /// Its image was refused, so it never started.
    ImageRefused,
    /// It handed over on purpose.
    Switchover,
    /// It ended in order, to be started again.
    Reboot,
}

impl Cause {
    /// Number of the cause in the shared region's timeline; never 0.
    pub const fn code(self) -> u64 {
        match self {
            Self::Panic { .. } => 1,
            Self::Silent => 2,
            Self::Hung { .. } => 3,
            Self::NeverCameUp => 4,
            Self::ImageRefused => 5,
            Self::Switchover => 6,
            Self::Reboot => 7,
        }
    }

    /// The cause behind a number from the timeline; `None` if it is not one of ours.
    pub const fn from_code(code: u64, core: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Panic { core },
            2 => Self::Silent,
            3 => Self::Hung { core },
            4 => Self::NeverCameUp,
            5 => Self::ImageRefused,
            6 => Self::Switchover,
            7 => Self::Reboot,
            _ => return None,
        })
    }

    /// The core it names, if it names one.
    pub const fn core(self) -> Option<u32> {
        match self {
            Self::Panic { core } | Self::Hung { core } => Some(core),
            Self::Silent
            | Self::NeverCameUp
            | Self::ImageRefused
            | Self::Switchover
            | Self::Reboot => None,
        }
    }

    /// One word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Panic { .. } => "panic",
            Self::Silent => "silent",
            Self::Hung { .. } => "hung",
            Self::NeverCameUp => "never-came-up",
            Self::ImageRefused => "image-refused",
            Self::Switchover => "switchover",
            Self::Reboot => "reboot",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic { core } => write!(f, "panic on its core {core}"),
            Self::Silent => f.write_str("no keepalive within the time-out"),
            Self::Hung { core } => write!(f, "main loop of its core {core} stands still"),
            Self::NeverCameUp => f.write_str("no first keepalive within the boot time-out"),
            Self::ImageRefused => f.write_str("image refused"),
            Self::Switchover => f.write_str("it hands over"),
            Self::Reboot => f.write_str("it wants to be started again"),
        }
    }
}
