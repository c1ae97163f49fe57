//! CRC-32C (Castagnoli) over 64-bit words: by the processor's instruction if there is one, otherwise bit by bit, by the
//! `crc` crate.
//!
//! No way uses a table: a flipped bit in one would make whole records look damaged, and damaged ones whole.

use core::arch::x86_64::_mm_crc32_u64;

use crc::{CRC_32_ISCSI, Crc, NoTable};

/// The way for processors without SSE4.2.
const BITWISE: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISCSI);

/// How to compute a CRC-32C on this processor. Make it once, and copy it.
#[derive(Clone, Copy, Debug)]
pub struct Crc32c {
    has_instruction: bool,
}

impl Crc32c {
    /// Finds out whether the processor has the instruction.
    pub fn detect() -> Self {
        let features = raw_cpuid::CpuId::new().get_feature_info();
        Self {
            has_instruction: features.is_some_and(|features| features.has_sse42()),
        }
    }

    /// Makes one that works on every processor.
    pub const fn portable() -> Self {
        Self {
            has_instruction: false,
        }
    }

    /// Returns the CRC of the words' little-endian bytes.
    #[inline]
    pub fn of_words(self, words: impl Iterator<Item = u64>) -> u32 {
        if self.has_instruction {
            // SAFETY: `has_instruction` is set only by `detect`, when CPUID reports SSE4.2.
            unsafe { by_instruction(words) }
        } else {
            bit_by_bit(words)
        }
    }
}

/// Computes the CRC by the `crc32` instruction (Intel SDM vol. 2A, CRC32).
#[target_feature(enable = "sse4.2")]
#[inline]
fn by_instruction(words: impl Iterator<Item = u64>) -> u32 {
    !(words.fold(u64::from(u32::MAX), |crc, word| _mm_crc32_u64(crc, word)) as u32)
}

fn bit_by_bit(words: impl Iterator<Item = u64>) -> u32 {
    let mut digest = BITWISE.digest();
    words.for_each(|word| digest.update(&word.to_le_bytes()));
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_published_value() {
        // RFC 3720, B.4: 32 bytes of zeros, and 32 bytes counting up.
        let counting = [
            0x0706_0504_0302_0100,
            0x0f0e_0d0c_0b0a_0908,
            0x1716_1514_1312_1110,
            0x1f1e_1d1c_1b1a_1918,
        ];
        for crc in [Crc32c::portable(), Crc32c::detect()] {
            assert_eq!(crc.of_words([0; 4].into_iter()), 0x8a91_36aa);
            assert_eq!(crc.of_words(counting.into_iter()), 0x46dd_794e);
        }
    }
}
