//! The text of an image's version.

use core::array;

use crate::sync::{AtomicU64, Ordering};

/// Number of words of the text.
const WORDS: usize = 8;

/// Maximum length of a version, in bytes. The rest is cut off.
pub const VERSION_BYTES: usize = WORDS * 8;

/// The text of a version, padded with zeros; only zeros if there is none.
#[repr(C)]
#[derive(Debug)]
pub struct VersionText([AtomicU64; WORDS]);

impl Default for VersionText {
    fn default() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl VersionText {
    /// Writes a version; `""` if there is none.
    pub fn set(&self, version: &str) {
        let mut bytes = [0; VERSION_BYTES];
        for (to, from) in bytes.iter_mut().zip(version.bytes()) {
            *to = from;
        }
        for (word, eight) in self.0.iter().zip(bytes.as_chunks().0) {
            word.store(u64::from_le_bytes(*eight), Ordering::Relaxed);
        }
    }

    /// Reads the version. One that is being written may come out mixed.
    pub fn get(&self) -> Version {
        let mut bytes = [0; VERSION_BYTES];
        for (eight, word) in bytes.as_chunks_mut().0.iter_mut().zip(&self.0) {
            *eight = word.load(Ordering::Relaxed).to_le_bytes();
        }
        Version(bytes)
    }
}

/// A version as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version([u8; VERSION_BYTES]);

impl Version {
    /// Returns its text, as far as it is printable ASCII; empty if there is none.
    pub fn as_str(&self) -> &str {
        let is_plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        let length = self.0.iter().take_while(|byte| is_plain(byte)).count();
        core::str::from_utf8(&self.0[..length]).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_it_was_written_and_cut_where_it_is_too_long() {
        let text = VersionText::default();
        assert_eq!(text.get().as_str(), "");
        for version in ["Linux 6.12.48+deb13-cloud-amd64", "0.1.0", ""] {
            text.set(version);
            assert_eq!(text.get().as_str(), version);
        }
        text.set(&"x".repeat(VERSION_BYTES + 1));
        assert_eq!(text.get().as_str().len(), VERSION_BYTES);
    }

    #[test]
    fn what_no_terminal_should_see_ends_the_text() {
        let text = VersionText::default();
        text.set("6.1\x1b[2J");
        assert_eq!(text.get().as_str(), "6.1");
    }
}
