//! `/dev/understudy`: the module's interface for programs. In C it is `linux/module/understudy.h`; a test compares
//! both.

use crate::abi::Revisions;
use crate::instance::{Instance, Role};
use crate::layout::layout;
use crate::numbered::numbered;

/// Type of the ioctl requests.
pub const REQUEST_TYPE: u8 = 0xd6;

/// Offset at which the shared region is mapped.
pub const SHARED_OFFSET: u64 = 0;

/// Offset at which the spare slot is mapped.
pub const SPARE_OFFSET: u64 = 1 << 40;

/// Maximum length of a record, in bytes.
pub const RECORD_BYTES_MAX: usize = 65536;

numbered! {
    /// An ioctl request.
    pub enum DeviceRequest {
        Info = 0, "info", "return which kernel this is";
        Stamp = 1, "stamp", "stamp an edge of the takeover that made this kernel the primary";
        KeepaliveStart = 2, "keepalive-start", "arm the program's watchdog, or change its period";
        KeepaliveBeat = 3, "keepalive-beat", "feed the watchdog";
        KeepaliveStop = 4, "keepalive-stop", "disarm the watchdog";
        Switchover = 5, "switchover", "switch over to the backup";
        AddMemory = 6, "add-memory", "add the memory that belongs to the primary's role";
    }
}

numbered! {
    /// A bit of [`DeviceInfo::flags`].
    pub enum DeviceFlag {
        Beating = 1, "beating", "keepalives are being sent";
        Resumed = 2, "resumed", "it was parked and took over";
        RearmAuto = 4, "rearm-auto", "failover_rearm=auto";
        Adopted = 8, "adopted", "it has adopted the PCI bus";
    }
}

/// Which kernel this is. The module checks the monitor's values before it passes them on.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// ABI revision of monitor and module.
    pub abi_revision: u32,
    /// Journal revision of both.
    pub journal_revision: u32,
    /// The [`Instance`], by its number.
    pub instance: u32,
    /// The [`Role`], by its number.
    pub role: u32,
    /// The [`DeviceFlag`]s.
    pub flags: u32,
    /// The CPU that sends the keepalives.
    pub lead_cpu: u32,
    /// The epoch in which this kernel became the primary; 0 in a backup.
    pub epoch: u64,
    /// Physical address of the shared region.
    pub shared_start: u64,
    /// Its length.
    pub shared_bytes: u64,
    /// Physical address of the memory that is offered as a disk.
    pub pmem_start: u64,
    /// Its length; 0 if there is none.
    pub pmem_bytes: u64,
    /// Physical address of this instance's own slot.
    pub slot_start: u64,
    /// Its length.
    pub slot_bytes: u64,
    /// Physical address of the slot of the next backup.
    pub spare_start: u64,
    /// Its length.
    pub spare_bytes: u64,
    /// Memory that belongs to the primary's role, in bytes; 0 for a kernel that has it from its boot.
    pub pool_bytes: u64,
    /// The part of it that was added, in bytes.
    pub added_bytes: u64,
}

layout!(
    DeviceInfo: abi_revision, journal_revision, instance, role, flags, lead_cpu, epoch, shared_start, shared_bytes,
    pmem_start, pmem_bytes, slot_start, slot_bytes, spare_start, spare_bytes, pool_bytes, added_bytes,
);

impl DeviceInfo {
    /// Returns the revisions of monitor and module.
    pub fn revisions(&self) -> Revisions {
        Revisions {
            abi: self.abi_revision,
            journal: self.journal_revision,
        }
    }

    /// Returns which instance this is.
    pub fn instance(&self) -> Instance {
        Instance::from_number(self.instance.into()).unwrap_or(Instance::A)
    }

    /// Returns the role of this kernel.
    pub fn role(&self) -> Role {
        Role::from_number(self.role.into()).unwrap_or(Role::Backup)
    }

    /// Returns whether this kernel is the primary.
    pub fn is_primary(&self) -> bool {
        self.role() == Role::Primary
    }

    /// Returns whether a flag is set.
    pub fn has(&self, flag: DeviceFlag) -> bool {
        u64::from(self.flags) & flag.number() != 0
    }
}
