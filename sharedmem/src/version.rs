//! The text of an image's version.

use crate::plain_text::{Plain, PlainText};

/// The text of a version; empty if there is none. What is too long is cut off.
pub type VersionText = PlainText<8>;

/// A version as read.
pub type Version = Plain<8>;

/// Maximum length of a version, in bytes.
pub const VERSION_BYTES: usize = VersionText::BYTES;
