//! The sums of values: each follows the changes to its value, and a scrub computes it again from what is in memory.
//!
//! A string's sum is that of its pieces, a collection's that of its elements, whatever their order. What two kernels
//! compare beside it contains the order.

use fingerprint::{bind, string_sum};

/// Keeps an element apart from the pieces of a string.
const ELEMENT: u64 = 1;
/// Keeps a deadline apart from both.
const DEADLINE: u64 = 2;

/// Returns the sum of an element whose pieces have the sum `pieces`.
pub fn element_of(pieces: u64) -> u64 {
    bind(pieces, ELEMENT)
}

/// Returns the sum of a field and its value in a hash, by the sums of their pieces.
pub fn pair_of(field: u64, value: u64) -> u64 {
    bind(value, bind(field, ELEMENT))
}

/// Returns the sum of an element of a list or a set.
pub fn element_sum(element: &[u8]) -> u64 {
    element_of(string_sum(element))
}

/// Returns the sum of a field and its value in a hash.
pub fn pair_sum(field: &[u8], value: &[u8]) -> u64 {
    pair_of(string_sum(field), string_sum(value))
}

/// Returns the sum of a deadline, in ms; 0 without one.
pub fn deadline_sum(deadline_ms: Option<core::num::NonZeroU64>) -> u64 {
    deadline_ms.map_or(0, |deadline_ms| bind(deadline_ms.get(), DEADLINE))
}
