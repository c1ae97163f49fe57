//! Inline commands: a line split into arguments, with quotes, as Redis' `sdssplitargs` does.

use crate::Bytes;
use alloc::vec::Vec;

/// A quote is not closed, or is closed in the middle of a word.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unbalanced;

/// Appends the words of `line` to `arguments`.
pub(super) fn split(line: &[u8], arguments: &mut Vec<Bytes>) -> Result<(), Unbalanced> {
    let mut rest = line;
    loop {
        while let [blank, tail @ ..] = rest
            && is_blank(*blank)
        {
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(());
        }
        let mut word = Bytes::new();
        rest = take_word(rest, &mut word)?;
        arguments.push(word);
    }
}

/// Returns whether a byte is white space, as `isspace` in the C locale.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Reads one word; quotes may open anywhere in it, and end it where they close.
fn take_word<'a>(mut rest: &'a [u8], word: &mut Bytes) -> Result<&'a [u8], Unbalanced> {
    while let [byte, tail @ ..] = rest {
        rest = match byte {
            b' ' | b'\n' | b'\r' | b'\t' => return Ok(tail),
            b'"' => return take_double_quoted(tail, word),
            b'\'' => return take_single_quoted(tail, word),
            _ => {
                word.push(*byte);
                tail
            }
        };
    }
    Ok(rest)
}

fn take_double_quoted<'a>(mut rest: &'a [u8], word: &mut Bytes) -> Result<&'a [u8], Unbalanced> {
    loop {
        let (byte, tail) = match rest {
            [] => return Err(Unbalanced),
            [b'"', tail @ ..] => return behind_quote(tail),
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex_digit(*high) << 4 | hex_digit(*low), tail)
            }
            [b'\\', escaped, tail @ ..] => (unescape(*escaped), tail),
            [byte, tail @ ..] => (*byte, tail),
        };
        word.push(byte);
        rest = tail;
    }
}

fn take_single_quoted<'a>(mut rest: &'a [u8], word: &mut Bytes) -> Result<&'a [u8], Unbalanced> {
    loop {
        let (byte, tail) = match rest {
            [] => return Err(Unbalanced),
            [b'\'', tail @ ..] => return behind_quote(tail),
            [b'\\', b'\'', tail @ ..] => (b'\'', tail),
            [byte, tail @ ..] => (*byte, tail),
        };
        word.push(byte);
        rest = tail;
    }
}

/// Returns what follows a closing quote, which must end the word.
fn behind_quote(rest: &[u8]) -> Result<&[u8], Unbalanced> {
    match rest {
        [byte, ..] if !is_blank(*byte) => Err(Unbalanced),
        _ => Ok(rest),
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
        let mut out = vec![];
        split(line, &mut out)?;
        Ok(out.into_iter().map(|word| word.to_vec()).collect())
    }

    #[test]
    fn words_quotes_and_escapes() {
        let cases: [(&[u8], &[&[u8]]); 8] = [
            (b"", &[]),
            (b" \t\x0b ", &[]),
            (b"set a  b", &[b"set", b"a", b"b"]),
            (br#"set "a b" 'c d'"#, &[b"set", b"a b", b"c d"]),
            (br#""\x41\n\r\t\b\a\q\"""#, &[b"A\n\r\t\x08\x07q\""]),
            (br#"'\n\''"#, &[b"\\n'"]),
            (br#"x"y z" w"#, &[b"xy z", b"w"]),
            (b"\"\" ''", &[b"", b""]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line).unwrap(), expected, "{line:?}");
        }
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [
            &b"\"abc"[..],
            b"'abc",
            b"\"abc\"d",
            b"'abc'd",
            b"\"abc\\",
            b"'a\\'",
        ] {
            assert_eq!(words(line), Err(Unbalanced), "{line:?}");
        }
    }
}
