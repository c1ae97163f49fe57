//! Replies in RESP2 and RESP3, and the errors a command can end in.

use crate::decimal;
use alloc::vec::Vec;
use keyspace::WrongType;
use resp::Step;
use serde::{Deserialize, Serialize};
use service_records::host::Host;
use service_records::record::ConnectionId;

/// Replies are collected up to this size, in bytes, and then handed to the host. A longer string is not copied.
const CHUNK_BYTES: usize = 16 * 1024;
/// Number of elements between two calls of [`Host::progress`].
const PROGRESS_STEPS: u32 = 256;

/// The protocol of a client's replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// What every client begins with.
    #[default]
    Resp2,
    /// What a client chooses by `HELLO 3`.
    Resp3,
}

impl Protocol {
    /// Returns its number.
    pub fn version(self) -> u8 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// Why a command failed: the text behind the `-`, code included.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// One of the fixed texts.
    Fixed(&'static str),
    /// A text that contains a part of the request.
    Composed(Vec<u8>),
}

/// What a command returns: nothing, because the reply is written already, or why it failed.
pub type Outcome = Result<(), Failure>;

impl From<WrongType> for Failure {
    fn from(WrongType: WrongType) -> Self {
        Self::WRONG_TYPE
    }
}

impl Failure {
    /// The key has a value of another type.
    pub const WRONG_TYPE: Self =
        Self::Fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// The arguments are not those of the command.
    pub const SYNTAX: Self = Self::Fixed("ERR syntax error");
    /// An argument is no integer.
    pub const NOT_AN_INTEGER: Self = Self::Fixed("ERR value is not an integer or out of range");
    /// An argument is negative.
    pub const NOT_POSITIVE: Self = Self::Fixed("ERR value is out of range, must be positive");
    /// An argument is no number.
    pub const NOT_A_FLOAT: Self = Self::Fixed("ERR value is not a valid float");
    /// The sum is no finite number.
    pub const INFINITE: Self = Self::Fixed("ERR increment would produce NaN or Infinity");
    /// The key is not there.
    pub const NO_SUCH_KEY: Self = Self::Fixed("ERR no such key");
    /// The sum is no 64-bit integer.
    pub const OVERFLOW: Self = Self::Fixed("ERR increment or decrement would overflow");
    /// The string would be longer than a client may send one.
    pub const STRING_TOO_LONG: Self =
        Self::Fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    /// There is no memory for what is to be stored.
    pub const OUT_OF_MEMORY: Self =
        Self::Fixed("OOM command not allowed when used memory > 'maxmemory'.");

    /// Makes an error text of `parts`. It must stay one line, so CR and LF become blanks.
    pub fn composed(parts: &[&[u8]]) -> Self {
        let mut text = parts.concat();
        for byte in &mut text {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        Self::Composed(text)
    }

    /// Returns it as a reply.
    pub fn line(&self) -> Vec<u8> {
        [b"-", self.text(), b"\r\n"].concat()
    }

    /// Returns the text, without the `-`.
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Fixed(text) => text.as_bytes(),
            Self::Composed(text) => text,
        }
    }
}

/// The replies and requests of the state machine, on their way to the host while one record is applied.
pub struct Output<'a> {
    host: &'a mut dyn Host,
    connection: ConnectionId,
    protocol: Protocol,
    /// Whether replies are dropped.
    is_mute: bool,
    buffer: &'a mut Vec<u8>,
    steps: u32,
}

impl<'a> Output<'a> {
    /// Makes an output to `connection`. `buffer` is empty, and is empty again after [`flush`](Self::flush).
    pub fn new(
        host: &'a mut dyn Host,
        connection: ConnectionId,
        protocol: Protocol,
        buffer: &'a mut Vec<u8>,
    ) -> Self {
        Self {
            host,
            connection,
            protocol,
            is_mute: false,
            buffer,
            steps: 0,
        }
    }

    /// Returns the host, for requests other than replies. Replies so far are handed over first, because the host may
    /// not return.
    pub fn host(&mut self) -> &mut dyn Host {
        self.flush();
        self.host
    }

    /// Hands the collected replies to the host.
    pub fn flush(&mut self) {
        if !self.buffer.is_empty() {
            self.host.reply(self.connection, self.buffer);
            self.buffer.clear();
        }
    }

    /// Chooses the protocol of the replies from here on.
    pub fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Drops replies from here on, or does not.
    pub fn mute(&mut self, is_mute: bool) {
        self.is_mute = is_mute;
    }

    /// Writes what a client gets without having asked: it gets that even if it wants no replies.
    pub fn unasked(&mut self, write: impl FnOnce(&mut Self)) {
        let is_mute = core::mem::replace(&mut self.is_mute, false);
        write(self);
        self.is_mute = is_mute;
    }

    /// Returns whether the client speaks RESP3.
    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// Writes what the client's protocol has for it.
    fn either(&mut self, resp2: &[u8], resp3: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.raw(resp2),
            Protocol::Resp3 => self.raw(resp3),
        }
    }

    /// Writes `OK`.
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// Writes a status.
    pub fn status(&mut self, text: &str) {
        self.raw(b"+");
        self.raw(text.as_bytes());
        self.raw(b"\r\n");
    }

    /// Writes an error.
    pub fn failure(&mut self, failure: &Failure) {
        self.raw(b"-");
        self.raw(failure.text());
        self.raw(b"\r\n");
    }

    /// Writes an integer.
    pub fn integer(&mut self, value: i64) {
        self.number(b':', value);
    }

    /// Writes a count as an integer reply.
    pub fn count(&mut self, value: usize) {
        self.number(b':', value as i64);
    }

    /// Writes 1 or 0.
    pub fn flag(&mut self, value: bool) {
        self.raw(if value { b":1\r\n" } else { b":0\r\n" });
    }

    /// Writes the header of a bulk string. Its bytes follow, and a CR and a LF.
    pub fn bulk_header(&mut self, length: usize) {
        self.number(b'$', length as i64);
    }

    /// Writes a bulk string.
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.bulk_header(bytes.len());
        self.raw(bytes);
        self.raw(b"\r\n");
    }

    /// Writes a text as a bulk string.
    pub fn text(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    /// Writes a bulk string, or null if there is none.
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// Writes null where a string could be.
    pub fn null(&mut self) {
        self.either(b"$-1\r\n", b"_\r\n");
    }

    /// Writes null where an array could be.
    pub fn null_array(&mut self) {
        self.either(b"*-1\r\n", b"_\r\n");
    }

    /// Writes the header of a map. Its keys and values follow by turns.
    pub fn map(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(2 * length),
            Protocol::Resp3 => self.number(b'%', length as i64),
        }
    }

    /// Writes the header of a set. The elements follow.
    pub fn set(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(length),
            Protocol::Resp3 => self.number(b'~', length as i64),
        }
    }

    /// Writes the header of what comes without a request. The elements follow.
    pub fn push(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(length),
            Protocol::Resp3 => self.number(b'>', length as i64),
        }
    }

    /// Writes to another client, which wants it.
    pub fn write_to(
        &mut self,
        connection: ConnectionId,
        protocol: Protocol,
        write: impl FnOnce(&mut Self),
    ) {
        self.flush();
        let own = (self.connection, self.protocol, self.is_mute);
        (self.connection, self.protocol, self.is_mute) = (connection, protocol, false);
        write(self);
        self.flush();
        (self.connection, self.protocol, self.is_mute) = own;
    }

    /// Writes the header of a text for people. Its bytes follow, and a CR and a LF.
    pub fn verbatim_header(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.bulk_header(length),
            Protocol::Resp3 => {
                self.number(b'=', length as i64 + 4);
                self.raw(b"txt:");
            }
        }
    }

    /// Writes a text for people.
    pub fn verbatim(&mut self, text: &str) {
        self.verbatim_header(text.len());
        self.raw(text.as_bytes());
        self.raw(b"\r\n");
    }

    /// Writes a number with decimals.
    pub fn double(&mut self, number: f64) {
        let text = decimal::format(number);
        match self.protocol {
            Protocol::Resp2 => self.text(&text),
            Protocol::Resp3 => {
                self.raw(b",");
                self.raw(text.as_bytes());
                self.raw(b"\r\n");
            }
        }
    }

    /// Writes a number with decimals, or null if there is none.
    pub fn double_or_null(&mut self, number: Option<f64>) {
        match number {
            Some(number) => self.double(number),
            None => self.null(),
        }
    }

    /// Writes the header of an array. The elements follow.
    pub fn array(&mut self, length: usize) {
        self.number(b'*', length as i64);
    }

    fn number(&mut self, kind: u8, value: i64) {
        self.raw(&[kind]);
        self.raw(itoa::Buffer::new().format(value).as_bytes());
        self.raw(b"\r\n");
    }

    /// Writes bytes that are a part of a reply.
    pub fn raw(&mut self, bytes: &[u8]) {
        if self.is_mute {
            return;
        }
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
