//! The real local APIC: MSRs, the xAPIC page, and the fence.

use core::arch::asm;
use core::hint;

use raw_cpuid::cpuid;
use x86_64::registers::model_specific::Msr;

use crate::mmio::{Mmio, MmioRegion};
use crate::mode::Mode;
use crate::registers::{Register, Registers};
use crate::x2apic_ops;

const IA32_APIC_BASE: u32 = 0x1b;
const IA32_XAPIC_DISABLE_STATUS: u32 = 0xbd;
const IA32_ARCH_CAPABILITIES: u32 = 0x10a;
const IA32_TSC_DEADLINE: u32 = 0x6e0;

/// Size of the xAPIC page, in bytes.
const XAPIC_PAGE_BYTES: usize = 4096;

/// The registers of the processor that runs the call. Only [`LocalApic::new`](crate::LocalApic::new) makes one.
#[derive(Clone, Copy, Debug)]
pub struct CpuRegisters {
    xapic: MmioRegion,
}

impl CpuRegisters {
    /// Makes the registers of whichever processor runs the later calls.
    ///
    /// # Safety
    /// As for [`LocalApic::new`](crate::LocalApic::new).
    pub(crate) unsafe fn new(mode: Mode, xapic_base: *mut u8) -> Self {
        let xapic = match mode {
            // SAFETY: the caller promises a mapping, as `MmioRegion::new` demands.
            Mode::XApic => unsafe { MmioRegion::new(xapic_base, XAPIC_PAGE_BYTES) },
            Mode::X2Apic => {
                x2apic_ops::prepare();
                MmioRegion::EMPTY
            }
        };
        Self { xapic }
    }
}

fn read(msr: u32) -> u64 {
    // SAFETY: only `CpuRegisters::new` makes the value that leads here, and its caller promises ring 0. Every caller
    // below names an MSR that exists where it reads it.
    unsafe { Msr::new(msr).read() }
}

fn write(msr: u32, value: u64) {
    // SAFETY: as for `read`; the APIC's MSRs change interrupt delivery, never memory.
    unsafe { Msr::new(msr).write(value) }
}

impl Registers for CpuRegisters {
    fn apic_base(&self) -> u64 {
        read(IA32_APIC_BASE)
    }

    fn set_apic_base(&self, value: u64) {
        write(IA32_APIC_BASE, value);
    }

    fn xapic_is_locked(&self) -> bool {
        // Intel SDM vol. 4, table 2-2, IA32_XAPIC_DISABLE_STATUS: each register says whether the next one exists.
        let has_capabilities = cpuid!(0).eax >= 7 && cpuid!(7, 0).edx & 1 << 29 != 0;
        has_capabilities
            && read(IA32_ARCH_CAPABILITIES) & 1 << 21 != 0
            && read(IA32_XAPIC_DISABLE_STATUS) & 1 != 0
    }

    fn read_msr(&self, register: Register) -> u64 {
        read(register.msr())
    }

    fn write_msr(&self, register: Register, value: u64) {
        write(register.msr(), value);
    }

    fn read_mmio(&self, register: Register) -> u32 {
        self.xapic.read(register.offset())
    }

    fn write_mmio(&self, register: Register, value: u32) {
        self.xapic.write(register.offset(), value);
    }

    fn set_tsc_deadline(&self, tsc: u64) {
        write(IA32_TSC_DEADLINE, tsc);
    }

    fn fence(&self) {
        // SAFETY: a fence accesses no memory. The `asm!` counts as reading and writing memory, so that the compiler
        // moves no access across it.
        unsafe { asm!("mfence", "lfence", options(nostack, preserves_flags)) };
    }

    fn relax(&self) {
        hint::spin_loop();
    }
}
