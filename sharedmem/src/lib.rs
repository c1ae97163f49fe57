//! The layouts that two kernels share, and the lock-free structures in them.
//!
//! Everything here lies in memory that another kernel may write at any instant; that kernel may have another version,
//! be dying, or be out of control. So the crate uses only atomic words, no locks (a dead holder would block them for
//! ever) and no pointers, and every value that is read is a claim to be checked.
//! The layout is an ABI with a revision; `docs/shared-memory.md` is its specification.
//!
//! Unsafe code is confined to the mapping layer ([`region`]) and to the CRC instruction ([`crc32c`]).
#![no_std]

#[cfg(any(test, loom, feature = "observed"))]
extern crate std;

pub mod abi;
pub mod applying;
pub mod backup;
pub mod cause;
pub mod condemned;
pub mod console;
pub mod contract;
pub mod control;
pub mod crc32c;
pub mod debug;
pub mod device;
pub mod epitaph;
pub mod epoch;
pub mod event;
pub mod hand_off;
pub mod instance;
pub mod keepalive;
pub mod keeping;
pub mod layout;
pub mod linux;
pub mod log_ring;
pub mod mailbox;
pub mod numbered;
pub mod obstacle;
pub mod own_word;
pub mod plain_text;
pub mod prior_boot;
pub mod protection;
pub mod record;
#[cfg(not(loom))]
pub mod region;
pub mod reset_row;
pub mod resume_slot;
pub mod slice;
pub mod sync;
pub mod timeline;
pub mod version;
pub mod withheld;
pub mod words;

pub use abi::{ABI_REVISION, JOURNAL_REVISION, MAX_CORES, Revisions};
pub use control::Control;
pub use instance::{Instance, PerInstance, Role};
pub use record::RecordKind;
#[cfg(not(loom))]
pub use region::SharedRegion;
pub use words::Words;
