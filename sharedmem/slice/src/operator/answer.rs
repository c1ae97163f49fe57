//! The form of the monitor's answers to orders about a slice's log and results: text, of at most 256 bytes.

use core::fmt;

use alloc::vec::Vec;

/// A piece of a log: where it begins, where the next one does, and the text, which ends before a line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPiece<'a> {
    /// Where it begins, in bytes since the log's beginning.
    pub start: u64,
    /// Where the next one begins.
    pub next: u64,
    /// The text, without the line end.
    pub text: &'a str,
}

impl fmt::Display for LogPiece<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.start, self.next, self.text)
    }
}

impl<'a> LogPiece<'a> {
    /// Reads an answer; `None` if it is none.
    pub fn parse(answer: &'a str) -> Option<Self> {
        let mut parts = answer.splitn(3, ' ');
        let [start, next] = [parts.next()?.parse().ok()?, parts.next()?.parse().ok()?];
        let text = parts.next().unwrap_or("");
        Some(Self { start, next, text })
    }

    /// Says whether a line ends behind it: the line end was taken too.
    pub fn ends_line(&self) -> bool {
        self.next.saturating_sub(self.start) > self.text.len() as u64
    }
}

/// A piece of a result: the committed step, the length of the whole result in bytes, and bytes of it in hexadecimal
/// digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultText {
    /// The step that it is of.
    pub step: u64,
    /// The length of the whole result, in bytes.
    pub length: u64,
    /// The piece; never empty.
    pub bytes: Vec<u8>,
}

impl fmt::Display for ResultText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.step, self.length)?;
        self.bytes
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl ResultText {
    /// Reads an answer; `None` if it is none.
    pub fn parse(answer: &str) -> Option<Self> {
        let mut parts = answer.split(' ');
        let [step, length] = [parts.next()?.parse().ok()?, parts.next()?.parse().ok()?];
        let (pairs, rest) = parts.next()?.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        let bytes = bytes.filter(|it| !it.is_empty() && rest.is_empty())?;
        Some(Self {
            step,
            length,
            bytes,
        })
    }
}
