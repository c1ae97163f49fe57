//! Replies in RESP2, and the errors a command can end in.

use crate::host::Host;
use crate::record::ConnectionId;
use alloc::vec::Vec;

/// Replies are handed to the host when this much has come together, in bytes; a longer string goes out without being copied.
const CHUNK_BYTES: usize = 16 * 1024;
/// Elements between two signs of progress.
const PROGRESS_STEPS: u32 = 256;

/// Why a command failed: the text behind the `-`, code included.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// One of the fixed texts.
    Fixed(&'static str),
    /// A text with something of the request in it.
    Composed(Vec<u8>),
}

/// What a command's handler returns: nothing, as the reply is written already, or why there is none.
pub(crate) type Outcome = Result<(), Failure>;

impl Failure {
    pub(crate) const WRONG_TYPE: Self =
        Self::Fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub(crate) const SYNTAX: Self = Self::Fixed("ERR syntax error");
    pub(crate) const NOT_AN_INTEGER: Self =
        Self::Fixed("ERR value is not an integer or out of range");
    pub(crate) const NOT_POSITIVE: Self =
        Self::Fixed("ERR value is out of range, must be positive");
    pub(crate) const OVERFLOW: Self = Self::Fixed("ERR increment or decrement would overflow");
    pub(crate) const STRING_TOO_LONG: Self =
        Self::Fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub(crate) const OUT_OF_MEMORY: Self =
        Self::Fixed("OOM command not allowed when used memory > 'maxmemory'.");

    /// An error text put together from `parts`. It must stay one line, so CR and LF become blanks.
    pub(crate) fn composed(parts: &[&[u8]]) -> Self {
        let mut text = parts.concat();
        for byte in &mut text {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        Self::Composed(text)
    }

    fn text(&self) -> &[u8] {
        match self {
            Self::Fixed(text) => text.as_bytes(),
            Self::Composed(text) => text,
        }
    }
}

/// The way out of the state machine while it handles one record.
pub(crate) struct Output<'a> {
    host: &'a mut dyn Host,
    connection: ConnectionId,
    buffer: &'a mut Vec<u8>,
    steps: u32,
}

impl<'a> Output<'a> {
    /// `buffer` is empty; it is given back empty by [`flush`](Self::flush).
    pub(crate) fn new(
        host: &'a mut dyn Host,
        connection: ConnectionId,
        buffer: &'a mut Vec<u8>,
    ) -> Self {
        Self {
            host,
            connection,
            buffer,
            steps: 0,
        }
    }

    /// Returns the host, for what is no reply. Replies so far go out first: the host may not come back.
    pub(crate) fn host(&mut self) -> &mut dyn Host {
        self.flush();
        self.host
    }

    /// Counts one element of a loop that may be long.
    pub(crate) fn step(&mut self) {
        self.steps += 1;
        if self.steps == PROGRESS_STEPS {
            self.steps = 0;
            self.host.progress();
        }
    }

    /// Hands what has come together to the host.
    pub(crate) fn flush(&mut self) {
        if !self.buffer.is_empty() {
            self.host.reply(self.connection, self.buffer);
            self.buffer.clear();
        }
    }

    pub(crate) fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    pub(crate) fn status(&mut self, text: &str) {
        self.raw(b"+");
        self.raw(text.as_bytes());
        self.raw(b"\r\n");
    }

    pub(crate) fn failure(&mut self, failure: &Failure) {
        self.raw(b"-");
        self.raw(failure.text());
        self.raw(b"\r\n");
    }

    pub(crate) fn integer(&mut self, value: i64) {
        self.number(b':', value);
    }

    /// A count as an integer reply.
    pub(crate) fn count(&mut self, value: usize) {
        self.number(b':', value as i64);
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.raw(if value { b":1\r\n" } else { b":0\r\n" });
    }

    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.number(b'$', bytes.len() as i64);
        self.raw(bytes);
        self.raw(b"\r\n");
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    pub(crate) fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    pub(crate) fn null(&mut self) {
        self.raw(b"$-1\r\n");
    }

    pub(crate) fn null_array(&mut self) {
        self.raw(b"*-1\r\n");
    }

    /// Returns the header of an array; the elements follow.
    pub(crate) fn array(&mut self, length: usize) {
        self.number(b'*', length as i64);
    }

    fn number(&mut self, kind: u8, value: i64) {
        self.buffer.push(kind);
        self.raw(itoa::Buffer::new().format(value).as_bytes());
        self.raw(b"\r\n");
    }

    fn raw(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() <= CHUNK_BYTES {
            self.buffer.extend_from_slice(bytes);
            return;
        }
        self.flush();
        if bytes.len() <= CHUNK_BYTES {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.host.reply(self.connection, bytes);
        }
    }
}
