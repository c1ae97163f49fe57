//! When a primary writes a checkpoint, so that what the journal has to keep always fits into its ring.

/// The least that is written at a time, in bytes.
const PACE_BYTES_MIN: u64 = 4 << 10;

/// Decides when a checkpoint begins, how fast it is written, and whether the journal is kept from there. All sizes
/// are in bytes.
///
/// The journal is kept from the beginning of the newest checkpoint. When that fills half of the ring, the next
/// checkpoint begins. It is written twice as fast as other records come in, so a state of up to a third of the ring
/// is complete before the ring is full. From a larger one the journal is not kept.
#[derive(Debug)]
pub struct Schedule {
    capacity_bytes: u64,
    /// Memory that the state took when it was too large to be kept.
    too_large_bytes: Option<u64>,
}

impl Schedule {
    /// Makes a schedule for a ring of `capacity_bytes`.
    pub fn new(capacity_bytes: u64) -> Self {
        Self {
            capacity_bytes,
            too_large_bytes: None,
        }
    }

    /// Returns whether a checkpoint is to begin. `retained_bytes` is what the journal keeps, if it makes the whole
    /// state; `memory_bytes` is the memory of the state.
    pub fn is_due(&self, retained_bytes: Option<u64>, memory_bytes: u64) -> bool {
        match retained_bytes {
            Some(bytes) => bytes > self.capacity_bytes / 2,
            // A state that was too large is tried again when it has become a good deal smaller.
            None => self
                .too_large_bytes
                .is_none_or(|too_large| memory_bytes < too_large / 4 * 3),
        }
    }

    /// Returns how much to write when `arrived_bytes` have come in since the last time.
    pub fn pace_bytes(&self, arrived_bytes: u64) -> u64 {
        arrived_bytes.saturating_mul(2).max(PACE_BYTES_MIN)
    }

    /// Notes that a checkpoint of `written_bytes` is complete, and that the journal has `kept_bytes` since it began.
    /// Returns whether to keep the journal from there.
    pub fn completed(&mut self, written_bytes: u64, kept_bytes: u64, memory_bytes: u64) -> bool {
        let fits = written_bytes <= self.capacity_bytes / 3;
        self.too_large_bytes = (!fits).then_some(memory_bytes);
        fits && kept_bytes <= self.capacity_bytes
    }

    /// Returns whether the last checkpoint was too large to be kept.
    pub fn is_too_large(&self) -> bool {
        self.too_large_bytes.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CAPACITY_BYTES: u64 = 3 << 20;

    #[test]
    fn a_state_that_is_too_large_is_written_again_when_it_is_smaller() {
        let mut schedule = Schedule::new(CAPACITY_BYTES);
        assert!(schedule.is_due(None, 8 << 20));
        assert!(!schedule.completed((1 << 20) + 1, 2 << 20, 8 << 20));
        assert!(schedule.is_too_large());
        assert!(!schedule.is_due(None, 6 << 20));
        assert!(schedule.is_due(None, (6 << 20) - 1));
        assert!(schedule.completed(1 << 20, 2 << 20, 5 << 20));
        assert!(!schedule.is_too_large());
        assert!(!schedule.is_due(Some(CAPACITY_BYTES / 2), 0));
        assert!(schedule.is_due(Some(CAPACITY_BYTES / 2 + 1), 0));
    }

    proptest! {
        #[test]
        fn a_state_that_fits_is_written_before_the_ring_is_full(
            state_bytes in 1..=CAPACITY_BYTES / 3,
            rounds in prop::collection::vec(0..64_u64 << 10, 1..50),
        ) {
            let mut schedule = Schedule::new(CAPACITY_BYTES);
            let mut rounds = rounds.into_iter().cycle();
            // What is kept since the checkpoint before: this one begins when that is half the ring, give or take a
            // round.
            let mut kept_bytes = CAPACITY_BYTES / 2 + rounds.next().unwrap();
            let (begin, mut written_bytes) = (kept_bytes, 0);
            let round_bytes_max = 3 * (64 << 10) + PACE_BYTES_MIN;
            while written_bytes < state_bytes {
                let arrived_bytes = rounds.next().unwrap();
                let pace_bytes = schedule.pace_bytes(arrived_bytes).min(state_bytes - written_bytes);
                written_bytes += pace_bytes;
                kept_bytes += arrived_bytes + pace_bytes;
            }
            prop_assert!(kept_bytes <= CAPACITY_BYTES + round_bytes_max);
            prop_assert!(schedule.completed(written_bytes, kept_bytes - begin, 0));
        }
    }
}
