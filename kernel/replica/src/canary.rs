//! The canary: a request that a primary gives itself, to see that its service answers.
//!
//! It goes the way of every request: it is journaled, parsed, applied and replied to. It asks for a number that
//! changes, so a reply that was left over is no answer. A backup applies the record too, and ignores the reply.

use core::fmt;

/// Time between two canaries, in ns.
const CANARY_INTERVAL_NS: u64 = 100_000_000;

/// Digits of a canary's number: those of the largest `u64`.
const DIGITS: usize = 20;
/// What comes before the number in the request.
const REQUEST_HEAD: &[u8] = b"*2\r\n$4\r\nECHO\r\n$20\r\n";
/// What comes before the number in the reply.
const REPLY_HEAD: &[u8] = b"$20\r\n";
const LINE_END: &[u8] = b"\r\n";
const REQUEST_BYTES: usize = REQUEST_HEAD.len() + DIGITS + LINE_END.len();
const REPLY_BYTES: usize = REPLY_HEAD.len() + DIGITS + LINE_END.len();

/// Why the service counts as dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanaryError {
    /// There was no reply.
    NoReply,
    /// There was another reply.
    WrongReply,
}

impl fmt::Display for CanaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoReply => "the service does not answer: the canary got no reply",
            Self::WrongReply => "the service does not answer: the canary got a wrong reply",
        })
    }
}

/// When canaries are due, and what the last one came to.
pub(crate) struct CanaryWatch {
    verdict: Result<(), CanaryError>,
    /// When the next one is due, in ns since the machine's boot.
    due_ns: u64,
}

impl CanaryWatch {
    /// Begins at `now_ns`.
    pub fn new(now_ns: u64) -> Self {
        Self {
            verdict: Ok(()),
            due_ns: now_ns.saturating_add(CANARY_INTERVAL_NS),
        }
    }

    /// Returns whether a canary is to be given now. If so, the next one is due an interval later.
    pub fn begin(&mut self, now_ns: u64) -> bool {
        let is_due = now_ns >= self.due_ns;
        if is_due {
            self.due_ns = now_ns.saturating_add(CANARY_INTERVAL_NS);
        }
        is_due
    }

    /// Notes what the canary came to that was given last.
    pub fn end(&mut self, verdict: Result<(), CanaryError>) {
        self.verdict = verdict;
    }

    /// Says what the last canary came to. It is said until the next one: whoever has to wait for a backup dies as soon
    /// as there is one, before that backup finds the states to differ and is lost as well.
    ///
    /// # Errors
    /// The service did not answer it.
    pub fn verdict(&self) -> Result<(), CanaryError> {
        self.verdict
    }
}

/// Returns the request with this number.
pub(crate) fn request(number: u64) -> [u8; REQUEST_BYTES] {
    joined(REQUEST_HEAD, number)
}

/// The reply to the last canary, as far as it has come.
#[derive(Default)]
pub(crate) struct CanaryReply {
    bytes: [u8; REPLY_BYTES],
    /// Number of bytes that came. More than a reply may have are counted and not kept.
    length: usize,
}

impl CanaryReply {
    /// Forgets what has come.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the next bytes. A reply may come in pieces.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = *byte;
            }
            self.length = self.length.saturating_add(1);
        }
    }

    /// Checks that this is the reply to the canary of this number, and nothing else.
    ///
    /// # Errors
    /// Nothing came, or something else.
    pub fn check(&self, number: u64) -> Result<(), CanaryError> {
        if self.length == 0 {
            return Err(CanaryError::NoReply);
        }
        let expected: [u8; REPLY_BYTES] = joined(REPLY_HEAD, number);
        (self.length == REPLY_BYTES && self.bytes == expected)
            .then_some(())
            .ok_or(CanaryError::WrongReply)
    }
}

/// Returns `head`, the number in 20 digits, and the end of a line.
fn joined<const BYTES: usize>(head: &[u8], number: u64) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let (first, rest) = bytes.split_at_mut(head.len());
    first.copy_from_slice(head);
    let (digits, end) = rest.split_at_mut(DIGITS);
    let mut left = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    end.copy_from_slice(LINE_END);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nobody_answers_is_said_until_somebody_does() {
        let mut watch = CanaryWatch::new(5);
        assert!(!watch.begin(5 + CANARY_INTERVAL_NS - 1));
        assert!(watch.begin(5 + CANARY_INTERVAL_NS));
        watch.end(Err(CanaryError::NoReply));
        for _ in 0..3 {
            assert!(!watch.begin(6 + CANARY_INTERVAL_NS));
            assert_eq!(watch.verdict(), Err(CanaryError::NoReply));
        }
        assert!(watch.begin(5 + 2 * CANARY_INTERVAL_NS));
        watch.end(Ok(()));
        assert_eq!(watch.verdict(), Ok(()));
    }

    fn replied(pieces: &[&[u8]]) -> CanaryReply {
        let mut reply = CanaryReply::default();
        pieces.iter().for_each(|piece| reply.push(piece));
        reply
    }

    #[test]
    fn only_the_right_reply_counts() {
        let right = b"$20\r\n00000000000000001234\r\n";
        assert_eq!(
            &request(1234)[..],
            b"*2\r\n$4\r\nECHO\r\n$20\r\n00000000000000001234\r\n"
        );
        assert_eq!(replied(&[right]).check(1234), Ok(()));
        assert_eq!(replied(&[&right[..3], &right[3..]]).check(1234), Ok(()));
        assert_eq!(replied(&[]).check(1234), Err(CanaryError::NoReply));
        let wrong: [&[&[u8]]; 5] = [
            &[right, b"x"],
            &[&right[..26]],
            &[b"$20\r\n00000000000000001235\r\n"],
            &[b"-NOAUTH Authentication required.\r\n"],
            &[&[0; 1000], right],
        ];
        for pieces in wrong {
            assert_eq!(replied(pieces).check(1234), Err(CanaryError::WrongReply));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_reply_is_found() {
        let right: [u8; REPLY_BYTES] = joined(REPLY_HEAD, u64::MAX);
        for bit in 0..REPLY_BYTES * 8 {
            let mut flipped = right;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = replied(&[&flipped]).check(u64::MAX);
            assert_eq!(found, Err(CanaryError::WrongReply), "bit {bit}");
        }
    }

    #[test]
    fn a_cleared_reply_is_none() {
        let mut reply = replied(&[b"$20\r\n00000000000000001234\r\n"]);
        reply.clear();
        assert_eq!(reply.check(1234), Err(CanaryError::NoReply));
    }
}
