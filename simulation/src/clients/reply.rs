//! Replies: what each must be, and where it ends.

/// What a reply must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// These bytes.
    Exact(Vec<u8>),
    /// A number, larger than the last one of this client, that no client has received before.
    SharedCount,
    /// Accepted, or an error.
    Anything,
    /// A text whose content the client cannot know. It must be the same when it is sent again.
    Text,
}

impl Expected {
    /// Expects this number.
    pub fn number(number: u64) -> Self {
        Self::Exact(format!(":{number}\r\n").into_bytes())
    }

    /// Expects this text.
    pub fn bulk(value: &[u8]) -> Self {
        let mut bytes = format!("${}\r\n", value.len()).into_bytes();
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
        Self::Exact(bytes)
    }
}

/// Returns the length of the reply at the beginning of `bytes`, if it is complete.
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
