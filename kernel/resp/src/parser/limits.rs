//! What a request may take.

/// Longest line, in bytes: an inline command, a count or a length (Redis' `PROTO_INLINE_MAX_SIZE`).
pub const LINE_MAX_BYTES: usize = 64 * 1024;
/// Longest argument and longest string value, in bytes (Redis' `proto-max-bulk-len`).
pub const BULK_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Most arguments of one request.
pub const ARGUMENTS_MAX: usize = 1024 * 1024;

/// Most arguments of a client that has not given the password, as in Redis.
pub(super) const UNAUTHENTICATED_ARGUMENTS_MAX: i64 = 10;
/// Longest argument of a client that has not given the password, in bytes, as in Redis.
pub(super) const UNAUTHENTICATED_BULK_MAX_BYTES: usize = 16 * 1024;

/// What a request may take.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Memory of all arguments together, in bytes.
    pub request_bytes: usize,
    /// Whether the client has given the password, or needs none.
    pub is_authenticated: bool,
}
