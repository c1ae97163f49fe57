//! Which image an instance is loaded from, and what for.

use sharedmem::Instance;
use sharedmem::Role;
use sharedmem::hand_off::PhysicalRange;

/// Where an image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `primary_kernel` of the boot line.
    Primary,
    /// `failover_kernel` of the boot line.
    Failover,
    /// What the primary put into the spare slot: kernel, initrd, command line.
    Staged([PhysicalRange; 3]),
    /// A native image that the operator brought, at the end of the instance's own slice.
    Uploaded(PhysicalRange),
}

/// What is to be loaded. Nothing of the instance runs.
#[derive(Clone, Copy, Debug)]
pub struct LoadRequest<'a> {
    /// Which instance.
    pub instance: Instance,
    /// What for.
    pub role: Role,
    /// From which image.
    pub source: Source,
    /// Machine numbers of the cores it is to run on; the first leads.
    pub cores: &'a [u32],
}

impl<'a> LoadRequest<'a> {
    /// Returns the request for what the boot line names for a role.
    pub fn at_boot(role: Role, cores: &'a [u32]) -> Self {
        let instance = role.first_instance();
        Self {
            instance,
            role,
            source: Source::of_boot_line(instance),
            cores,
        }
    }
}

impl Source {
    /// Returns what the boot line names for an instance.
    pub fn of_boot_line(instance: Instance) -> Self {
        match instance {
            Instance::A => Self::Primary,
            Instance::B => Self::Failover,
        }
    }
}
