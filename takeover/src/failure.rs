//! Failures: why a peer counts as dead, and which of its cores failed.

use sharedmem::cause::Cause;

/// Why a peer counts as dead, or does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The cause.
    pub cause: Cause,
    /// The core that failed, if it was a single one. The number is the peer's own, as in its keepalive and its epitaph.
    pub core: Option<u32>,
}

impl Failure {
    /// Makes a failure of no particular core.
    pub const fn of(cause: Cause) -> Self {
        Self { cause, core: None }
    }

    /// Makes a failure of `core`.
    pub const fn on_core(cause: Cause, core: u32) -> Self {
        Self {
            cause,
            core: Some(core),
        }
    }
}
