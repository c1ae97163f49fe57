//! How often the machine may reset itself: whoever resets it, the monitor or a primary, counts here.

use crate::control::Header;
use crate::sync::Ordering::Relaxed;

/// Resets in a row before the machine stands still: another one would not help.
pub const IN_A_ROW_MAX: u64 = 3;

/// A boot that lasted so long begins a new row, in ns.
const ROW_NS: u64 = 60_000_000_000;

/// So many resets in a row did not help, and there must not be another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyResets(pub u64);

impl Header {
    /// Counts a reset at `now_ns` since boot, which the caller then carries out. Returns its number in the row.
    ///
    /// # Errors
    /// [`TooManyResets`]: the machine must not be reset.
    pub fn count_reset(&self, now_ns: u64) -> Result<u64, TooManyResets> {
        let in_a_row = match now_ns < ROW_NS {
            true => self.resets.load(Relaxed),
            false => 0,
        };
        if in_a_row >= IN_A_ROW_MAX {
            return Err(TooManyResets(in_a_row));
        }
        self.resets.store(in_a_row + 1, Relaxed);
        Ok(in_a_row + 1)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn there_are_three_resets_in_a_row_and_a_boot_that_lasted_begins_a_new_one() {
        let header = Header::default();
        for number in 1..=IN_A_ROW_MAX {
            assert_eq!(header.count_reset(ROW_NS - 1), Ok(number));
        }
        assert_eq!(
            header.count_reset(ROW_NS - 1),
            Err(TooManyResets(IN_A_ROW_MAX))
        );
        assert_eq!(header.count_reset(ROW_NS), Ok(1));
        assert_eq!(header.count_reset(0), Ok(2));
    }
}
