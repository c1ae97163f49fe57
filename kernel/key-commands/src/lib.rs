//! Redis' commands on keys: what each does to the keyspace, and what it replies.
//!
//! A command here is a function of the keyspace, its arguments and the record's chance. It knows no connection, no
//! clock and no host but the one that takes its reply. What clients, transactions and the kernel have to do with
//! commands is in `service`.
//!
//! # Example
//!
//! ```
//! use key_commands::{COMMANDS, Context, Output, Protocol};
//! use keyspace::Keyspace;
//! use resp::{Arguments, Bytes};
//! use service_records::host::{DebugCommand, Host, OperatorCommand};
//!
//! #[derive(Default)]
//! struct Replies(Vec<u8>);
//!
//! impl Host for Replies {
//!     fn reply(&mut self, _: u64, bytes: &[u8]) {
//!         self.0.extend_from_slice(bytes);
//!     }
//!     fn hang_up(&mut self, _: u64) {}
//!     fn debug(&mut self, _: DebugCommand) {}
//!     fn operate(&mut self, _: OperatorCommand<'_>) {}
//!     fn progress(&mut self) {}
//! }
//!
//! let (mut host, mut buffer) = (Replies::default(), Vec::new());
//! let mut out = Output::new(&mut host, 1, Protocol::Resp2, &mut buffer);
//! let rpush = COMMANDS.iter().copied().flatten().find(|row| row.name == "rpush").unwrap();
//! let mut words = ["RPUSH", "list", "a", "b"].map(|word| Bytes::from_slice(word.as_bytes()));
//! let mut context = Context {
//!     name: rpush.name,
//!     keyspace: &mut Keyspace::new([1, 2]),
//!     random: &mut values::Random::new(3),
//!     out: &mut out,
//!     max_memory_bytes: 0,
//! };
//! (rpush.run)(&mut context, &mut Arguments::new(&mut words)).unwrap();
//! out.flush();
//! assert_eq!(host.0, b":2\r\n");
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bitfield;
mod command;
mod context;
mod databases;
mod decimal;
mod expiry;
mod hash_fields;
mod hashes;
mod key_names;
mod keys;
pub mod list_elements;
mod lists;
mod ranges;
mod reply;
mod rows;
mod sampling;
mod scan;
mod set_algebra;
mod set_members;
mod sets;
mod sort;
mod sorted_algebra;
mod sorted_ranges;
pub mod sorted_sets;
mod string_values;
mod strings;
mod waits;
mod words;

pub use command::{
    ADMIN, ALL, BLOCKING, Command, DENYOOM, FAST, FLAG_NAMES, Keys, NO_AUTH, NO_QUEUE, NONE, ONE,
    PAIRS, READONLY, TWO, WRITE, lookup, lookup_key, row, with,
};
pub use context::{Context, Handler, growth_max_bytes, wrong_arity};
pub use databases::number as database_number;
pub use reply::{Failure, Outcome, Output, Protocol};
pub use rows::{COMMANDS, MEMORY, OBJECT};
pub use waits::{Wait, Wish};
pub use words::{count, help, integer, is, key_count, too_long};
