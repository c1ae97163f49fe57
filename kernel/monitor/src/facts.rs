//! What the monitor finds out about the machine before it divides it.

use alloc::string::String;
use alloc::vec::Vec;

use arch::clock::Clock;
use ipi::LocalApic;
use partition::acpi::{AcpiInfo, Originals};
use partition::boot_info::{Framebuffer, NoScreen};
use partition::{MemoryMap, Range};
use sharedmem::hand_off::PciFunction;
use sharedmem::linux::{LinuxFunction, PciRoot};

use watchdog::Watchdog;

use crate::calibrate::Frequencies;
use crate::dma::DmaFacts;

/// The facts of one boot.
pub struct BootFacts {
    /// The boot line as it was given.
    pub command_line: String,
    /// The boot archive and other modules, by name.
    pub modules: Vec<(String, Range)>,
    /// The memory of the machine, as the firmware says.
    pub memory_map: MemoryMap,
    /// The screen, or why nothing is drawn on one.
    pub screen: Result<Framebuffer, NoScreen>,
    /// What the ACPI tables say.
    pub acpi: AcpiInfo,
    /// The firmware's ACPI tables.
    pub acpi_tables: Originals,
    /// The seat's local APIC.
    pub local_apic: &'static LocalApic,
    /// Whether the local APICs are in x2APIC mode.
    pub is_x2apic: bool,
    /// The IOMMUs, if there are any and they are used.
    pub dma: Option<DmaFacts>,
    /// How fast things run.
    pub frequencies: Frequencies,
    /// The time-stamp counter at time 0.
    pub tsc_at_boot: u64,
    /// Physical address of the page in which other cores start.
    pub start_page: u64,
    /// All PCI functions; empty until they are looked for, in the monitor's own space.
    pub functions: Vec<PciFunction>,
    /// The same with the sizes of their base address registers; empty if no tenant needs them.
    pub sized_functions: Vec<LinuxFunction>,
    /// The hardware watchdog, if the operator wants one and there is one.
    pub watchdog: Option<Watchdog>,
    /// The buses that no bridge leads to.
    pub roots: Vec<PciRoot>,
}

impl BootFacts {
    /// Returns the machine's time, which began at the boot.
    pub fn clock(&self) -> Clock {
        Clock::new(self.frequencies.tsc_hz, self.tsc_at_boot)
    }

    /// Returns the APIC id of the seat.
    pub fn seat_apic_id(&self) -> u32 {
        self.acpi.cpus[0].0
    }

    /// Returns the addresses of the I/O APICs' registers.
    pub fn io_apics(&self) -> impl Iterator<Item = u64> {
        self.acpi.io_apics.iter().map(|io_apic| io_apic.address)
    }
}
