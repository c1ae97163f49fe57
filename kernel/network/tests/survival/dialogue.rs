//! What client and service send each other: a running checksum in both directions, so that a byte that is lost,
//! doubled or moved changes everything after it.

/// Ends the connection from the service's side.
pub const FAREWELL: u8 = b'!';
/// Asks for a long answer.
pub const LONG: u8 = b'\n';
const LONG_BYTES: usize = 5000;

/// The service's side of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialogue {
    hash: u64,
}

impl Dialogue {
    /// Appends the answer to `bytes` to `out`. Returns whether the service closes the connection then.
    pub fn answer(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        for &byte in bytes {
            self.mix(byte);
            out.push(self.digest());
            match byte {
                LONG => {
                    for index in 0..LONG_BYTES {
                        self.mix(index as u8);
                        out.push(self.digest());
                    }
                }
                FAREWELL => return true,
                _ => {}
            }
        }
        false
    }

    fn mix(&mut self, byte: u8) {
        self.hash = (self.hash ^ u64::from(byte))
            .wrapping_mul(0x0000_0100_0000_01b3)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
    }

    fn digest(&self) -> u8 {
        (self.hash >> 40) as u8
    }
}

/// A generator of numbers that look random (xorshift64*).
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}
