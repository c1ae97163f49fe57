//! The words of a command line as a kernel takes them apart (Linux: `next_arg` in lib/cmdline.c).

use alloc::string::String;
use alloc::vec::Vec;

/// A word of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// Where it ends in the line, in bytes.
    end: usize,
    /// All of it, without the quotes around it.
    pub bytes: &'a [u8],
    /// A quote in it is not closed, so it takes all of the rest of the line.
    pub is_open: bool,
}

impl Word<'_> {
    /// Returns name and value. A quote in front of the name, or of the value, belongs to neither.
    fn parts(&self) -> (&[u8], Option<&[u8]>) {
        let Some(equals) = self.bytes.iter().position(|byte| *byte == b'=') else {
            return (self.bytes, None);
        };
        let value = &self.bytes[equals + 1..];
        let value = match value.strip_prefix(b"\"") {
            Some(inner) => inner.strip_suffix(b"\"").unwrap_or(inner),
            None => value,
        };
        (&self.bytes[..equals], Some(value))
    }

    /// Returns its name; dashes and underscores are alike in one.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(self.parts().0).replace('-', "_")
    }

    /// Returns its value, if it has one.
    pub fn value(&self) -> Option<String> {
        let value = self.parts().1?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// Returns it as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes).into_owned()
    }
}

/// Returns the words for the kernel, and where the rest begins: a double dash, from which on the words are the init
/// program's, or the end of the line.
pub(super) fn split(line: &str) -> (Vec<Word<'_>>, usize) {
    let bytes = line.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if is_blank(bytes[at]) {
            at += 1;
            continue;
        }
        let word = word_at(bytes, at);
        if word.bytes == b"--" {
            return (words, at);
        }
        at = word.end;
        words.push(word);
    }
    (words, bytes.len())
}

fn word_at(line: &[u8], start: usize) -> Word<'_> {
    let mut in_quotes = false;
    let is_end = |byte: &u8| {
        in_quotes ^= *byte == b'"';
        is_blank(*byte) && !in_quotes
    };
    let rest = &line[start..];
    let length = rest.iter().position(is_end).unwrap_or(rest.len());
    let bytes = match rest[..length].strip_prefix(b"\"") {
        Some(inner) => inner.strip_suffix(b"\"").unwrap_or(inner),
        None => &rest[..length],
    };
    Word {
        end: start + length,
        bytes,
        is_open: in_quotes,
    }
}

/// Returns what the kernel's `isspace` does: a byte of a letter beyond ASCII may be a blank, too.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0xa0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Vec<(String, Option<String>)> {
        let (words, _) = split(line);
        words.iter().map(|it| (it.name(), it.value())).collect()
    }

    #[test]
    fn words_are_what_the_kernel_takes_them_for() {
        let one = |name: &str, value: Option<&str>| [(name.into(), value.map(String::from))];
        assert_eq!(read("\"mem=4G\""), one("mem", Some("4G")));
        assert_eq!(read("mem=\"4 G\""), one("mem", Some("4 G")));
        assert_eq!(read("tsc-early-khz=\"7"), one("tsc_early_khz", Some("7")));
        assert_eq!(read(" \t quiet\n"), one("quiet", None));
        assert_eq!(read("a=\"b mem=1G\" x")[1].0, "x");
        // As the kernel sees bytes, the last one of this letter is a blank.
        assert_eq!(read("x\u{e0}mem=1G")[1].0, "mem");
    }

    #[test]
    fn a_double_dash_ends_the_kernels_words() {
        for (line, rest) in [
            ("quiet --", 6),
            ("quiet --\tsingle", 6),
            ("-- a", 0),
            ("a \"--\" b", 2),
            ("a=\"-- \" b", 9),
            ("a --b", 5),
        ] {
            assert_eq!(split(line).1, rest, "{line}");
        }
        assert!(split("a=\"b -- c").0[0].is_open);
    }

    proptest! {
        #[test]
        fn any_line_gets_an_answer(line in "[a= \t\"\u{e0}-]{0,20}") {
            let (words, rest) = split(&line);
            prop_assert!(line.is_char_boundary(rest));
            prop_assert!(words.iter().all(|word| word.end <= rest));
        }
    }
}
