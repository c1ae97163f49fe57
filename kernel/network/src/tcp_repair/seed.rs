//! Seeds for `smoltcp`'s random number generator that make it put out a given number.
//!
//! The generator is sPCG32 (M. E. O'Neill, "PCG", 2014): `state = state * MULTIPLIER + INCREMENT`, and a number made
//! of bits of the state. Tests here, and a look at the first segment of each rebuilt socket, notice if a later
//! `smoltcp` has another one.

const MULTIPLIER: u64 = 0xbb2e_fcec_3c39_611d;
const INCREMENT: u64 = 0x7590_ef39;
const INVERSE: u64 = inverse(MULTIPLIER);

/// Returns the seed with which the generator's second output is `wanted`.
pub(super) fn seed_for(wanted: u32) -> u64 {
    // With the upper three bits 0 the output is bits 29 to 60, whatever is below.
    let states = (0..1 << 29).map(|low| u64::from(wanted) << 29 | low);
    // `smoltcp` makes a 16-bit number of the first output, and draws again if that is 0.
    let is_drawn_once = |state: &u64| {
        let first = output(previous(*state));
        (first ^ first >> 16) as u16 != 0
    };
    let state = states.into_iter().find(is_drawn_once).unwrap_or(0);
    previous(previous(state))
}

/// Returns the inverse of `odd` modulo 2^64, by Newton's iteration: each step doubles the number of right bits.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut right_bits = 3;
    while right_bits < u64::BITS {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        right_bits *= 2;
    }
    inverse
}

/// Returns the state before `state`.
fn previous(state: u64) -> u64 {
    state.wrapping_sub(INCREMENT).wrapping_mul(INVERSE)
}

/// Returns the generator's output in `state`.
fn output(state: u64) -> u32 {
    (state >> (29 - (state >> 61))) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_number_that_is_drawn_again_is_avoided() {
        // Of 65536 seeds about one needs that.
        for wanted in 0..200_000_u32 {
            let state = seed_for(wanted).wrapping_mul(MULTIPLIER);
            let first = output(state.wrapping_add(INCREMENT));
            assert_ne!((first ^ first >> 16) as u16, 0);
        }
    }
}
