//! The local APIC's registers by name, and the trait through which they are reached.

use crate::x2apic_ops::X2ApicOps;

/// Address of the first x2APIC MSR (Intel SDM vol. 3A, 11.12.1.2).
const X2APIC_MSR_FIRST: u32 = 0x800;

/// A register of the local APIC (Intel SDM vol. 3A, table 11-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Register {
    /// APIC id.
    Id,
    /// Version, and the highest local vector table entry.
    Version,
    /// Task priority.
    TaskPriority,
    /// End of interrupt.
    EndOfInterrupt,
    /// Spurious vector, and the software enable.
    SpuriousVector,
    /// In-service bits of vectors 32n to 32n + 31; n is 0 to 7.
    InService(u8),
    /// Request bits of vectors 32n to 32n + 31; n is 0 to 7.
    Request(u8),
    /// Error status.
    ErrorStatus,
    /// Local vector: corrected machine checks.
    LvtCmci,
    /// Interrupt command: low half in xAPIC mode, all 64 bits in x2APIC mode.
    Icr,
    /// Interrupt command, high half. xAPIC mode only.
    IcrHigh,
    /// Local vector: timer.
    LvtTimer,
    /// Local vector: thermal sensor.
    LvtThermal,
    /// Local vector: performance counters.
    LvtPerformance,
    /// Local vector: pin LINT0.
    LvtLint0,
    /// Local vector: pin LINT1.
    LvtLint1,
    /// Local vector: APIC errors.
    LvtError,
    /// Timer: initial count.
    InitialCount,
    /// Timer: current count.
    CurrentCount,
    /// Timer: divide configuration.
    DivideConfiguration,
}

impl Register {
    /// Returns the byte offset in the xAPIC page.
    pub const fn offset(self) -> usize {
        match self {
            Register::Id => 0x20,
            Register::Version => 0x30,
            Register::TaskPriority => 0x80,
            Register::EndOfInterrupt => 0xb0,
            Register::SpuriousVector => 0xf0,
            Register::InService(n) => 0x100 + (n as usize & 7) * 0x10,
            Register::Request(n) => 0x200 + (n as usize & 7) * 0x10,
            Register::ErrorStatus => 0x280,
            Register::LvtCmci => 0x2f0,
            Register::Icr => 0x300,
            Register::IcrHigh => 0x310,
            Register::LvtTimer => 0x320,
            Register::LvtThermal => 0x330,
            Register::LvtPerformance => 0x340,
            Register::LvtLint0 => 0x350,
            Register::LvtLint1 => 0x360,
            Register::LvtError => 0x370,
            Register::InitialCount => 0x380,
            Register::CurrentCount => 0x390,
            Register::DivideConfiguration => 0x3e0,
        }
    }

    /// Returns the number of the MSR in x2APIC mode.
    pub const fn msr(self) -> u32 {
        X2APIC_MSR_FIRST + (self.offset() >> 4) as u32
    }
}

/// Access to the local APIC of the processor that runs the call.
pub trait Registers: X2ApicOps {
    /// Reads IA32_APIC_BASE.
    fn apic_base(&self) -> u64;
    /// Writes IA32_APIC_BASE.
    fn set_apic_base(&self, value: u64);
    /// Returns whether the processor refuses to leave x2APIC mode.
    fn xapic_is_locked(&self) -> bool;
    /// Reads a register in x2APIC mode.
    fn read_msr(&self, register: Register) -> u64;
    /// Writes a register in x2APIC mode.
    fn write_msr(&self, register: Register, value: u64);
    /// Reads a register in xAPIC mode.
    fn read_mmio(&self, register: Register) -> u32;
    /// Writes a register in xAPIC mode.
    fn write_mmio(&self, register: Register, value: u32);
    /// Writes IA32_TSC_DEADLINE.
    fn set_tsc_deadline(&self, tsc: u64);
    /// Waits until all earlier loads and stores are complete and visible to others: `mfence; lfence`.
    fn fence(&self);
    /// Pauses between two polls.
    fn relax(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msr_numbers_are_those_of_the_manual() {
        // Intel SDM vol. 3A, table 11-6.
        let known = [
            (Register::Id, 0x802),
            (Register::Version, 0x803),
            (Register::TaskPriority, 0x808),
            (Register::EndOfInterrupt, 0x80b),
            (Register::SpuriousVector, 0x80f),
            (Register::InService(0), 0x810),
            (Register::InService(7), 0x817),
            (Register::Request(0), 0x820),
            (Register::Request(7), 0x827),
            (Register::ErrorStatus, 0x828),
            (Register::LvtCmci, 0x82f),
            (Register::Icr, 0x830),
            (Register::LvtTimer, 0x832),
            (Register::LvtThermal, 0x833),
            (Register::LvtPerformance, 0x834),
            (Register::LvtLint0, 0x835),
            (Register::LvtLint1, 0x836),
            (Register::LvtError, 0x837),
            (Register::InitialCount, 0x838),
            (Register::CurrentCount, 0x839),
            (Register::DivideConfiguration, 0x83e),
        ];
        for (register, msr) in known {
            assert_eq!(register.msr(), msr, "{register:?}");
        }
    }
}
