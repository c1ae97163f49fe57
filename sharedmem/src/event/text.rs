//! Text of bounded length, and its quotes and escapes.

use core::fmt::{self, Write};
use core::str::Chars;

use arrayvec::ArrayString;

use super::{Form, RawValue, Value};

/// Maximum number of bytes that a [`Text`] takes in a line, escapes included, quotes not.
pub const TEXT_BYTES_MAX: usize = 384;

/// The end of a text that was too long.
const ELLIPSIS: &str = "...";

/// Any text. If it would take more than `BYTES` bytes in a line, it is cut off and ends with `...`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text<const BYTES: usize = TEXT_BYTES_MAX>(ArrayString<BYTES>);

/// A short text: a name, or a few words.
pub type Word = Text<64>;

impl<const BYTES: usize> Text<BYTES> {
    /// Returns what `value` displays.
    pub fn of(value: impl fmt::Display) -> Self {
        let mut builder = Builder::default();
        match write!(builder, "{value}") {
            Ok(()) => Self(builder.content),
            Err(fmt::Error) => builder.cut(),
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it can be written without quotes.
    fn is_bare(&self) -> bool {
        let is_plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'=' | b';' | b'\\');
        !self.0.is_empty() && self.0.bytes().all(is_plain)
    }
}

impl<const BYTES: usize> From<&str> for Text<BYTES> {
    fn from(text: &str) -> Self {
        Self::of(text)
    }
}

impl<const BYTES: usize> fmt::Display for Text<BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const BYTES: usize> PartialEq<str> for Text<BYTES> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl<const BYTES: usize> PartialEq<&str> for Text<BYTES> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl<const BYTES: usize> Value for Text<BYTES> {
    const FORM: Form = Form::Described("text");
    const BYTES_MAX: usize = BYTES + "\"\"".len();

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_bare() {
            return f.write_str(self.as_str());
        }
        f.write_char('"')?;
        match needs_no_escape(&self.0) {
            true => f.write_str(&self.0)?,
            false => (self.0.chars().flat_map(escapes)).try_for_each(|c| f.write_char(c))?,
        }
        f.write_char('"')
    }

    fn read(raw: RawValue<'_>) -> Option<Self> {
        match raw {
            RawValue::Bare(text) => read_all(text.chars().map(Some)).filter(Self::is_bare),
            RawValue::Quoted(text) => read_all(Unescape(text.chars())),
        }
    }
}

/// Makes a text of characters; `None` if one is invalid, or if the text is longer than any that is written.
fn read_all<const BYTES: usize>(chars: impl Iterator<Item = Option<char>>) -> Option<Text<BYTES>> {
    let mut builder = Builder::default();
    for c in chars {
        builder.write_char(c?).ok()?;
    }
    Some(Text(builder.content))
}

/// Collects characters while the line has room for them.
#[derive(Default)]
struct Builder<const BYTES: usize> {
    content: ArrayString<BYTES>,
    /// Number of bytes that `content` takes in a line.
    written_bytes: usize,
}

impl<const BYTES: usize> Builder<BYTES> {
    /// Ends a text that is too long.
    fn cut(mut self) -> Text<BYTES> {
        while self.written_bytes + ELLIPSIS.len() > BYTES {
            let Some(c) = self.content.pop() else { break };
            self.written_bytes -= written_bytes(c);
        }
        self.content.push_str(ELLIPSIS);
        Text(self.content)
    }
}

impl<const BYTES: usize> Write for Builder<BYTES> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Takes the usual text at once: events are written on the way of a takeover.
        if needs_no_escape(text) && self.written_bytes + text.len() <= BYTES {
            self.content.push_str(text);
            self.written_bytes += text.len();
            return Ok(());
        }
        text.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        let written_bytes = self.written_bytes + written_bytes(c);
        if written_bytes > BYTES {
            return Err(fmt::Error);
        }
        self.content.push(c);
        self.written_bytes = written_bytes;
        Ok(())
    }
}

/// Returns how many bytes `c` takes between quotes.
fn written_bytes(c: char) -> usize {
    escapes(c).map(char::len_utf8).sum()
}

/// Returns whether every character of `text` is written as it is.
fn needs_no_escape(text: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    text.bytes().all(is_plain)
}

/// Returns the characters that stand for `c` between quotes.
fn escapes(c: char) -> impl Iterator<Item = char> {
    // A single quote needs no escape between double quotes.
    let (plain, escaped) = match c {
        '\'' => (Some(c), None),
        _ => (None, Some(c.escape_debug())),
    };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// Reads the characters between quotes; `None` for an invalid escape.
struct Unescape<'a>(Chars<'a>);

impl Iterator for Unescape<'_> {
    type Item = Option<char>;

    fn next(&mut self) -> Option<Option<char>> {
        match self.0.next()? {
            '\\' => Some(self.escaped()),
            c => Some(Some(c)),
        }
    }
}

impl Unescape<'_> {
    /// Reads what follows a backslash.
    fn escaped(&mut self) -> Option<char> {
        match self.0.next()? {
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            '0' => Some('\0'),
            c @ ('"' | '\\') => Some(c),
            'u' => {
                let (digits, behind) = self.0.as_str().strip_prefix('{')?.split_once('}')?;
                self.0 = behind.chars();
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)
            }
            _ => None,
        }
    }
}
