//! Records kept for people: copies of the newest ones, for as long as there is memory for them.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

/// Bytes that the allocator needs for each payload, beside the payload.
const ALLOCATION_BYTES: usize = 32;

/// A copy of a record.
#[derive(Debug)]
pub struct RecentRecord {
    /// Position of the record in the journal.
    pub position: u64,
    /// Epoch of the primary that appended it.
    pub epoch: u64,
    /// Its payload.
    pub payload: Box<[u8]>,
}

impl RecentRecord {
    /// Returns the memory it takes, in bytes.
    fn cost_bytes(&self) -> usize {
        size_of::<Self>() + ALLOCATION_BYTES + self.payload.len()
    }
}

/// The newest records, as many as fit into a given amount of memory.
///
/// Whoever reads the journal frees the room in the ring, so a record that is to be shown later has to be copied.
#[derive(Debug, Default)]
pub struct RecentRecords {
    records: VecDeque<RecentRecord>,
    cost_bytes: usize,
    cost_bytes_max: usize,
    dropped: u64,
}

impl RecentRecords {
    /// Makes an empty collection that takes at most `cost_bytes_max` bytes of memory.
    pub fn new(cost_bytes_max: usize) -> Self {
        Self {
            cost_bytes_max,
            ..Self::default()
        }
    }

    /// Copies the record at `position`, which the primary of `epoch` appended. If memory runs out, the oldest ones
    /// are dropped.
    ///
    /// Positions come in ascending order.
    pub fn keep(&mut self, position: u64, epoch: u64, payload: &[u8]) {
        let copy = RecentRecord {
            position,
            epoch,
            payload: payload.into(),
        };
        self.cost_bytes += copy.cost_bytes();
        self.records.push_back(copy);
        while self.cost_bytes > self.cost_bytes_max {
            let Some(oldest) = self.records.pop_front() else {
                return;
            };
            self.cost_bytes -= oldest.cost_bytes();
            self.dropped += 1;
        }
    }

    /// Returns the number of records kept.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns whether no record is kept.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns the number of records that were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Returns the records from `position` on, oldest first.
    pub fn from(&self, position: u64) -> impl Iterator<Item = &RecentRecord> {
        let is_before = |record: &RecentRecord| record.position < position;
        self.records
            .range(self.records.partition_point(is_before)..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_begins_at_any_position() {
        let mut records = RecentRecords::new(1 << 16);
        records.keep(0, 1, b"one");
        records.keep(32, 1, b"two");
        let positions = |from| records.from(from).map(|record| record.position);
        assert!(positions(0).eq([0, 32]) && positions(1).eq([32]) && positions(33).eq([]));
        let first = records.from(0).next().unwrap();
        assert_eq!((first.epoch, &*first.payload), (1, &b"one"[..]));
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let mut records = RecentRecords::new(1000);
        for index in 0..100 {
            records.keep(index * 128, 1, &[index as u8; 100]);
        }
        assert!(records.cost_bytes <= 1000 && !records.is_empty());
        assert_eq!(records.len() as u64 + records.dropped(), 100);
        assert!(records.from(0).last().unwrap().payload.starts_with(&[99]));
        records.keep(1 << 20, 1, &[0; 2000]);
        assert_eq!((records.len(), records.dropped()), (0, 101));
        assert_eq!(records.cost_bytes, 0);
    }

    #[test]
    fn small_records_are_bounded_by_the_memory_they_take() {
        let mut records = RecentRecords::new(1 << 16);
        for index in 0..100_000 {
            records.keep(index * 32, 1, b"x");
        }
        assert!(records.len() <= (1 << 16) / size_of::<RecentRecord>());
    }
}
