//! The hypervisor's mode of a core, in which INIT does not stop it: VMX operation (Intel SDM vol. 3C, 24), and SVM with
//! a global interrupt flag of 0 (AMD64 APM vol. 2, 15.17).

use core::arch::asm;
use core::arch::x86_64::__cpuid;
use core::cell::UnsafeCell;
use core::fmt;

use x86_64::registers::control::{Cr4, Cr4Flags, Efer, EferFlags};
use x86_64::registers::model_specific::Msr;

/// IA32_FEATURE_CONTROL (Intel SDM vol. 4, table 2-2): locked, and VMX enabled outside of SMX operation.
const FEATURE_CONTROL: Msr = Msr::new(0x3a);
const LOCKED: u64 = 1 << 0;
const VMX_ENABLED: u64 = 1 << 2;

/// IA32_VMX_BASIC: bits 30..0 are the revision that a VMXON region begins with.
const VMX_BASIC: Msr = Msr::new(0x480);
const REVISION_MASK: u64 = 0x7fff_ffff;

/// CPUID leaf 1, ECX: there is VMX.
const CPUID_VMX: u32 = 1 << 5;

/// Leaves the mode, so that INIT stops this core. Returns whether it was in it.
///
/// The core must not go on as a hypervisor: what follows is the end of its kernel.
pub fn leave() -> bool {
    let has_left_vmx = leave_vmx();
    leave_svm() || has_left_vmx
}

fn leave_vmx() -> bool {
    if !Cr4::read().contains(Cr4Flags::VIRTUAL_MACHINE_EXTENSIONS) {
        return false;
    }
    // SAFETY: only `enter_vmx` sets the bit in a kernel of ours, so this core is in VMX root operation, and leaving it
    // changes no memory that is in use. In a kernel that is not ours the worst is an exception, at its end.
    unsafe {
        asm!("vmxoff", options(nostack));
        Cr4::update(|flags| flags.remove(Cr4Flags::VIRTUAL_MACHINE_EXTENSIONS));
    }
    true
}

fn leave_svm() -> bool {
    let flags = Efer::read();
    if !flags.contains(EferFlags::SECURE_VIRTUAL_MACHINE_ENABLE) {
        return false;
    }
    // SAFETY: SVM is on, so STGI is an instruction; what was held comes through now, as it would have come before.
    unsafe {
        asm!("stgi", options(nostack));
        Efer::write(flags.difference(EferFlags::SECURE_VIRTUAL_MACHINE_ENABLE));
    }
    true
}

/// Why a core cannot enter VMX root operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmxError {
    /// The processor has no VMX.
    Absent,
    /// The firmware has switched it off.
    Disabled,
    /// VMXON failed.
    Failed,
}

impl fmt::Display for VmxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "the processor has no VMX",
            Self::Disabled => "the firmware has switched VMX off",
            Self::Failed => "VMXON failed",
        })
    }
}

impl core::error::Error for VmxError {}

/// A page that belongs to a core while it is in VMX operation (VMXON region).
#[repr(C, align(4096))]
pub struct VmxonRegion(UnsafeCell<[u32; 1024]>);

// SAFETY: software writes only its first word, before the one VMXON that names it; then the processor owns it.
unsafe impl Sync for VmxonRegion {}

impl VmxonRegion {
    /// Makes an empty region.
    pub const fn new() -> Self {
        Self(UnsafeCell::new([0; 1024]))
    }
}

impl Default for VmxonRegion {
    fn default() -> Self {
        Self::new()
    }
}

/// Enters VMX root operation (Intel SDM vol. 3C, 24.7). For fault injection: INIT is held from here on.
///
/// # Errors
/// The processor cannot; nothing has changed but CR4.VMXE, which is 0 again.
///
/// # Safety
/// `physical` is the address of `region`, which no other core uses, and the kernel is meant to die.
pub unsafe fn enter_vmx(region: &'static VmxonRegion, physical: u64) -> Result<(), VmxError> {
    if __cpuid(1).ecx & CPUID_VMX == 0 {
        return Err(VmxError::Absent);
    }
    let mut feature_control = FEATURE_CONTROL;
    // SAFETY: the registers exist where there is VMX; an unlocked one may be written once.
    let revision = unsafe {
        let features = feature_control.read();
        if features & LOCKED == 0 {
            feature_control.write(features | LOCKED | VMX_ENABLED);
        } else if features & VMX_ENABLED == 0 {
            return Err(VmxError::Disabled);
        }
        VMX_BASIC.read() & REVISION_MASK
    };
    let has_failed: u8;
    // SAFETY: the region is this core's alone, by the caller's promise, and holds the revision before VMXON reads it.
    unsafe {
        region.0.get().cast::<u32>().write_volatile(revision as u32);
        Cr4::update(|flags| flags.insert(Cr4Flags::VIRTUAL_MACHINE_EXTENSIONS));
        asm!(
            "vmxon [{operand}]",
            "setbe {failed}",
            operand = in(reg) &raw const physical,
            failed = out(reg_byte) has_failed,
        );
    }
    if has_failed == 0 {
        return Ok(());
    }
    // SAFETY: the core is not in VMX operation, so the bit may be cleared.
    unsafe { Cr4::update(|flags| flags.remove(Cr4Flags::VIRTUAL_MACHINE_EXTENSIONS)) };
    Err(VmxError::Failed)
}
