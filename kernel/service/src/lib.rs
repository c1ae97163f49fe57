//! A Redis-protocol (RESP2) server as a deterministic state machine.
//!
//! The primary kernel journals every [`InputRecord`], commits it, and only then hands it to [`Service::apply`]. The backup kernel
//! applies the very same records, and reaches the very same state and the very same reply bytes. Hence the laws of this crate:
//!
//! * no clock and no random source: both come in with each record ([`Stamp`]);
//! * no dependence on addresses, on hash table layout or on what was allocated before: every order a client can see (`KEYS`,
//!   `SCAN`, `SPOP`, `HGETALL`, ...) is an insertion order that the state itself holds;
//! * nothing is decided from the allocator: memory is counted by the crate's own account;
//! * no long pause: tables grow in small shards, and every long loop calls [`Host::progress`], which the failure detector counts;
//! * no recursion: kernel stacks are small.
//!
//! What the state machine wants done goes out through the [`Host`] trait. The replies are those of Redis 7.0, byte for byte;
//! `tests/redis-7.0.txt` holds a recorded session that a test compares with.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod checkpoint;
mod commands;
mod connection;
mod glob;
mod host;
mod inline;
mod number;
mod parser;
mod random;
mod record;
mod reply;
mod service;
mod status;
mod store;

pub use crate::checkpoint::ServiceRestorer;
pub use host::{DeathKind, DebugCommand, HangTarget, Host, OperatorCommand};
pub use parser::{ARGUMENTS_MAX, BULK_MAX_BYTES, LINE_MAX_BYTES};
pub use record::{ConnectionId, HEADER_BYTES, Input, InputRecord, InputRecordError, Stamp};
pub use service::{Service, ServiceLimits};
pub use status::{HostStatus, Sentence, StatusError, TakeoverTimes, Text, Word};
