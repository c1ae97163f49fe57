//! A failure: why a peer counts as dead, and which core of it is to blame.

use core::fmt;

use sharedmem::cause::Cause;

/// Why a peer counts as dead, or does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub cause: Cause,
    /// The core it happened on, if it was one, in the peer's own count, as in its keepalive and its epitaph.
    pub core: Option<u32>,
}

impl Failure {
    /// Makes one that no core is to blame for.
    pub const fn of(cause: Cause) -> Self {
        Self { cause, core: None }
    }

    /// Makes one that happened on `core`.
    pub const fn on_core(cause: Cause, core: u32) -> Self {
        Self {
            cause,
            core: Some(core),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        match self.core {
            Some(core) => write!(f, ", core {core}"),
            None => Ok(()),
        }
    }
}
