//! What the ACPI tables say of the machine: its CPUs, its interrupt controllers, and the timers to calibrate with.
//!
//! Sections and offsets are those of the ACPI specification 6.5; the HPET table is that of Intel's IA-PC HPET
//! specification 1.0a.

mod cpus;
mod fixed;
pub mod iommu;
mod madt;
mod mcfg;
mod power;
mod root;
#[cfg(test)]
mod tests;
pub mod wdat;

use alloc::vec::Vec;
use core::fmt;

pub use cpus::CpuNote;
pub use fixed::{PmTimer, Register, ResetRegister};
pub use madt::{InterruptOverride, IoApic, IsaInterrupt};
pub use mcfg::Ecam;
pub use power::PowerOff;
pub use root::Rsdp;

use crate::physical::{InputError, PhysicalMemory, Problem};

/// The number of a local APIC: what an inter-processor interrupt is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApicId(pub u32);

impl fmt::Display for ApicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the tables say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcpiInfo {
    /// The CPUs that can be used, numbered as Linux does: the BSP is CPU 0, the others follow in the order of the MADT.
    pub cpus: Vec<ApicId>,
    /// What is odd about the entries of CPUs, with their ids.
    pub cpu_notes: Vec<(ApicId, CpuNote)>,
    /// What is wrong with the tables and does not keep Linux from using them.
    pub notes: Vec<InputError>,
    /// Physical address of the local APIC's registers (xAPIC mode).
    pub local_apic_address: u64,
    /// Whether there is an 8259 pair, which must be masked.
    pub has_8259: bool,
    /// The I/O APICs.
    pub io_apics: Vec<IoApic>,
    /// Where ISA interrupts go that do not go where their number says.
    pub overrides: Vec<InterruptOverride>,
    /// The power management timer, 3.579545 MHz, if there is one.
    pub pm_timer: Option<PmTimer>,
    /// The register that resets the machine, if there is one.
    pub reset: Option<ResetRegister>,
    /// How the machine is powered off, or why that is not known. The machine boots nevertheless.
    pub power_off: Result<PowerOff, InputError>,
    /// Physical address of the high precision event timer's registers, if there is one.
    pub hpet: Option<u64>,
    /// Where PCI configuration space lies in memory: none without an MCFG; an error if the MCFG cannot be used. The
    /// machine boots nevertheless, because the ports reach the first segment.
    pub ecam: Result<Vec<Ecam>, InputError>,
    /// The IOMMUs: none without a DMAR or an IVRS; an error if the table cannot be used. The machine boots
    /// nevertheless, as one without an IOMMU.
    pub iommus: Result<iommu::Iommus, InputError>,
    /// How the hardware watchdog is driven: nothing without a WDAT; an error if it cannot be used. The machine boots
    /// nevertheless.
    pub watchdog: Result<Option<wdat::WatchdogTable>, InputError>,
}

/// The firmware's tables as a copy for another kernel needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Originals {
    /// The MADT.
    pub madt: Vec<u8>,
    /// The FADT, if there is one.
    pub fadt: Option<Vec<u8>>,
    /// Physical addresses of DMAR and IVRS.
    pub iommu: Vec<u64>,
    /// Physical addresses of all others.
    pub others: Vec<u64>,
}

impl Originals {
    /// Reads the tables.
    ///
    /// # Errors
    /// Names the table and the field that cannot be used.
    pub fn read(rsdp: &Rsdp, memory: &dyn PhysicalMemory) -> Result<Self, InputError> {
        let tables = root::tables(rsdp, memory)?;
        Ok(Self {
            madt: tables.madt.bytes,
            fadt: tables.fadt.map(|fadt| fadt.bytes),
            iommu: tables.iommu,
            others: tables.others,
        })
    }
}

impl AcpiInfo {
    /// Reads the tables, from the RSDP that the boot loader knew of or the one that is found. `bsp` is the APIC id of
    /// the processor that was booted.
    ///
    /// # Errors
    /// Names the table and the field that cannot be used.
    pub fn read(rsdp: &Rsdp, bsp: ApicId, memory: &dyn PhysicalMemory) -> Result<Self, InputError> {
        let tables = root::tables(rsdp, memory)?;
        let mut notes = tables.notes;
        let madt = madt::parse(&tables.madt, bsp, &mut notes)?;
        let power_off = match &tables.fadt {
            Some(fadt) => power::parse(fadt, memory),
            None => Err(InputError::new("FADT", "table", Problem::Missing)),
        };
        let (pm_timer, reset) = match &tables.fadt {
            Some(fadt) => (fixed::pm_timer(fadt)?, fixed::reset_register(fadt)?),
            None => (None, None),
        };
        let hpet = tables.hpet.map(|hpet| fixed::hpet(&hpet?));
        let hpet = hpet.unwrap_or(Ok(None)).unwrap_or_else(|error| {
            notes.push(error);
            None
        });
        let ecam = tables
            .mcfg
            .map_or(Ok(Vec::new()), |mcfg| mcfg::parse(&mcfg?));
        let iommus = iommu::parse(tables.dmar, tables.ivrs);
        let wdat = tables.wdat.map(|wdat| wdat::parse(&wdat?));
        Ok(Self {
            cpus: madt.cpus.ids,
            cpu_notes: madt.cpus.notes,
            notes,
            local_apic_address: madt.local_apic_address,
            has_8259: madt.has_8259,
            io_apics: madt.io_apics,
            overrides: madt.overrides,
            pm_timer,
            reset,
            power_off,
            hpet,
            ecam,
            iommus,
            watchdog: wdat.transpose(),
        })
    }

    /// Returns where an ISA interrupt arrives, and how it signals.
    pub fn isa_interrupt(&self, isa_irq: u8) -> IsaInterrupt {
        self.overrides
            .iter()
            .find(|entry| entry.isa_irq == isa_irq)
            .map_or(
                IsaInterrupt {
                    global_interrupt: u32::from(isa_irq),
                    active_low: false,
                    level: false,
                },
                |entry| entry.to,
            )
    }

    /// Returns the I/O APIC that a global interrupt arrives at, which is the one with the next lower base, and the pin.
    /// How many pins it has, only its registers say.
    pub fn pin_of(&self, global_interrupt: u32) -> Option<(IoApic, u32)> {
        let below = |it: &&IoApic| it.global_interrupt_base <= global_interrupt;
        let io_apic = self
            .io_apics
            .iter()
            .filter(below)
            .max_by_key(|it| it.global_interrupt_base)?;
        Some((*io_apic, global_interrupt - io_apic.global_interrupt_base))
    }
}
