//! A Linux: a stock bzImage. It boots on a lent core, waits parked, holding no core, and adds memory when it becomes
//! the primary.

use alloc::format;
use alloc::string::String;

use super::{Capabilities, Defaults, ImageCheck, KeepaliveDefault, Kind};
use crate::content;
use crate::linux::command_line::Facts;
use crate::linux::layout::needed_bytes;
use crate::linux::{BzImage, Files, LinuxBoot, LinuxError};
use crate::refusal::Refusal;

/// Enough for a distribution's kernel and a small userspace, and less than 128 MiB together with its piece below 1 MiB.
const BACKUP_BYTES: u64 = 126 << 20;

/// What Linux adds memory in (`memory_block_size_bytes`).
const MEMORY_BLOCK_BYTES: u64 = 128 << 20;

/// From the kernel's entry to the module that sends keepalives, the devices' firmware included.
const BOOT_TIMEOUT_NS: u64 = 60_000_000_000;

/// In a Linux each keepalive is an interrupt more. The time-out minus one period is what a healthy kernel may stand
/// still for.
const KEEPALIVES_PER_TIMEOUT: u64 = 10;

/// The longest period: what an application promises is looked at with each keepalive.
const KEEPALIVE_NS_MAX: u64 = 100_000_000;

/// The frequency of the fastest time-stamp counter, in kHz. A boot is checked before it is measured: no machine makes
/// the command line longer.
const TSC_KHZ_MAX: u64 = 9_999_999;

/// The kind.
pub static LINUX: Kind = Kind {
    name: "Linux",
    recognises: content::is_bzimage,
    capabilities: Capabilities {
        reads_journal: false,
        boots_on_lent_core: true,
        lends_core: true,
        takes_keepalive_interrupts: false,
        drives_console: false,
        drives_screen: true,
        may_virtualize: true,
        resets_through_memory: true,
        needs_low_memory: true,
        needs_bar_sizes: true,
        accepts_upload: false,
        loads_below_4_gib: true,
        memory_block_bytes: Some(MEMORY_BLOCK_BYTES),
    },
    defaults: Defaults {
        backup_bytes: Some(BACKUP_BYTES),
        boot_timeout_ns: Some(BOOT_TIMEOUT_NS),
        keepalive: Some(KeepaliveDefault {
            per_timeout: KEEPALIVES_PER_TIMEOUT,
            ns_max: KEEPALIVE_NS_MAX,
        }),
    },
    bytes_below_4_gib: |image, initrd_bytes| {
        let image = BzImage::parse(image);
        image.map_or(0, |image| needed_bytes(&image, initrd_bytes))
    },
    check,
};

fn check(check: &ImageCheck<'_>) -> Result<String, Refusal> {
    let named = check.image();
    let facts = Facts {
        seat_apic_id: check.seat.0,
        tsc_khz: TSC_KHZ_MAX,
    };
    let prepare = || {
        let memory = check.memory.as_ref().ok_or(LinuxError::NoSlot)?;
        let files = Files::find(named, check.files)?;
        LinuxBoot::prepare(files, memory, check.role, check.memory_map, facts)
    };
    let linux = prepare().map_err(|error| error.refuse(named, check.options))?;
    Ok(format!(
        "{}: Linux {}, {} KiB, initrd {} KiB, {} bytes of command line",
        named.kernel,
        linux.image.release(),
        linux.image.kernel().len() >> 10,
        linux.initrd.len() >> 10,
        linux.line.text.len()
    ))
}
