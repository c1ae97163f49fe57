//! Random bits from the processor, for salts and seeds. Not for keys.

use core::arch::x86_64::_rdrand64_step;

use raw_cpuid::CpuId;

use crate::clock;

/// Attempts of RDRAND, as Intel advises (SDM volume 1, 7.3.17.1).
const ATTEMPTS: usize = 10;

/// 64 random bits: RDRAND where there is one, and the time-stamp counter's in any case.
pub fn bits() -> u64 {
    let has_rdrand = CpuId::new()
        .get_feature_info()
        .is_some_and(|features| features.has_rdrand());
    // SAFETY: only where CPUID reports it.
    let random = if has_rdrand { unsafe { rdrand() } } else { 0 };
    mix(random ^ clock::ticks().rotate_left(32) ^ clock::ticks())
}

#[target_feature(enable = "rdrand")]
fn rdrand() -> u64 {
    let mut value = 0;
    (0..ATTEMPTS).any(|_| _rdrand64_step(&mut value) == 1);
    value
}

/// The finaliser of SplitMix64: spreads a few good bits over all.
fn mix(mut value: u64) -> u64 {
    value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
