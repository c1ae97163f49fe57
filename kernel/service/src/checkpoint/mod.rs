//! The whole state, told to a new backup while the service goes on.
//!
//! The keyspace is told shard by shard. What changes in a shard that was told already is told again: which keys came and went, in that order, since
//! an entry's place depends on it, and then the values that are not what they were. So nothing is copied before it changes, and nobody waits. When all is
//! told, connections and counters are, in one go; from there on the journal's records bring the same about on both sides.

mod restore;
mod writer;

pub use restore::ServiceRestorer;

use core::num::NonZeroU64;
use serde::{Deserialize, Serialize};

use crate::commands::Failover;
use crate::parser::Understood;
use crate::record::ConnectionId;
use crate::service::Statistics;

/// What follows.
#[derive(Debug, Serialize, Deserialize)]
enum Head {
    /// A key came, at the end of its shard. The key follows.
    Insert,
    /// A key went. The key follows.
    Remove,
    /// Every key went.
    Clear,
    /// A key's value; one that is not there comes, at the end of its shard. The key follows, then the elements: of a hash, each field with its value.
    Value {
        form: Form,
        deadline_ms: Option<NonZeroU64>,
        elements: u64,
    },
    /// A connection. Its name follows, then the last command's, the unfinished line, and the arguments so far.
    Connection(Client),
    /// Everything else: the end. The status follows.
    Server(Server),
}

/// What a value is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Form {
    String,
    List,
    /// Its table may have been spread out, and stays so when it shrinks.
    Hash {
        is_spread: bool,
    },
    /// The same.
    Set {
        is_spread: bool,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Client {
    connection: ConnectionId,
    peer: [u8; 6],
    opened_ms: u64,
    last_input_ms: u64,
    no_evict: bool,
    understood: Understood,
    arguments: u64,
}

/// Counters; some of them say whether everything before was heard.
#[derive(Debug, Serialize, Deserialize)]
struct Server {
    now_ms: u64,
    expired: u64,
    statistics: Statistics,
    failover: Option<Failover>,
    keys: u64,
    used_bytes: u64,
    connections: u64,
    pending_bytes: u64,
}
