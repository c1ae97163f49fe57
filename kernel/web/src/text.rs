//! Makes text from elsewhere harmless.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Returns the last `count` lines of a log, without control characters.
pub(crate) fn last_lines(bytes: &[u8], count: usize) -> Vec<String> {
    let text = printable(bytes);
    let lines: Vec<&str> = text.lines().collect();
    let newest = lines.len().saturating_sub(count);
    lines[newest..]
        .iter()
        .map(|line| String::from(*line))
        .collect()
}

/// Returns bytes as text, with control characters replaced, except ends of lines and tabs.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let is_harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| {
            if is_harmful(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// Displays something with HTML's special characters escaped, for text and attributes.
pub(crate) struct Escaped<T>(pub T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::write(&mut Escaper(f), format_args!("{}", self.0))
    }
}

struct Escaper<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '&' => self.0.write_str("&amp;"),
            '<' => self.0.write_str("&lt;"),
            '>' => self.0.write_str("&gt;"),
            '"' => self.0.write_str("&quot;"),
            '\'' => self.0.write_str("&#39;"),
            c => fmt::Write::write_char(self.0, c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_page_cannot_be_broken_out_of() {
        assert_eq!(
            Escaped("<b a='1' c=\"2\">&amp;").to_string(),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;"
        );
    }

    #[test]
    fn the_last_lines_are_plain_text() {
        let log = b"cut off\nfirst\nsecond \x1b[2J\xff\n";
        assert_eq!(last_lines(log, 2), ["first", "second \u{fffd}[2J\u{fffd}"]);
        assert_eq!(last_lines(log, 9).len(), 3);
        assert_eq!(last_lines(b"", 9), [""; 0]);
    }
}
