//! The hand-off: what the monitor tells an instance about itself and the machine. It lies in the instance's own slice.
//! The monitor writes it before the instance runs; nothing changes it after that.

use crate::abi::{ABI_REVISION, MAX_CORES};
use crate::instance::Instance;
use crate::layout::layout;

/// A range of physical memory, in bytes; `end` is exclusive.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhysicalRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

layout!(PhysicalRange: start, end);

impl PhysicalRange {
    /// Returns the length in bytes.
    pub const fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Returns whether the range is empty.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A PCI function that the monitor found at boot.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PciFunction {
    /// Segment in bits 31..16, bus in 15..8, device in 7..3, function in 2..0.
    pub address: u32,
    /// Device ID in bits 31..16, vendor ID in 15..0.
    pub id: u32,
    /// Class code in bits 31..8, revision in 7..0.
    pub class: u32,
    /// Its number: its place in the monitor's list of all functions.
    pub number: u32,
}

/// Maximum number of memory ranges of a slice. A server with a node in each of 32 sockets has two a node.
pub const RANGES_MAX: usize = 64;

/// Maximum number of PCI functions in the hand-off; it has only those that a native instance may have a driver for.
pub const PCI_FUNCTIONS_MAX: usize = 64;

/// Maximum length of the command line, in bytes: two command lines of Linux (2,047 each) and 2 KiB for all else.
pub const COMMAND_LINE_MAX: usize = 6144;

/// Magic number of a hand-off: "UNDRHAND".
pub const HAND_OFF_MAGIC: u64 = u64::from_le_bytes(*b"UNDRHAND");

/// The hand-off.
#[repr(C)]
#[derive(Clone, Debug)]
pub struct HandOff {
    /// [`HAND_OFF_MAGIC`].
    pub magic: u64,
    /// [`ABI_REVISION`] of the monitor.
    pub abi_revision: u32,
    /// Which instance this is, by its number.
    pub instance: u32,
    /// Number of `cores`.
    pub core_count: u32,
    /// 0: xAPIC, 1: x2APIC.
    pub x2apic: u32,
    /// APIC ids of the cores that the instance has, or gets when it is promoted. It starts on the first.
    pub core_apic_ids: [u32; MAX_CORES],
    /// APIC id of the seat.
    pub seat_apic_id: u32,
    /// Pin of the first serial port's interrupt (ISA 4, by the ACPI overrides) at its I/O APIC.
    pub serial_pin: u32,
    /// Physical address of that I/O APIC, the only one that an instance uses; 0 if there is none.
    pub serial_io_apic: u64,
    /// 1 if that interrupt is level triggered, active low.
    pub serial_is_level: u64,
    /// Frequency of the time-stamp counter, in Hz.
    pub tsc_hz: u64,
    /// The counter's value at the machine's boot: time 0.
    pub tsc_at_boot: u64,
    /// Frequency of the local APIC's timer as `ipi` programs it, in Hz.
    pub apic_timer_hz: u64,
    /// Physical address of the local APIC's registers.
    pub local_apic_address: u64,
    /// The shared region.
    pub shared: PhysicalRange,
    /// The slice's memory. Image, page tables and stacks lie at the start of the first range.
    pub ranges: [PhysicalRange; RANGES_MAX],
    /// Memory of the other instance. A fault there is reported as an access to the other instance.
    pub peer: PhysicalRange,
    /// First byte of `ranges[0]` that is free for the instance.
    pub free_start: u64,
    /// Physical address of the instance's top page table.
    pub page_table: u64,
    /// Where the instance may take memory for further page tables.
    pub table_frames: PhysicalRange,
    /// Maximum number of bytes of state that the service may hold; the same for both instances.
    pub service_memory_bytes: u64,
    /// Random bits from boot.
    pub entropy: u64,
    /// Number of `pci_functions`.
    pub pci_function_count: u32,
    /// Length of `command_line`, in bytes.
    pub command_line_len: u32,
    /// The disks and network cards of the machine, in segment 0.
    pub pci_functions: [PciFunction; PCI_FUNCTIONS_MAX],
    /// The boot command line, UTF-8.
    pub command_line: [u8; COMMAND_LINE_MAX],
}

impl HandOff {
    /// Returns whether this build can read the hand-off.
    pub fn is_valid(&self) -> bool {
        self.magic == HAND_OFF_MAGIC
            && self.abi_revision == ABI_REVISION
            && Instance::from_number(self.instance.into()).is_some()
            && (1..=MAX_CORES as u32).contains(&self.core_count)
            && self.command_line_len as usize <= COMMAND_LINE_MAX
            && self.pci_function_count as usize <= PCI_FUNCTIONS_MAX
    }

    /// Returns which instance this is. The answer has no meaning unless the hand-off is [valid](Self::is_valid).
    pub fn instance(&self) -> Instance {
        Instance::from_number(self.instance.into()).unwrap_or(Instance::A)
    }

    /// Returns the boot command line.
    pub fn command_line(&self) -> &str {
        let bytes = self
            .command_line
            .get(..self.command_line_len as usize)
            .unwrap_or(&[]);
        core::str::from_utf8(bytes).unwrap_or("")
    }

    /// Returns the APIC ids of the instance's cores. It starts on the first.
    pub fn cores(&self) -> &[u32] {
        &self.core_apic_ids[..(self.core_count as usize).min(MAX_CORES)]
    }

    /// Returns the PCI functions of the machine.
    pub fn pci_functions(&self) -> &[PciFunction] {
        &self.pci_functions[..(self.pci_function_count as usize).min(PCI_FUNCTIONS_MAX)]
    }

    /// Returns the memory ranges of the slice that are not empty.
    pub fn ranges(&self) -> impl Iterator<Item = PhysicalRange> + '_ {
        self.ranges
            .iter()
            .copied()
            .filter(|range| !range.is_empty())
    }
}
