//! A Redis-protocol (RESP2) server as a deterministic state machine.
//!
//! The primary kernel journals every [`InputRecord`], commits it, and only then passes it to [`Service::apply`]. The
//! backup kernel applies the same records, and gets the same state and the same reply bytes. Hence the laws of this
//! crate:
//!
//! * no clock and no random source: both come in with each record ([`Stamp`]);
//! * no dependence on addresses, on hash table layout or on earlier allocations: every order a client can see
//!   (`KEYS`, `SCAN`, `SPOP`, `HGETALL`, ...) is an insertion order that the state itself holds;
//! * no decision depends on the allocator: the crate counts memory by itself;
//! * no long pause: tables grow in small shards, and every long loop calls [`Host::progress`], which the failure
//!   detector counts;
//! * no recursion: kernel stacks are small.
//!
//! What the state machine wants done goes out through the [`Host`] trait. The replies are those of Redis 7.0, byte
//! for byte; a test compares them with a recorded session, `tests/redis-7.0.txt`.
//!
//! # Example
//!
//! A client connects, sends a `SET`, and gets its reply:
//!
//! ```
//! use service::{ConnectionId, DebugCommand, Host, Input, InputRecord, OperatorCommand, Service};
//! use service::{ServiceLimits, Stamp};
//!
//! /// A host that keeps the replies, and does nothing else.
//! #[derive(Default)]
//! struct Replies(Vec<u8>);
//!
//! impl Host for Replies {
//!     fn reply(&mut self, _: ConnectionId, bytes: &[u8]) {
//!         self.0.extend_from_slice(bytes);
//!     }
//!     fn hang_up(&mut self, _: ConnectionId) {}
//!     fn debug(&mut self, _: DebugCommand) {}
//!     fn operate(&mut self, _: OperatorCommand<'_>) {}
//!     fn progress(&mut self) {}
//! }
//!
//! let mut service = Service::new(ServiceLimits::default());
//! let mut host = Replies::default();
//! let mut apply = |input| {
//!     // A primary journals the record before it applies it.
//!     let stamp = Stamp { time_ms: 1_700_000_000_000, entropy: 42 };
//!     service.apply(&InputRecord { stamp, input }, &mut host);
//! };
//! let connection = 1;
//! apply(Input::Open { connection, peer: [10, 0, 2, 2, 0x30, 0x39] });
//! apply(Input::Bytes { connection, bytes: b"SET greeting hello\r\n" });
//! apply(Input::Bytes { connection, bytes: b"*2\r\n$3\r\nGET\r\n$8\r\ngreeting\r\n" });
//! assert_eq!(host.0, b"+OK\r\n$5\r\nhello\r\n");
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod blocked;
mod checkpoint;
mod commands;
mod dispatch;
mod protocol_error;
mod service;
#[cfg(feature = "testing")]
pub mod testing;

pub use crate::checkpoint::ServiceRestorer;
pub use access::{Network, Password};
pub use connection::{CANARY, CONSOLE};
pub use host::{BrokenPart, DeathKind, DebugCommand, HangTarget, Host, OperatorCommand};
pub(crate) use keyspace as store;
pub use keyspace::{Scrub, ScrubPosition, Scrubbed};
pub use limits::ServiceLimits;
pub use resp::{ARGUMENTS_MAX, BULK_MAX_BYTES, LINE_MAX_BYTES};
pub use service::Service;
pub use service_records::record::{
    ConnectionId, HEADER_BYTES, Input, InputRecord, InputRecordError, Stamp,
};
pub use service_records::status::{
    AsciiText, HostStatus, LongText, ShortText, StatusError, TakeoverTimes,
};
pub(crate) use service_records::{host, record, status};
pub(crate) use service_state::{access, connection, limits, statistics, subscriptions};
