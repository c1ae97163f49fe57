//! Running checksums of what a client sent, and of what came back. After one byte that is lost, doubled or moved
//! anywhere, the two never agree again.

use std::fmt;

use crc::{CRC_64_XZ, Crc, Digest};

static CRC: Crc<u64> = Crc::<u64>::new(&CRC_64_XZ);

/// One of either direction.
#[derive(Clone)]
pub struct Checksums {
    sent: Digest<'static, u64>,
    returned: Digest<'static, u64>,
    bytes: u64,
}

impl Default for Checksums {
    /// Begins with nothing sent.
    fn default() -> Self {
        Self {
            sent: CRC.digest(),
            returned: CRC.digest(),
            bytes: 0,
        }
    }
}

impl Checksums {
    /// Adds bytes that were sent to the service.
    pub fn send(&mut self, bytes: &[u8]) {
        self.sent.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Adds bytes that came back.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.returned.update(bytes);
    }

    /// Returns the seed of the next bytes. It depends on all that has come back, so what is wrong once stays wrong.
    pub fn seed(&self) -> u64 {
        self.returned.clone().finalize()
    }

    /// Says whether what came back is what was sent.
    pub fn agree(&self) -> bool {
        self.sent.clone().finalize() == self.seed()
    }
}

impl fmt::Debug for Checksums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.sent.clone().finalize();
        let returned = self.seed();
        write!(
            f,
            "{sent:016x} of {} bytes sent, {returned:016x} of what came back",
            self.bytes
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_agree_however_the_bytes_are_cut_and_on_nothing_else() {
        let of = |sent: &[&[u8]], returned: &[&[u8]]| {
            let mut checksums = Checksums::default();
            sent.iter().for_each(|bytes| checksums.send(bytes));
            returned.iter().for_each(|bytes| checksums.receive(bytes));
            checksums.agree()
        };
        assert!(of(&[], &[]));
        assert!(of(&[b"abc", b"def"], &[b"a", b"bcde", b"f"]));
        for returned in [&b"abcde"[..], b"abcdeff", b"abdcef", b"abcdeg"] {
            assert!(!of(&[b"abc", b"def"], &[returned]), "{returned:?}");
        }
    }
}
