//! A log in memory that two kernels share: one appends what came in, the other applies it, also after the first one
//! died.
//!
//! The log is a ring of 64-bit words. A *position* counts bytes since the journal's beginning and never wraps; it is
//! a record's sequence number too. Three cursors divide the positions:
//!
//! ```text
//!   consumed          applied           reserved
//!      |  for the backup  |  in flight      |  free: up to consumed + capacity
//! ```
//!
//! - [`Journal::append`] reserves room, writes a record and publishes it by one store. Any number of cores may append
//!   at once.
//! - [`Owner`] is for a primary that appends alone: it keeps private copies of the cursors, and finds out if somebody
//!   else moves one.
//! - [`Reader`] is for the waiting backup: it reads whole records below `applied`.
//! - [`Recovery`] is for the backup that takes over: it reads everything below `reserved`, and names the damage. It
//!   writes nothing, so it can be repeated.
//!
//! All that is read may be hostile: a payload is copied out first, and the checksum is computed over the copy.
//!
//! # Example
//!
//! A primary appends three records and dies when it has applied the first one. The backup has read that far, and
//! recovers the others:
//!
//! ```
//! use journal::{Journal, Next, RawKind, Reader};
//! use sharedmem::control::JournalCursors;
//! use sharedmem::crc32c::Crc32c;
//! use sharedmem::sync::AtomicU64;
//!
//! // The shared region: a ring, and its cursors.
//! let words: Vec<AtomicU64> = (0..128).map(|_| AtomicU64::new(0)).collect();
//! let cursors = JournalCursors::default();
//! let salt = 0x5a17;
//! let journal = Journal::salted(&words[..], &cursors, salt, Crc32c::portable())?;
//!
//! // The primary of epoch 1 appends and applies. A record is committed when `append` returns.
//! let (epoch, kind) = (1, RawKind(1));
//! let first = journal.append(epoch, kind, &[b"first"])?;
//! journal.mark_applied(first.end);
//! journal.append(epoch, kind, &[b"sec", b"ond"])?;
//! journal.append(epoch, kind, &[b"third"])?;
//!
//! // The backup reads what the primary has applied.
//! let mut reader = Reader::new(journal, 0);
//! let mut buffer = Vec::new();
//! let Next::Record(record) = reader.next(epoch, &mut buffer) else { panic!() };
//! assert_eq!(record.payload, b"first");
//! journal.mark_consumed(record.end);
//! assert_eq!(reader.next(epoch, &mut buffer), Next::End);
//!
//! // The primary is dead. The backup recovers the rest, and goes on behind it.
//! let mut recovery = reader.recover(epoch);
//! let mut recovered = Vec::new();
//! while let Next::Record(record) = recovery.next(&mut buffer) {
//!     recovered.push(record.payload.to_vec());
//! }
//! assert_eq!(recovered, [&b"second"[..], b"third"]);
//! journal.resume(recovery.resume_position());
//! journal.append(epoch + 1, kind, &[b"fourth"])?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod append;
mod error;
mod finding;
mod journal;
mod owner;
mod payload;
mod place;
mod reader;
mod recent;
mod record;
mod recovery;
mod scan;
mod summary;
mod table;

pub use error::{AppendError, TooSmall};
pub use finding::{Damage, Finding};
pub use journal::{Cursors, Journal};
pub use owner::Owner;
pub use reader::Reader;
pub use recent::{RecentRecord, RecentRecords};
pub use record::{Appended, CAPACITY_BYTES_MIN, EPOCH_MAX, HEADER_BYTES};
pub use record::{PAYLOAD_BYTES_MAX, RawKind, Record, record_bytes};
pub use recovery::Recovery;
pub use scan::Next;
pub use summary::RecoverySummary;
