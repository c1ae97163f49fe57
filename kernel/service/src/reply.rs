//! Replies in RESP2 and RESP3, and the errors a command can end in.

use crate::host::Host;
use crate::record::ConnectionId;
use crate::store::WrongType;
use alloc::vec::Vec;
use resp::Step;
use serde::{Deserialize, Serialize};

/// Replies are collected up to this size, in bytes, and then handed to the host. A longer string is not copied.
const CHUNK_BYTES: usize = 16 * 1024;
/// Number of elements between two calls of [`Host::progress`].
const PROGRESS_STEPS: u32 = 256;

/// The protocol of a client's replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Protocol {
    /// What every client begins with.
    #[default]
    Resp2,
    /// What a client chooses by `HELLO 3`.
    Resp3,
}

impl Protocol {
    /// Returns its number.
    pub(crate) fn version(self) -> u8 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// Why a command failed: the text behind the `-`, code included.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// One of the fixed texts.
    Fixed(&'static str),
    /// A text that contains a part of the request.
    Composed(Vec<u8>),
}

/// What a command returns: nothing, because the reply is written already, or why it failed.
pub(crate) type Outcome = Result<(), Failure>;

impl From<WrongType> for Failure {
    fn from(WrongType: WrongType) -> Self {
        Self::WRONG_TYPE
    }
}

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

    /// Makes an error text of `parts`. It must stay one line, so CR and LF become blanks.
    pub(crate) fn composed(parts: &[&[u8]]) -> Self {
        let mut text = parts.concat();
        for byte in &mut text {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        Self::Composed(text)
    }

    /// Returns it as a reply.
    pub(crate) fn line(&self) -> Vec<u8> {
        [b"-", self.text(), b"\r\n"].concat()
    }

    pub(crate) fn text(&self) -> &[u8] {
        match self {
            Self::Fixed(text) => text.as_bytes(),
            Self::Composed(text) => text,
        }
    }
}

/// The replies and requests of the state machine, on their way to the host while one record is applied.
pub(crate) struct Output<'a> {
    host: &'a mut dyn Host,
    connection: ConnectionId,
    protocol: Protocol,
    buffer: &'a mut Vec<u8>,
    steps: u32,
}

impl<'a> Output<'a> {
    /// Makes an output to `connection`. `buffer` is empty, and is empty again after [`flush`](Self::flush).
    pub(crate) fn new(
        host: &'a mut dyn Host,
        connection: ConnectionId,
        protocol: Protocol,
        buffer: &'a mut Vec<u8>,
    ) -> Self {
        Self {
            host,
            connection,
            protocol,
            buffer,
            steps: 0,
        }
    }

    /// Returns the host, for requests other than replies. Replies so far are handed over first, because the host may
    /// not return.
    pub(crate) fn host(&mut self) -> &mut dyn Host {
        self.flush();
        self.host
    }

    /// Hands the collected replies to the host.
    pub(crate) fn flush(&mut self) {
        if !self.buffer.is_empty() {
            self.host.reply(self.connection, self.buffer);
            self.buffer.clear();
        }
    }

    /// Chooses the protocol of the replies from here on.
    pub(crate) fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Writes what the client's protocol has for it.
    fn either(&mut self, resp2: &[u8], resp3: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.raw(resp2),
            Protocol::Resp3 => self.raw(resp3),
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

    /// Writes a count as an integer reply.
    pub(crate) fn count(&mut self, value: usize) {
        self.number(b':', value as i64);
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.raw(if value { b":1\r\n" } else { b":0\r\n" });
    }

    /// Writes the header of a bulk string. Its bytes follow, and a CR and a LF.
    pub(crate) fn bulk_header(&mut self, length: usize) {
        self.number(b'$', length as i64);
    }

    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.bulk_header(bytes.len());
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
        self.either(b"$-1\r\n", b"_\r\n");
    }

    pub(crate) fn null_array(&mut self) {
        self.either(b"*-1\r\n", b"_\r\n");
    }

    /// Writes the header of a map. Its keys and values follow by turns.
    pub(crate) fn map(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(2 * length),
            Protocol::Resp3 => self.number(b'%', length as i64),
        }
    }

    /// Writes the header of a set. The elements follow.
    pub(crate) fn set(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(length),
            Protocol::Resp3 => self.number(b'~', length as i64),
        }
    }

    /// Writes the header of a text for people. Its bytes follow, and a CR and a LF.
    pub(crate) fn verbatim_header(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.bulk_header(length),
            Protocol::Resp3 => {
                self.number(b'=', length as i64 + 4);
                self.raw(b"txt:");
            }
        }
    }

    /// Writes a text for people.
    pub(crate) fn verbatim(&mut self, text: &str) {
        self.verbatim_header(text.len());
        self.raw(text.as_bytes());
        self.raw(b"\r\n");
    }

    /// Writes the header of an array. The elements follow.
    pub(crate) fn array(&mut self, length: usize) {
        self.number(b'*', length as i64);
    }

    fn number(&mut self, kind: u8, value: i64) {
        self.buffer.push(kind);
        self.raw(itoa::Buffer::new().format(value).as_bytes());
        self.raw(b"\r\n");
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
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

impl Step for Output<'_> {
    fn step(&mut self) {
        self.steps += 1;
        if self.steps == PROGRESS_STEPS {
            self.steps = 0;
            self.host.progress();
        }
    }
}
