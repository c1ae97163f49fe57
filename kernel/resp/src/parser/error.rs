//! What ends a connection.

/// Why the stream is not the protocol. The connection must end.
#[derive(Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline command is longer than [`LINE_MAX_BYTES`](super::LINE_MAX_BYTES).
    InlineTooLong,
    /// A number of arguments is longer than [`LINE_MAX_BYTES`](super::LINE_MAX_BYTES).
    CountTooLong,
    /// A length is longer than [`LINE_MAX_BYTES`](super::LINE_MAX_BYTES).
    LengthTooLong,
    /// A quote in an inline command is not closed.
    UnbalancedQuotes,
    /// The number of arguments is none, or more than [`ARGUMENTS_MAX`](super::ARGUMENTS_MAX).
    InvalidCount,
    /// The length of an argument is none, or more than [`BULK_MAX_BYTES`](super::BULK_MAX_BYTES).
    InvalidLength,
    /// More than 10 arguments, from a client that has not given the password.
    UnauthenticatedCount,
    /// An argument of more than 16 KiB, from a client that has not given the password.
    UnauthenticatedLength,
    /// Something else than a length follows.
    ExpectedBulk {
        /// Its first byte.
        found: u8,
    },
    /// The arguments would take more memory than allowed.
    RequestTooBig,
}
