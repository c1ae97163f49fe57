//! What a Redis client sends: requests from a byte stream, their arguments, integers and glob patterns.
//!
//! Every byte comes from a client, who may be hostile. So this crate has two laws:
//!
//! * **All work is counted.** What takes longer with more input calls [`Step::step`], at least once for each argument
//!   and once for each [`STEP_BYTES`] of a text that a pattern is matched with. [`Arguments`] cannot be walked
//!   through without a [`Step`], so no command can forget it.
//! * **All memory is counted.** [`Parser::kept_bytes`] is not less than what an incomplete request has on the heap.
//!   It follows from the stream alone, not from the allocator, so it is the same on every kernel.
//!
//! # Example
//!
//! ```
//! use resp::{Found, Parser, RequestLimits, Step};
//!
//! struct Steps(u32);
//! impl Step for Steps {
//!     fn step(&mut self) {
//!         self.0 += 1;
//!     }
//! }
//!
//! let (mut parser, mut steps) = (Parser::default(), Steps(0));
//! let mut stream = &b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"[..];
//! let limits = RequestLimits { request_bytes: 1024, is_authenticated: true };
//! assert_eq!(parser.next(&mut stream, &limits, &mut steps), Ok(Found::Request));
//! let mut arguments = parser.arguments();
//! assert_eq!(arguments[0].as_slice(), b"GET");
//! assert_eq!(arguments.from(1).next(&mut steps).unwrap().as_slice(), b"a");
//! parser.finish(&mut steps);
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod arguments;
mod glob;
mod number;
mod parser;

pub use arguments::{Arguments, FEW_MAX, Words};
pub use glob::{Case, PATTERN_MAX_BYTES, Pattern, PatternTooLong, STEP_BYTES};
pub use number::{format_integer, parse_integer};
pub use parser::{ARGUMENTS_MAX, BULK_MAX_BYTES, LINE_MAX_BYTES};
pub use parser::{Found, Parser, ParserProgress, ProtocolError, RequestLimits};

use smallvec::SmallVec;

/// A string of a request, which may become a stored one. Up to 16 bytes cost no allocation: most keys, members and
/// counters.
pub type Bytes = SmallVec<[u8; INLINE_BYTES]>;

const INLINE_BYTES: usize = 16;

/// Returns the memory of a string on the heap, in bytes, with the allocator's header and rounding.
pub fn heap_bytes(length: usize) -> u64 {
    if length <= INLINE_BYTES {
        0
    } else {
        (length as u64 + 16).next_multiple_of(32)
    }
}

/// Counts work.
pub trait Step {
    /// Counts one element of a loop that may be long.
    fn step(&mut self);
}

impl Step for &mut dyn FnMut() {
    fn step(&mut self) {
        self();
    }
}
