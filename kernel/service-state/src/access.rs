//! Who may use the service: the password, and the network that is near enough to need none.

use alloc::boxed::Box;
use core::fmt;

/// The password of the default user, Redis' `requirepass`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<[u8]>);

impl Password {
    /// Takes a password.
    pub fn new(password: &str) -> Self {
        Self(password.as_bytes().into())
    }

    /// Returns whether `given` is the password. The time depends on the length of `given` only, not on where the two
    /// differ.
    pub fn is(&self, given: &[u8]) -> bool {
        let mut difference = usize::from(given.len() != self.0.len());
        for (at, byte) in given.iter().enumerate() {
            // A password has a byte at least, so the remainder exists; the lengths are compared above.
            let own = self.0.get(at % self.0.len().max(1)).copied().unwrap_or(0);
            difference |= usize::from(core::hint::black_box(own ^ byte));
        }
        difference == 0 && !self.0.is_empty()
    }
}

/// Never shows it.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// An IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// An address in it.
    pub address: [u8; 4],
    /// Bits of its mask, at most 32.
    pub prefix_bits: u8,
}

impl Network {
    /// Returns whether it contains an address.
    pub fn contains(&self, address: [u8; 4]) -> bool {
        let differing = u32::from_be_bytes(address) ^ u32::from_be_bytes(self.address);
        differing.leading_zeros() >= u32::from(self.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_is_the_password() {
        let password = Password::new("open sesame");
        assert!(password.is(b"open sesame"));
        for wrong in [
            &b""[..],
            b"o",
            b"open sesamE",
            b"Open sesame",
            b"open sesame\0",
            b"open sesameopen sesame",
        ] {
            assert!(!password.is(wrong), "{wrong:?}");
        }
        assert!(!Password::new("").is(b""));
        assert_eq!(alloc::format!("{password:?}"), "Password(..)");
    }

    #[test]
    fn a_network_contains_what_its_mask_says() {
        let network = |prefix_bits| Network {
            address: [10, 0, 2, 15],
            prefix_bits,
        };
        assert!(network(24).contains([10, 0, 2, 255]));
        assert!(!network(24).contains([10, 0, 3, 15]));
        assert!(network(32).contains([10, 0, 2, 15]));
        assert!(!network(32).contains([10, 0, 2, 14]));
        assert!(network(0).contains([192, 168, 0, 1]));
    }
}
