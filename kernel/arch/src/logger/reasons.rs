//! The newest warnings and errors. They are written into the ring again before it has turned once more, so that a flood
//! of other lines cannot push out why something happened.

use arrayvec::ArrayVec;
use sharedmem::log_ring::{LINE_BYTES, LOG_BYTES};

use super::budget::Site;

/// Room for reasons. What does not fit displaces the oldest.
const TEXT_BYTES: usize = LOG_BYTES / 8;
/// Reasons that are kept.
const REASONS: usize = 16;
/// Bytes of log after which a reason is written again.
const AGAIN_AFTER_BYTES: usize = LOG_BYTES / 2;

// All reasons may be due at the same time, each with the line and a mark of its own before it.
const _: () = assert!(TEXT_BYTES >= LINE_BYTES);
const _: () = assert!(AGAIN_AFTER_BYTES + 3 * LINE_BYTES + TEXT_BYTES + REASONS * 64 <= LOG_BYTES);

/// A line that is kept.
#[derive(Clone, Copy, Debug)]
struct Reason {
    site: Site,
    /// Its length in [`Reasons::text`], where the reasons follow one another.
    bytes: usize,
    /// Where it was last written, in bytes of log.
    position: u64,
}

/// The newest reason of each site, the oldest first.
#[derive(Debug)]
pub struct Reasons {
    text: ArrayVec<u8, TEXT_BYTES>,
    list: ArrayVec<Reason, REASONS>,
}

impl Reasons {
    /// Returns no reasons.
    pub const fn new() -> Self {
        Self {
            text: ArrayVec::new_const(),
            list: ArrayVec::new_const(),
        }
    }

    /// Keeps `line`, which `site` has written at `position`, in place of the last one of the site.
    pub fn keep(&mut self, site: Site, line: &[u8], position: u64) {
        if let Some(place) = self.list.iter().position(|reason| reason.site == site) {
            self.drop_at(place);
        }
        while self.list.is_full() || self.text.remaining_capacity() < line.len() {
            if self.list.is_empty() {
                return;
            }
            self.drop_at(0);
        }
        let bytes = line.len();
        self.text.extend(line.iter().copied());
        self.list.push(Reason {
            site,
            bytes,
            position,
        });
    }

    /// Calls `write` with each reason that would soon be overwritten. `position` is that of the next line; `write`
    /// returns the position behind what it has written.
    pub fn write_again(&mut self, mut position: u64, mut write: impl FnMut(&[u8]) -> u64) {
        let mut start = 0;
        for reason in &mut self.list {
            let end = start + reason.bytes;
            let age_bytes = position.saturating_sub(reason.position);
            if age_bytes >= AGAIN_AFTER_BYTES as u64 {
                reason.position = position;
                position = write(self.text.get(start..end).unwrap_or_default());
            }
            start = end;
        }
    }

    /// Drops the reason at this place of the list, with its text. A kernel may die in the middle of it and log on: if
    /// the two do not fit together any more, both are emptied.
    fn drop_at(&mut self, place: usize) {
        let start: usize = self.list[..place].iter().map(|reason| reason.bytes).sum();
        let end = start + self.list.remove(place).bytes;
        if end <= self.text.len() {
            self.text.drain(start..end);
        } else {
            self.list.clear();
            self.text.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::vec::Vec;

    fn site(line: u32) -> Site {
        Site {
            module: "arch",
            line,
        }
    }

    fn due_at(reasons: &mut Reasons, position: u64) -> Vec<Vec<u8>> {
        let mut due = Vec::new();
        reasons.write_again(position, |line| {
            due.push(line.to_vec());
            position
        });
        due
    }

    #[test]
    fn a_reason_is_due_after_half_a_ring_and_then_again() {
        let mut reasons = Reasons::new();
        let half = AGAIN_AFTER_BYTES as u64;
        reasons.keep(site(1), b"one", 100);
        reasons.keep(site(2), b"two", 200);
        assert!(due_at(&mut reasons, half + 99).is_empty());
        assert_eq!(due_at(&mut reasons, half + 100), [b"one"]);
        assert_eq!(due_at(&mut reasons, half + 200), [b"two"]);
        assert_eq!(due_at(&mut reasons, 3 * half), [b"one", b"two"]);
    }

    #[test]
    fn the_newest_of_each_site_is_kept_and_the_oldest_make_room() {
        let mut reasons = Reasons::new();
        for number in 0..100 {
            reasons.keep(site(1), format!("flood {number}").as_bytes(), 0);
            reasons.keep(site(2), b"once", 0);
        }
        assert_eq!(due_at(&mut reasons, 1 << 20), [&b"flood 99"[..], b"once"]);
        for line in 0..3 {
            reasons.keep(site(10 + line), &[b'0' + line as u8; LINE_BYTES], 0);
        }
        let due = due_at(&mut reasons, 2 << 20);
        assert_eq!(due, [[b'1'; LINE_BYTES], [b'2'; LINE_BYTES]]);
        for line in 0..2 * REASONS as u32 {
            reasons.keep(site(line), b"x", 0);
        }
        assert_eq!(due_at(&mut reasons, 3 << 20).len(), REASONS);
    }

    #[test]
    fn a_line_that_is_too_long_displaces_all_and_is_not_kept() {
        let mut reasons = Reasons::new();
        reasons.keep(site(1), b"one", 0);
        reasons.keep(site(2), &[0; TEXT_BYTES + 1], 0);
        assert!(due_at(&mut reasons, 1 << 20).is_empty());
    }

    #[test]
    fn what_does_not_fit_together_is_emptied() {
        let mut reasons = Reasons::new();
        reasons.keep(site(1), b"one", 0);
        reasons.text.clear();
        assert_eq!(due_at(&mut reasons, 1 << 20), [b""]);
        reasons.keep(site(1), b"new", 0);
        assert_eq!(due_at(&mut reasons, 1 << 20), [b"new"]);
    }
}
