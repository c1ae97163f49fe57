//! Clients.

use crate::blocked::Blocked;
use crate::record::ConnectionId;
use crate::store::{Bytes, Keyspace};
use crate::subscriptions::Subscriptions;
use crate::transaction::{Transaction, WatchList};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::fmt;
use key_commands::Protocol;
use resp::{Parser, heap_bytes};
use serde::{Deserialize, Serialize};

/// All connections, in the order of their numbers, so that `CLIENT LIST` is the same on every kernel.
pub type Connections = BTreeMap<ConnectionId, Connection>;

/// What the service knows about a client.
pub struct Connection {
    /// Its address and port.
    pub peer: Peer,
    /// When it connected, in ms since 1970.
    pub opened_ms: u64,
    /// When it sent something for the last time, in ms since 1970.
    pub last_input_ms: u64,
    /// The database that it has selected.
    pub database: usize,
    /// The protocol of its replies.
    pub protocol: Protocol,
    /// Its incomplete request.
    pub parser: Parser,
    /// The name that it has given itself.
    pub name: Bytes,
    /// The name of its last command.
    pub last_command: &'static str,
    /// Whether it has said `CLIENT NO-EVICT on`.
    pub no_evict: bool,
    /// Whether it has given the password, or needs none.
    pub is_authenticated: bool,
    /// What it has begun by `MULTI`.
    pub transaction: Option<Box<Transaction>>,
    /// The keys that it watches.
    pub watches: WatchList,
    /// What it waits for.
    pub blocked: Option<Box<Blocked>>,
    /// What it subscribes to.
    pub subscriptions: Subscriptions,
    /// Which replies it wants.
    pub replies: Replies,
}

/// The connection on which commands from the console come in. The console belongs to who owns the machine: it needs no
/// password, and may give the operator's orders.
pub const CONSOLE: ConnectionId = 0;

/// The connection of the canaries: requests by which a primary checks that its service answers. It is never opened;
/// each canary is one whole request. No client can have this number.
pub const CANARY: ConnectionId = u64::MAX;

/// A client that has sent nothing for so long, in ms, does not finish its request soon.
const STALLED_MS: u64 = 1_000;

impl Connection {
    /// The last command in `CLIENT LIST` of a client that has sent none.
    pub const NO_COMMAND: &'static str = "NULL";

    /// Makes a client that has just connected.
    pub fn new(peer: [u8; 6], now_ms: u64, is_authenticated: bool) -> Self {
        Self {
            peer: Peer(peer),
            opened_ms: now_ms,
            last_input_ms: now_ms,
            database: 0,
            protocol: Protocol::Resp2,
            parser: Parser::default(),
            name: Bytes::new(),
            last_command: Self::NO_COMMAND,
            no_evict: false,
            is_authenticated,
            transaction: None,
            watches: WatchList::default(),
            blocked: None,
            subscriptions: Subscriptions::default(),
            replies: Replies::default(),
        }
    }

    /// Returns the memory that the client makes the service keep, in bytes: not less than what it has on the heap,
    /// except for the connection itself, whose size is fixed.
    pub fn kept_bytes(&self) -> usize {
        let transaction = self.transaction.as_ref();
        self.parser.kept_bytes()
            + heap_bytes(self.name.len()) as usize
            + transaction.map_or(0, |transaction| transaction.kept_bytes())
            + self.watches.kept_bytes()
            + self.blocked.as_ref().map_or(0, |it| it.kept_bytes())
            + self.subscriptions.kept_bytes()
    }

    /// Returns the protocol of its replies.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Forgets what it has begun, and what it watches.
    pub fn forget_begun(&mut self, keyspace: &mut Keyspace) {
        self.transaction = None;
        self.watches.clear(keyspace);
    }

    /// Returns whether the client keeps more than `share_bytes` and sends nothing.
    pub fn is_stalled(&self, now_ms: u64, share_bytes: usize) -> bool {
        let silent_ms = now_ms.saturating_sub(self.last_input_ms);
        silent_ms >= STALLED_MS && self.kept_bytes() > share_bytes
    }
}

/// Which replies a client wants, as `CLIENT REPLY` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replies {
    /// All.
    #[default]
    All,
    /// None.
    None,
    /// All but that of the next request.
    AllButNext,
    /// All but that of the request that is carried out.
    AllButThis,
}

impl Replies {
    /// Returns whether the reply of the request that is carried out is dropped.
    pub fn are_dropped(self) -> bool {
        matches!(self, Self::None | Self::AllButThis)
    }

    /// Returns what is wanted after a request.
    pub fn after_request(self) -> Self {
        match self {
            Self::AllButNext => Self::AllButThis,
            Self::AllButThis => Self::All,
            Self::All | Self::None => self,
        }
    }
}

/// IPv4 address and port, in network order.
#[derive(Clone, Copy)]
pub struct Peer(pub [u8; 6]);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([a, b, c, d, high, low]) = *self;
        write!(f, "{a}.{b}.{c}.{d}:{}", u16::from_be_bytes([high, low]))
    }
}
