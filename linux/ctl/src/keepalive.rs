//! The keepalives of one direction, as the status shows them.

use std::thread;
use std::time::Duration;

use sharedmem::keepalive::{Keepalive, KeepaliveSlot};

/// How often to read a slot while its writer writes, and the pause before the next attempt. The host of a virtual
/// machine may have stopped the writer in the middle of a write.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(1);

/// The keepalives of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepaliveStatus {
    /// Number of keepalives that were sent.
    pub count: u64,
    /// Age of the newest one, in us; `None` if there is none, or if the time is unknown.
    pub age_us: Option<i64>,
}

impl KeepaliveStatus {
    /// Describes the newest keepalive, at `now_ns` since the machine's boot.
    pub fn of(newest: Option<Keepalive>, now_ns: Option<u64>) -> Self {
        let age_us =
            |then_ns: u64| now_ns.map(|now_ns| now_ns.wrapping_sub(then_ns).cast_signed() / 1000);
        newest.map_or(Self::default(), |keepalive| Self {
            count: keepalive.sequence,
            age_us: age_us(keepalive.time_ns),
        })
    }
}

/// Returns the newest keepalive in a slot; `None` if there is none, or if its writer died in the middle of a write.
pub fn newest(slot: &KeepaliveSlot) -> Option<Keepalive> {
    (0..ATTEMPTS).find_map(|attempt| {
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        slot.read()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_where_the_time_is_known() {
        let mut beat = Keepalive::first(1, 1);
        beat.sequence = 7;
        beat.time_ns = 3_000_000;
        let of = |now_ns| KeepaliveStatus::of(Some(beat), now_ns);
        assert_eq!(
            (of(Some(5_000_000)).age_us, of(None).age_us),
            (Some(2000), None)
        );
        // A time in the future is shown as it is.
        assert_eq!(of(Some(1_000_000)).age_us, Some(-2000));
        assert_eq!(of(None).count, 7);
        assert_eq!(
            KeepaliveStatus::of(None, Some(1)),
            KeepaliveStatus::default()
        );
    }

    #[test]
    fn a_writer_at_work_is_waited_for() {
        assert_eq!(newest(&KeepaliveSlot::default()), None);
        let is_seen = |_| {
            let slot = KeepaliveSlot::default();
            thread::scope(|scope| {
                let reader = scope.spawn(|| newest(&slot));
                thread::sleep(Duration::from_millis(2));
                slot.publish(&Keepalive::first(1, 1));
                reader.join().unwrap().is_some()
            })
        };
        // A busy host may keep the writer from running for longer than that.
        assert!((0..20).any(is_seen));
    }
}
