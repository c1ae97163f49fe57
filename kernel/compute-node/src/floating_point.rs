//! The floating-point unit: every rank computes with the same settings, whatever its core did before.

use core::arch::asm;

use raw_cpuid::CpuId;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::mxcsr::{self, MxCsr};
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

/// Enables SSE, and AVX and AVX-512 where the processor has them. INIT leaves all of this as it was (Intel SDM vol. 3A,
/// table 11-1), so the settings that change results are written: round to nearest, no exceptions, no flush to zero.
pub fn enable() {
    mxcsr::write(MxCsr::from_bits_retain(0x1f80));
    // SAFETY: FNINIT only resets the x87 unit, in which nothing is kept here.
    unsafe { asm!("fninit", options(nomem, nostack)) };
    let cpuid = CpuId::new();
    let has_xsave = cpuid.get_feature_info().is_some_and(|it| it.has_xsave());
    if !has_xsave {
        return;
    }
    // SAFETY: the processor has XSAVE; nothing here depends on the flag being clear.
    unsafe { Cr4::update(|flags| flags.insert(Cr4Flags::OSXSAVE)) };
    let features = cpuid.get_feature_info();
    let extended = cpuid.get_extended_feature_info();
    let mut flags = XCr0Flags::X87 | XCr0Flags::SSE;
    if features.is_some_and(|it| it.has_avx()) {
        flags |= XCr0Flags::AVX;
        if extended.is_some_and(|it| it.has_avx512f()) {
            flags |= XCr0Flags::OPMASK | XCr0Flags::ZMM_HI256 | XCr0Flags::HI16_ZMM;
        }
    }
    // SAFETY: CPUID has each of these, and they are enabled together with what they need (Intel SDM vol. 1, 13.3).
    unsafe { XCr0::write(flags) };
}
