//! Short texts in shared memory: names, versions, arguments.

use core::array;

use crate::layout::{Element, FieldType};
use crate::sync::{AtomicU64, Ordering};

/// A text of printable ASCII in `WORDS` words, padded with zeros; only zeros if it is empty.
#[repr(C)]
#[derive(Debug)]
pub struct PlainText<const WORDS: usize>([AtomicU64; WORDS]);

impl<const WORDS: usize> FieldType for PlainText<WORDS> {
    const ELEMENT: Element = Element::U64;
    const COUNT: Option<usize> = Some(WORDS);
}

impl<const WORDS: usize> Default for PlainText<WORDS> {
    fn default() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const WORDS: usize> PlainText<WORDS> {
    /// Maximum length of the text, in bytes.
    pub const BYTES: usize = WORDS * 8;

    /// Returns whether `text` reads back as it is: it is printable ASCII and not too long.
    pub fn fits(text: &str) -> bool {
        text.len() <= Self::BYTES && text.bytes().all(|byte| is_plain(&byte))
    }

    /// Writes a text; `""` if there is none. What is too long is cut off: see [`fits`](Self::fits).
    pub fn set(&self, text: &str) {
        let mut words = [[0; 8]; WORDS];
        for (to, from) in words.as_flattened_mut().iter_mut().zip(text.bytes()) {
            *to = from;
        }
        for (word, eight) in self.0.iter().zip(words) {
            word.store(u64::from_le_bytes(eight), Ordering::Relaxed);
        }
    }

    /// Reads the text. One that is being written may come out mixed.
    pub fn get(&self) -> Plain<WORDS> {
        Plain(array::from_fn(|index| {
            self.0[index].load(Ordering::Relaxed).to_le_bytes()
        }))
    }
}

/// A text as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain<const WORDS: usize>([[u8; 8]; WORDS]);

impl<const WORDS: usize> Plain<WORDS> {
    /// Returns it, as far as it is printable ASCII; empty if there is none.
    pub fn as_str(&self) -> &str {
        let bytes = self.0.as_flattened();
        let length = bytes.iter().take_while(|byte| is_plain(byte)).count();
        core::str::from_utf8(&bytes[..length]).unwrap_or("")
    }
}

fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_graphic() || *byte == b' '
}

#[cfg(test)]
mod tests {
    use super::*;

    type Text = PlainText<8>;

    #[test]
    fn a_text_is_read_as_it_was_written_and_cut_where_it_is_too_long() {
        let text = Text::default();
        assert_eq!(text.get().as_str(), "");
        for version in ["Linux 6.12.48+deb13-cloud-amd64", "0.1.0", ""] {
            assert!(Text::fits(version));
            text.set(version);
            assert_eq!(text.get().as_str(), version);
        }
        let long = "x".repeat(Text::BYTES + 1);
        assert!(!Text::fits(&long) && Text::fits(&long[1..]));
        text.set(&long);
        assert_eq!(text.get().as_str().len(), Text::BYTES);
    }

    #[test]
    fn what_no_terminal_should_see_ends_the_text() {
        let text = Text::default();
        assert!(!Text::fits("6.1\x1b[2J") && !Text::fits("é"));
        text.set("6.1\x1b[2J");
        assert_eq!(text.get().as_str(), "6.1");
    }
}
