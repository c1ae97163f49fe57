//! Replies: what they must be, and where they end.

/// What a reply must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// These bytes.
    Exact(Vec<u8>),
    /// A number, larger than the last one of this client, that no other reply to anybody was.
    SharedCount,
    /// Accepted, or an error.
    Anything,
    /// Some text: what it says is not known, but it must be the same whoever says it.
    Text,
}

impl Expected {
    /// A number.
    pub fn number(number: u64) -> Self {
        Self::Exact(format!(":{number}\r\n").into_bytes())
    }

    /// A text.
    pub fn bulk(value: &[u8]) -> Self {
        let mut bytes = format!("${}\r\n", value.len()).into_bytes();
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
        Self::Exact(bytes)
    }
}

/// Length of the reply that `bytes` begin with, if it is there as a whole.
pub fn reply_length(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|two| two == b"\r\n")? + 2;
    if bytes[0] != b'$' {
        return Some(line);
    }
    let text = str::from_utf8(&bytes[1..line - 2]).ok()?;
    let length: i64 = text.parse().ok()?;
    let end = if length < 0 {
        line
    } else {
        line + length as usize + 2
    };
    (end <= bytes.len()).then_some(end)
}
