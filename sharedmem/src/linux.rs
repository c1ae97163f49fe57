//! What the monitor hands to a Linux instance, in an ACPI table of its own.

use crate::abi::MAX_CORES;
use crate::hand_off::{PhysicalRange, RANGES_MAX};
use crate::layout::layout;

/// Signature of the ACPI table whose body is a [`LinuxHandOff`].
pub const TABLE_SIGNATURE: [u8; 4] = *b"UNDS";

/// The value that a kernel writes into [`ResumeSlot::reset`](crate::resume_slot::ResumeSlot::reset) to reset the
/// machine (FADT: RESET_VALUE).
pub const RESET_VALUE: u8 = 1;

/// Maximum number of PCI functions behind the hand-off.
pub const LINUX_FUNCTIONS_MAX: usize = 4096;

/// Maximum number of ranges of pool memory in the hand-off: the primary's, one of which the spare slot cuts in two.
pub const POOL_RANGES_MAX: usize = RANGES_MAX + 1;

/// A PCI function as it was before any kernel ran, with the sizes of its base address registers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinuxFunction {
    /// Segment in bits 31..16, bus in 15..8, device in 7..3, function in 2..0.
    pub address: u32,
    /// Device ID in bits 31..16, vendor ID in 15..0.
    pub id: u32,
    /// Class code in bits 31..8, revision in 7..0.
    pub class: u32,
    /// Header type, in bits 7..0.
    pub header: u32,
    /// Base address registers 0 to 5 (a bridge has two).
    pub bars: [u32; 6],
    /// What each register reads after all ones were written to it; 0 where there is no register.
    pub bar_masks: [u32; 6],
    /// Expansion ROM base address register.
    pub rom: u32,
    /// What it reads after all ones were written to its address bits.
    pub rom_mask: u32,
}

layout!(LinuxFunction: address, id, class, header, bars, bar_masks, rom, rom_mask);

/// Maximum number of root buses in the hand-off.
pub const ROOTS_MAX: usize = 64;

/// A PCI bus that no bridge leads to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PciRoot {
    /// Its segment.
    pub segment: u32,
    /// Its number.
    pub first_bus: u32,
    /// The last bus that can be behind it.
    pub last_bus: u32,
    /// Unused.
    pub reserved: u32,
    /// Physical address of the memory-mapped configuration space of `first_bus`; 0 if there are only the ports.
    pub ecam: u64,
}

layout!(PciRoot: segment, first_bus, last_bus, reserved, ecam);

/// What a Linux instance needs to know about itself and the machine: the body of the table [`TABLE_SIGNATURE`]. Behind
/// it are `function_count` [`LinuxFunction`]s, by rising addresses.
#[repr(C)]
#[derive(Clone, Debug)]
pub struct LinuxHandOff {
    /// ABI revision of the monitor.
    pub abi_revision: u32,
    /// Journal revision of the monitor.
    pub journal_revision: u32,
    /// Which instance this is, by its number.
    pub instance: u32,
    /// 1: after a takeover, a new backup is loaded at once; 0: the operator loads it.
    pub rearm_auto: u32,
    /// The shared region: control block, then journal.
    pub shared: PhysicalRange,
    /// Memory that is offered to both instances as a pmem range; empty if there is none.
    pub pmem: PhysicalRange,
    /// The instance's own memory slot.
    pub slot: PhysicalRange,
    /// The slot in which the next backup waits while this instance is the primary. It is never this instance's memory,
    /// but the instance may stage an image there.
    pub spare: PhysicalRange,
    /// Memory that belongs to the primary's role and not to a slot; the first `pool_count` entries count.
    pub pool: [PhysicalRange; POOL_RANGES_MAX],
    /// Number of ranges in `pool`. 0 for the first primary, which has that memory from its boot.
    pub pool_count: u32,
    /// APIC id of the seat.
    pub seat_apic_id: u32,
    /// Frequency of the time-stamp counter, in Hz.
    pub tsc_hz: u64,
    /// The counter's value at the machine's boot: time 0.
    pub tsc_at_boot: u64,
    /// Period of the keepalive, in ns.
    pub keepalive_ns: u64,
    /// How long a primary may be silent before it counts as dead, in ns.
    pub timeout_ns: u64,
    /// Number of cores the instance may run on: entries in `core_apic_ids`. The machine number of entry i is
    /// `core_numbers[i]`.
    pub core_count: u32,
    /// Number of functions behind the hand-off.
    pub function_count: u32,
    /// Number of entries in `roots`.
    pub root_count: u32,
    /// Unused.
    pub reserved: u32,
    /// APIC ids. The instance starts on the first.
    pub core_apic_ids: [u32; MAX_CORES],
    /// Machine numbers of the same cores.
    pub core_numbers: [u32; MAX_CORES],
    /// The root buses.
    pub roots: [PciRoot; ROOTS_MAX],
}

layout!(LinuxHandOff:
    abi_revision, journal_revision, instance, rearm_auto, shared, pmem, slot, spare, pool, pool_count, seat_apic_id,
    tsc_hz, tsc_at_boot, keepalive_ns, timeout_ns, core_count, function_count, root_count, reserved,
    core_apic_ids, core_numbers, roots);
