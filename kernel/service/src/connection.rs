//! What the service knows about a client.

use crate::parser::Parser;
use crate::record::ConnectionId;
use crate::store::Bytes;
use alloc::collections::BTreeMap;
use core::fmt;

/// All connections, in the order of their numbers, so that `CLIENT LIST` is the same on every kernel.
pub(crate) type Connections = BTreeMap<ConnectionId, Connection>;

pub(crate) struct Connection {
    pub(crate) peer: Peer,
    pub(crate) opened_ms: u64,
    pub(crate) last_input_ms: u64,
    pub(crate) parser: Parser,
    pub(crate) name: Bytes,
    pub(crate) last_command: &'static str,
    pub(crate) no_evict: bool,
}

impl Connection {
    /// The last command in `CLIENT LIST` of a client that has sent none.
    pub(crate) const NO_COMMAND: &'static str = "NULL";

    pub(crate) fn new(peer: [u8; 6], now_ms: u64) -> Self {
        Self {
            peer: Peer(peer),
            opened_ms: now_ms,
            last_input_ms: now_ms,
            parser: Parser::default(),
            name: Bytes::new(),
            last_command: Self::NO_COMMAND,
            no_evict: false,
        }
    }
}

/// IPv4 address and port, in network order.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) [u8; 6]);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([a, b, c, d, high, low]) = *self;
        write!(f, "{a}.{b}.{c}.{d}:{}", u16::from_be_bytes([high, low]))
    }
}
