//! Options whose value is one of a few words.

use core::fmt;

/// What happens after a takeover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rearm {
    /// A new backup is loaded at once.
    Auto,
    /// The operator loads one.
    #[default]
    Manual,
}

/// What is done when nobody serves and no kernel can be loaded that would go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reset {
    /// The machine is reset; the next boot goes on with the state that the journal in memory makes.
    #[default]
    Auto,
    /// The machine stands still, and a boot does not look at what is in memory.
    Off,
}

/// What a primary does that serves while the monitor is dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoneMonitor {
    /// It says so and serves on.
    #[default]
    Alarm,
    /// It sends what is to be sent and resets the machine; the next boot goes on with the state in memory.
    Reset,
}

/// Which PCI functions are reset between two primaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetFunctions {
    /// Those that do not obey, or whose transactions stay pending.
    #[default]
    Faulty,
    /// All that can be reset by themselves.
    All,
}

/// Whose the IOMMU is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IommuOwner {
    /// The monitor's: devices reach the owner's memory and no other, and at a takeover none until they are quiet.
    #[default]
    Monitor,
    /// The first primary's, if that is a Linux, until it dies.
    Tenant,
    /// Nobody's: the machine is used as one without.
    Nobody,
}

impl IommuOwner {
    /// What each is called on the boot line.
    pub(super) const NAMES: [(&'static str, Self); 3] = [
        ("monitor", Self::Monitor),
        ("tenant", Self::Tenant),
        ("off", Self::Nobody),
    ];
}

/// The mode the local APICs are used in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApicMode {
    /// x2APIC where the CPU has it.
    #[default]
    Auto,
    /// xAPIC.
    Xapic,
    /// x2APIC.
    X2apic,
}

impl ApicMode {
    /// What each is called on the boot line.
    pub(super) const NAMES: [(&'static str, Self); 3] = [
        ("auto", Self::Auto),
        ("xapic", Self::Xapic),
        ("x2apic", Self::X2apic),
    ];
}

/// What a primary does whose own state is not what it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDivergence {
    /// It says so and serves on.
    #[default]
    Alarm,
    /// It dies, and a backup that the journal makes takes over.
    Takeover,
}

impl OnDivergence {
    /// Each with its name.
    pub(super) const CHOICES: [(&str, Self); 2] =
        [("alarm", Self::Alarm), ("takeover", Self::Takeover)];
}

/// Who may see the status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusClients {
    /// Clients in the machine's own network.
    #[default]
    Near,
    /// All.
    All,
}

impl StatusClients {
    /// What each is called on the boot line.
    pub(super) const NAMES: [(&'static str, Self); 2] = [("near", Self::Near), ("all", Self::All)];
}

/// What the primary serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// A Redis-protocol server.
    Redis {
        /// TCP port.
        port: u16,
    },
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis { port } => write!(f, "redis:{port}"),
        }
    }
}

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Off => "off",
        })
    }
}

impl fmt::Display for LoneMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alarm => "alarm",
            Self::Reset => "reset",
        })
    }
}

impl fmt::Display for Rearm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        })
    }
}
