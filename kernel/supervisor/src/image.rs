//! Which image an instance is loaded from.

use sharedmem::Instance;
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

impl Source {
    /// What the boot line names for an instance.
    pub fn of_boot_line(instance: Instance) -> Self {
        match instance {
            Instance::A => Self::Primary,
            Instance::B => Self::Failover,
        }
    }
}
