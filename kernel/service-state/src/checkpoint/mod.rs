//! The service's state in a checkpoint, which is written while the service goes on.
//!
//! The keyspace is written shard by shard. Changes to a shard that is written already are written again: first which
//! keys were added and removed, in that order, because an entry's place depends on it; then the values that have
//! changed. So nothing has to be copied before it changes, and no client waits. When all shards are written,
//! connections and counters follow in one go. From there on the journal's records have the same effect on both sides.

mod clients;
mod restore;
mod value;
mod writer;

pub use restore::StateRestorer;

use core::num::NonZeroU64;
use serde::{Deserialize, Serialize};

use crate::failover::Failover;
use crate::statistics::Statistics;
use crate::store::Bytes;
use clients::{Begun, Client};
use key_commands::Wait;

/// What restoring has to know of the table of commands.
#[derive(Clone, Copy)]
pub struct Vocabulary {
    /// Returns the name of a command or subcommand as it is in the table; `None` if it is not in it.
    pub name_of: fn(&[u8]) -> Option<&'static str>,
    /// Reads what a client with this request waits for; `None` if it cannot wait.
    pub wait_of: fn(&mut [Bytes], &mut dyn FnMut()) -> Option<Wait>,
}

/// The heads in this part of a checkpoint, and the strings that follow each.
#[derive(Debug, Serialize, Deserialize)]
enum Head {
    /// What follows is about the database of this number; in the beginning it is about database 0.
    Database(u8),
    /// Two databases were exchanged.
    Swap(u8, u8),
    /// A key was added, at the end of its shard. The key follows.
    Insert,
    /// A key was removed. The key follows.
    Remove,
    /// Every key of the database was removed.
    Clear,
    /// The value of a key. A key that is not there is added, at the end of its shard. The key follows, then the
    /// elements; in a hash they are each field and its value, in a sorted
    /// set each member and its score.
    Value {
        form: Form,
        deadline_ms: Option<NonZeroU64>,
        elements: u64,
    },
    /// The beginning of a large value. The key follows. The key is there already.
    Begin {
        form: Form,
        deadline_ms: Option<NonZeroU64>,
        elements: u64,
    },
    /// More of the value that was begun last. So many strings follow.
    More {
        strings: u64,
        /// Whether the first of them goes on with the last string of the piece before.
        continues: bool,
        /// The length of the last string, if it goes on in the next piece.
        open_bytes: Option<u64>,
    },
    /// The value that was begun last has changed meanwhile, and comes once more.
    Abandon,
    /// A connection. The strings that it lists follow.
    Connection(Client),
    /// What the client that came last has begun. The strings that it lists follow.
    Begun(Begun),
    /// Everything else, and the end. The kernel's status follows.
    Server(Server),
}

/// The type of a value.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Form {
    String,
    List,
    /// A hash. Its table stays spread out when it shrinks.
    Hash {
        is_spread: bool,
    },
    /// A sorted set: members, and their scores as 8 bytes. Its table stays spread out when it shrinks.
    SortedSet {
        is_spread: bool,
    },
    /// A set. Its table stays spread out when it shrinks.
    Set {
        is_spread: bool,
    },
}

/// Counters. Some of them show whether everything before has been read.
#[derive(Debug, Serialize, Deserialize)]
struct Server {
    now_ms: u64,
    expired: u64,
    statistics: Statistics,
    /// Number of clients that have waited.
    blocked_began: u64,
    failover: Option<Failover>,
    keys: u64,
    used_bytes: u64,
    connections: u64,
    pending_bytes: u64,
}
