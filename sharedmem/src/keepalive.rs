//! Keepalive slots. A slot has one writer and one reader, and works like a sequence lock, without a lock.

use crate::sync::{AtomicU64, Ordering, fence};
use core::array;

use crate::abi::MAX_CORES;
use crate::layout::layout;

/// The content of a keepalive, with room for the progress of `CORES` cores: kernels that look every millisecond move no
/// more bytes than they must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepaliveOf<const CORES: usize> {
    /// Rises by one with each keepalive.
    pub sequence: u64,
    /// When it was sent, in ns since the machine's boot. This is for people and for the timeline; the detector uses its
    /// own clock.
    pub time_ns: u64,
    /// The epoch that the sender runs under.
    pub epoch: u64,
    /// Number of cores of the sender. As many entries of `progress` count, if there are as many.
    pub cores: u32,
    /// Per core, how many rounds its main loop has made.
    pub progress: [u64; CORES],
}

/// A keepalive of a primary.
pub type Keepalive = KeepaliveOf<MAX_CORES>;

/// A keepalive of the monitor, which runs on one core.
pub type SeatKeepalive = KeepaliveOf<1>;

impl<const CORES: usize> KeepaliveOf<CORES> {
    /// Makes the first keepalive of a sender with `cores` cores.
    pub const fn first(epoch: u64, cores: u32) -> Self {
        Self {
            sequence: 0,
            time_ns: 0,
            epoch,
            cores,
            progress: [0; CORES],
        }
    }
}

/// One direction of the keepalive. `version` is odd while the writer writes. If the writer dies then, `version` stays
/// odd, and readers find no keepalive.
#[repr(C)]
#[derive(Debug)]
pub struct KeepaliveSlot {
    version: AtomicU64,
    sequence: AtomicU64,
    time_ns: AtomicU64,
    epoch: AtomicU64,
    cores: AtomicU64,
    progress: [AtomicU64; MAX_CORES],
}

layout!(KeepaliveSlot: version, sequence, time_ns, epoch, cores, progress);

/// Attempts of a reader that meets a writer. A write takes a few dozen instructions, so the second attempt nearly
/// always succeeds.
const READ_ATTEMPTS: usize = if cfg!(loom) { 2 } else { 8 };

impl Default for KeepaliveSlot {
    fn default() -> Self {
        Self {
            version: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
            time_ns: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            cores: AtomicU64::new(0),
            progress: array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl KeepaliveSlot {
    /// Publishes `keepalive`. Only the slot's one writer may call it.
    pub fn publish<const CORES: usize>(&self, keepalive: &KeepaliveOf<CORES>) {
        let version = self.version.load(Ordering::Relaxed) | 1;
        self.version.store(version, Ordering::Relaxed);
        fence(Ordering::Release);
        self.sequence.store(keepalive.sequence, Ordering::Relaxed);
        self.time_ns.store(keepalive.time_ns, Ordering::Relaxed);
        self.epoch.store(keepalive.epoch, Ordering::Relaxed);
        self.cores.store(keepalive.cores.into(), Ordering::Relaxed);
        let cores = (keepalive.cores as usize).min(CORES);
        for (word, value) in self.progress.iter().zip(&keepalive.progress[..cores]) {
            word.store(*value, Ordering::Relaxed);
        }
        self.version
            .store(version.wrapping_add(1), Ordering::Release);
    }

    /// Returns the newest complete keepalive; `None` if none was sent yet, or if the writer is in the middle of one, or
    /// died there.
    ///
    /// The numbers are the sender's claims: `cores` may be anything.
    pub fn read(&self) -> Option<Keepalive> {
        self.read_of()
    }

    /// Reads like [`read`](Self::read), as far as the progress of `CORES` cores.
    pub fn read_of<const CORES: usize>(&self) -> Option<KeepaliveOf<CORES>> {
        let mut keepalive = KeepaliveOf::first(0, 0);
        self.read_into(&mut keepalive).then_some(keepalive)
    }

    /// Reads like [`read_of`](Self::read_of) over an earlier keepalive; the progress of cores that the new one does not
    /// have becomes 0. Returns false, and leaves anything there, if there is none to read.
    #[must_use]
    pub fn read_into<const CORES: usize>(&self, to: &mut KeepaliveOf<CORES>) -> bool {
        let stale = (to.cores as usize).min(CORES);
        (0..READ_ATTEMPTS).any(|_| self.try_read(to, stale))
    }

    /// Makes one attempt. At most `stale` entries of what was there before are not 0.
    fn try_read<const CORES: usize>(&self, to: &mut KeepaliveOf<CORES>, stale: usize) -> bool {
        let before = self.version.load(Ordering::Acquire);
        if before == 0 || before & 1 == 1 {
            core::hint::spin_loop();
            return false;
        }
        let cores = self.cores.load(Ordering::Relaxed);
        let known = cores.min(CORES.min(MAX_CORES) as u64) as usize;
        for (value, word) in to.progress.iter_mut().zip(&self.progress[..known]) {
            *value = word.load(Ordering::Relaxed);
        }
        if known < stale {
            to.progress[known..stale].fill(0);
        }
        to.sequence = self.sequence.load(Ordering::Relaxed);
        to.time_ns = self.time_ns.load(Ordering::Relaxed);
        to.epoch = self.epoch.load(Ordering::Relaxed);
        to.cores = u32::try_from(cores).unwrap_or(u32::MAX);
        fence(Ordering::Acquire);
        self.version.load(Ordering::Relaxed) == before
    }

    /// Empties the slot for a new writer. For the monitor, once the old writer is fenced.
    pub fn clear(&self) {
        self.version.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn reads_what_was_published_and_nothing_before() {
        let slot = KeepaliveSlot::default();
        assert_eq!(slot.read(), None);
        let mut keepalive = Keepalive::first(3, 2);
        keepalive.sequence = 9;
        keepalive.progress[1] = 77;
        slot.publish(&keepalive);
        assert_eq!(slot.read(), Some(keepalive));
        slot.clear();
        assert_eq!(slot.read(), None);
    }

    #[test]
    fn a_writer_that_died_half_way_is_no_news() {
        let slot = KeepaliveSlot::default();
        slot.publish(&Keepalive::first(1, 1));
        slot.version.fetch_add(1, Ordering::Relaxed);
        assert_eq!(slot.read(), None);
        // The next writer starts cleanly.
        slot.publish(&Keepalive::first(2, 1));
        assert_eq!(slot.read().map(|k| k.epoch), Some(2));
    }

    #[test]
    fn an_insane_core_count_is_passed_on_but_not_followed() {
        let slot = KeepaliveSlot::default();
        slot.publish(&Keepalive::first(1, 4_000_000_000));
        assert_eq!(slot.read().map(|k| k.cores), Some(4_000_000_000));
    }

    #[test]
    fn a_reader_takes_as_much_as_it_has_room_for_and_keeps_nothing_of_before() {
        let slot = KeepaliveSlot::default();
        let mut keepalive = Keepalive::first(1, 4);
        assert!(!slot.read_into(&mut keepalive));
        keepalive.progress[..4].copy_from_slice(&[5, 6, 7, 8]);
        slot.publish(&keepalive);
        assert_eq!(
            slot.read_of().map(|it: KeepaliveOf<2>| it.progress),
            Some([5, 6])
        );
        assert_eq!(slot.read_of().map(|it: KeepaliveOf<0>| it.cores), Some(4));
        slot.publish(&KeepaliveOf {
            progress: [9],
            ..SeatKeepalive::first(2, 1)
        });
        assert!(slot.read_into(&mut keepalive));
        assert_eq!(Some(keepalive), slot.read());
        assert_eq!(keepalive.progress[..4], [9, 0, 0, 0]);
    }

    #[test]
    fn a_reader_never_sees_half_of_a_keepalive() {
        let slot = Arc::new(KeepaliveSlot::default());
        let writer = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                for value in 1..20_000 {
                    let progress = [value; MAX_CORES];
                    slot.publish(&Keepalive {
                        sequence: value,
                        time_ns: value,
                        epoch: value,
                        cores: MAX_CORES as u32,
                        progress,
                    });
                }
            })
        };
        while !writer.is_finished() {
            if let Some(seen) = slot.read() {
                assert!(
                    seen.progress.iter().all(|p| *p == seen.sequence)
                        && seen.time_ns == seen.sequence,
                    "{seen:?}"
                );
            }
        }
        writer.join().unwrap();
    }
}
