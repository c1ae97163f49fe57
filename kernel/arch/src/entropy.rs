//! Random bits from the processor, for salts and seeds; not for cryptographic keys.

use core::arch::x86_64::_rdrand64_step;

use raw_cpuid::CpuId;

use crate::clock;

/// Attempts of RDRAND, as Intel advises (Intel SDM vol. 1, 7.3.17.1).
const ATTEMPTS: usize = 10;

/// Returns 64 random bits, mixed from the time-stamp counter and, if the processor has it, RDRAND.
pub fn bits() -> u64 {
    let has_rdrand = CpuId::new()
        .get_feature_info()
        .is_some_and(|features| features.has_rdrand());
    // SAFETY: CPUID reports the instruction.
    let random = if has_rdrand { unsafe { rdrand() } } else { 0 };
    mix(random ^ clock::ticks().rotate_left(32) ^ clock::ticks())
}

#[target_feature(enable = "rdrand")]
fn rdrand() -> u64 {
    let mut value = 0;
    (0..ATTEMPTS).any(|_| _rdrand64_step(&mut value) == 1);
    value
}

/// Spreads a few random bits over all 64, by the finaliser of SplitMix64.
fn mix(mut value: u64) -> u64 {
    value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
