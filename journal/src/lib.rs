//! A log in memory that two kernels share: one appends what came in, the other applies it, also after the first one died.
//!
//! The log is a ring of 64-bit words. A *position* counts bytes since the journal's beginning and never wraps; it is a record's
//! sequence number too. Three cursors divide the positions:
//!
//! ```text
//!   consumed          applied           reserved
//!      |  for the backup  |  in flight      |  free: up to consumed + capacity
//! ```
//!
//! - [`Journal::append`] reserves room, writes a record and publishes it by one store. Any number of cores may append at once.
//! - [`Reader`] is the waiting backup's: whole records below `applied`.
//! - [`Recovery`] is the taker-over's: everything below `reserved`, with the damage named. It writes nothing, so it can be repeated.
//!
//! Everything read is taken for hostile: a payload is copied out first, and the checksum is that of the copy.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod append;
mod error;
mod finding;
mod journal;
mod payload;
mod place;
mod reader;
mod recent;
mod record;
mod recovery;
mod scan;
mod summary;
mod table;

pub use append::Appended;
pub use error::{AppendError, TooSmall};
pub use finding::{Damage, Finding};
pub use journal::{CAPACITY_BYTES_MIN, Cursors, Journal, PAYLOAD_BYTES_MAX};
pub use reader::Reader;
pub use recent::{RecentRecord, RecentRecords};
pub use record::{EPOCH_MAX, HEADER_BYTES, Kind, Record, record_bytes};
pub use recovery::Recovery;
pub use scan::Next;
pub use summary::RecoverySummary;
