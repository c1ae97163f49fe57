//! Log rings. A kernel writes its log into one; another kernel can read it while the writer lives and after it died.

use crate::sync::{AtomicU8, AtomicU64, Ordering};
use core::array;

use crate::layout::layout;
/// Size of a ring's text, in bytes. The oldest text is overwritten.
pub const LOG_BYTES: usize = if cfg!(loom) { 4 } else { 16 << 10 };

/// Maximum length of a line that a kernel writes into its ring, in bytes, line end included. A buffer for draining by
/// lines has this length.
pub const LINE_BYTES: usize = 1024;

/// A log ring. It has one writer (a kernel, which serialises its own cores) and one reader (the owner of the console).
#[repr(C)]
#[derive(Debug)]
pub struct LogRing {
    written: AtomicU64,
    drained: AtomicU64,
    bytes: [AtomicU8; LOG_BYTES],
}

layout!(LogRing: written, drained, bytes);

impl Default for LogRing {
    fn default() -> Self {
        Self {
            written: AtomicU64::new(0),
            drained: AtomicU64::new(0),
            bytes: array::from_fn(|_| AtomicU8::new(0)),
        }
    }
}

impl LogRing {
    /// Appends `text`. It never waits: a reader that is too slow loses the oldest text.
    pub fn write(&self, text: &[u8]) {
        let start = self.written.load(Ordering::Relaxed);
        for (offset, byte) in text.iter().enumerate() {
            let position = start.wrapping_add(offset as u64);
            self.bytes[(position % LOG_BYTES as u64) as usize].store(*byte, Ordering::Relaxed);
        }
        self.written
            .store(start.wrapping_add(text.len() as u64), Ordering::Release);
    }

    /// Takes up to `buffer.len()` bytes that were not drained yet. Returns how many were taken, and how many were lost
    /// before them.
    ///
    /// Text that is overwritten while it is taken comes out mixed.
    pub fn drain(&self, buffer: &mut [u8]) -> (usize, u64) {
        self.take(buffer, <[u8]>::len)
    }

    /// Drains like [`drain`](Self::drain), but stops after the first line end.
    pub fn drain_line(&self, buffer: &mut [u8]) -> (usize, u64) {
        self.take(buffer, |text| {
            let end = text.iter().position(|byte| *byte == b'\n');
            end.map_or(text.len(), |end| end + 1)
        })
    }

    /// Copies what was not drained, and drains as much of it as `end` returns.
    fn take(&self, buffer: &mut [u8], end: impl FnOnce(&[u8]) -> usize) -> (usize, u64) {
        // Read once, because the writer goes on.
        let written = self.written.load(Ordering::Acquire);
        let drained = self.drained.load(Ordering::Relaxed);
        let behind = written.wrapping_sub(drained);
        let lost = behind.saturating_sub(LOG_BYTES as u64);
        let start = drained.wrapping_add(lost);
        let readable = (behind - lost).min(buffer.len() as u64) as usize;
        for (offset, byte) in buffer[..readable].iter_mut().enumerate() {
            let position = start.wrapping_add(offset as u64);
            *byte = self.bytes[(position % LOG_BYTES as u64) as usize].load(Ordering::Relaxed);
        }
        let taken = end(&buffer[..readable]);
        self.drained
            .store(start.wrapping_add(taken as u64), Ordering::Release);
        (taken, lost)
    }

    /// Copies text from `position` on, counted from the beginning of the log, and leaves the ring as it is. Returns
    /// where the copied text begins, later than `position` if the older text was overwritten, and its length.
    pub fn copy_from(&self, position: u64, buffer: &mut [u8]) -> (u64, usize) {
        let written = self.written.load(Ordering::Acquire);
        // A position that was never written is one of another life of the ring.
        let position = match position > written {
            true => 0,
            false => position,
        };
        let start = position.max(written.saturating_sub(LOG_BYTES as u64));
        let length = (written - start).min(buffer.len() as u64) as usize;
        for (offset, byte) in buffer[..length].iter_mut().enumerate() {
            let position = start.wrapping_add(offset as u64);
            *byte = self.bytes[(position % LOG_BYTES as u64) as usize].load(Ordering::Relaxed);
        }
        (start, length)
    }

    /// Copies the newest text, as much as `buffer` has room for, to the start of `buffer`. Leaves the ring as it is.
    /// Returns the number of bytes.
    pub fn copy_tail(&self, buffer: &mut [u8]) -> usize {
        let written = self.written.load(Ordering::Acquire);
        let taken = written.min(LOG_BYTES as u64).min(buffer.len() as u64);
        let start = written - taken;
        for (offset, byte) in buffer[..taken as usize].iter_mut().enumerate() {
            *byte = self.bytes[((start + offset as u64) % LOG_BYTES as u64) as usize]
                .load(Ordering::Relaxed);
        }
        taken as usize
    }

    /// Returns whether there is nothing to drain.
    pub fn is_drained(&self) -> bool {
        self.written.load(Ordering::Acquire) == self.drained.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn drain_all(ring: &LogRing) -> Vec<u8> {
        let mut out = Vec::new();
        let mut buffer = [0; 7];
        loop {
            let (taken, _) = ring.drain(&mut buffer);
            if taken == 0 {
                return out;
            }
            out.extend(&buffer[..taken]);
        }
    }

    #[test]
    fn text_comes_out_as_it_went_in_also_over_the_edge() {
        let ring = LogRing::default();
        for round in 0..5_000_u32 {
            let line = std::format!("line {round}\n");
            ring.write(line.as_bytes());
            assert_eq!(drain_all(&ring), line.as_bytes());
        }
        assert!(ring.is_drained());
    }

    #[test]
    fn a_slow_reader_loses_the_oldest_and_is_told_how_much() {
        let ring = LogRing::default();
        ring.write(&[b'a'; 10]);
        ring.write(&[b'b'; LOG_BYTES]);
        let mut buffer = [0; 4];
        assert_eq!(ring.drain(&mut buffer), (4, 10));
        assert_eq!(&buffer, b"bbbb");
        assert_eq!(ring.drain(&mut buffer), (4, 0));
    }

    #[test]
    fn lines_are_drained_one_by_one() {
        let ring = LogRing::default();
        ring.write(b"one\ntwo\nthree");
        let mut buffer = [0; 64];
        assert_eq!(ring.drain_line(&mut buffer), (4, 0));
        assert_eq!(ring.drain_line(&mut buffer), (4, 0));
        assert_eq!(&buffer[..4], b"two\n");
        assert_eq!(ring.drain_line(&mut buffer), (5, 0));
        assert!(ring.is_drained());
    }

    #[test]
    fn the_tail_can_be_looked_at_again_and_again() {
        let ring = LogRing::default();
        ring.write(b"one\ntwo\n");
        let mut buffer = [0; 6];
        for _ in 0..2 {
            assert_eq!(ring.copy_tail(&mut buffer), 6);
            assert_eq!(&buffer, b"e\ntwo\n");
        }
        assert!(!ring.is_drained());
        let mut large = std::vec![0; LOG_BYTES * 2];
        assert_eq!(ring.copy_tail(&mut large), 8);
        ring.write(&[b'x'; LOG_BYTES]);
        assert_eq!(ring.copy_tail(&mut large), LOG_BYTES);
        ring.written.store(u64::MAX - 1, Ordering::Relaxed);
        assert_eq!(ring.copy_tail(&mut large), LOG_BYTES);
    }

    #[test]
    fn a_follower_reads_all_and_leaves_it_to_the_reader() {
        let ring = LogRing::default();
        ring.write(b"one\ntwo\n");
        let mut buffer = [0; 5];
        assert_eq!(ring.copy_from(0, &mut buffer), (0, 5));
        assert_eq!(ring.copy_from(5, &mut buffer), (5, 3));
        assert_eq!(&buffer[..3], b"wo\n");
        assert_eq!(ring.copy_from(8, &mut buffer), (8, 0));
        ring.write(&[b'x'; LOG_BYTES]);
        assert_eq!(ring.copy_from(3, &mut buffer), (8, 5), "the oldest is lost");
        assert_eq!(ring.copy_from(u64::MAX, &mut buffer), (8, 5));
        assert!(!ring.is_drained());
    }

    #[test]
    fn a_scribbled_cursor_ends_in_text_and_not_in_a_fault() {
        let ring = LogRing::default();
        ring.write(b"hello");
        ring.written.store(u64::MAX - 3, Ordering::Relaxed);
        let mut buffer = [0; 64];
        let (taken, lost) = ring.drain(&mut buffer);
        assert!(taken == 64 && lost > 0);
    }
}
