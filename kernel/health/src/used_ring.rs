//! The used index of a queue: how many buffers the device says that it has used (virtio 1.2, 2.7.8).

use crate::fault::{Fault, Queue};

/// What is known of a queue's used ring. All counts wrap, as the index itself does.
#[derive(Clone, Debug)]
pub struct UsedRing {
    queue: Queue,
    /// Buffers that the device was given.
    given: u16,
    /// The greatest index that the device has given.
    seen: u16,
}

impl UsedRing {
    /// Describes a queue that was reset.
    pub fn new(queue: Queue) -> Self {
        Self {
            queue,
            given: 0,
            seen: 0,
        }
    }

    /// Notes that the device was given a buffer.
    pub fn gave(&mut self) {
        self.given = self.given.wrapping_add(1);
    }

    /// Checks the index that the device gives now. It never goes back, and never ahead of what the device was given.
    ///
    /// # Errors
    /// [`Fault::UsedIndex`].
    pub fn check(&mut self, found: u16) -> Result<(), Fault> {
        let may_advance = self.given.wrapping_sub(self.seen);
        if found.wrapping_sub(self.seen) > may_advance {
            let queue = self.queue;
            return Err(Fault::UsedIndex { queue, found });
        }
        self.seen = found;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u16 = 256;

    #[test]
    fn an_honest_device_passes_over_many_laps() {
        let mut ring = UsedRing::new(Queue::Receive);
        let (mut given, mut used) = (0_u32, 0_u32);
        for step in 0..300_000_u32 {
            while given - used < u32::from(SIZE) && !(step + given).is_multiple_of(5) {
                given += 1;
                ring.gave();
            }
            used += (step % 7).min(given - used);
            assert_eq!(ring.check(used as u16), Ok(()), "step {step}");
        }
        assert!(used > 4 * 65_536);
    }

    #[test]
    fn an_index_ahead_or_behind_cannot_be() {
        for start in [0, 200, 65_500_u16] {
            let mut ring = UsedRing::new(Queue::Transmit);
            (0..start).for_each(|_| ring.gave());
            ring.check(start).unwrap();
            (0..SIZE).for_each(|_| ring.gave());
            ring.check(start.wrapping_add(10)).unwrap();
            let may_be = |ahead: u16| (10..=SIZE).contains(&ahead);
            for ahead in 0..=u16::MAX {
                let found = start.wrapping_add(ahead);
                let result = ring.clone().check(found);
                assert_eq!(result.is_ok(), may_be(ahead), "{start} + {ahead}");
            }
        }
    }

    #[test]
    fn a_queue_without_buffers_cannot_use_one() {
        let mut ring = UsedRing::new(Queue::Receive);
        assert_eq!(ring.check(0), Ok(()));
        let queue = Queue::Receive;
        assert_eq!(ring.check(1), Err(Fault::UsedIndex { queue, found: 1 }));
    }

    #[test]
    fn an_index_that_was_wrong_does_not_become_what_is_right() {
        let mut ring = UsedRing::new(Queue::Receive);
        (0..4).for_each(|_| ring.gave());
        assert!(ring.check(0x100).is_err());
        assert!(ring.check(0x100).is_err());
        assert_eq!(ring.check(3), Ok(()));
    }
}
