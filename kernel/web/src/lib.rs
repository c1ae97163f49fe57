//! The status page of a native primary, over HTTP: who died and why, and the records that programs left in the journal.
//!
//! [`answer`] takes what a client has sent so far, and returns a [`Reply`] as soon as the request is complete. The
//! crate has no sockets and no clock: bytes come in, pieces of a reply go out. Nothing of a request is kept, and a
//! reply is made piece by piece, so that neither many clients nor a long reply takes much memory.
//!
//! What a dead kernel left is treated as hostile: it is limited in size, freed of control characters, and escaped for
//! where it goes.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod dead_primary;
mod html;
mod metrics;
mod records;
mod reply;
mod request;
mod site;
mod status;
mod takeover;
mod text;

pub use dead_primary::DeadPrimary;
pub use reply::{Piece, Reply};
pub use request::REQUEST_BYTES_MAX;
pub use site::answer;
pub use status::{JournalStatus, PrimaryStatus};
pub use takeover::TakeoverStatus;
