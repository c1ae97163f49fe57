//! Why something failed. The kinds are told apart because different people have to act on them.

use std::fmt;

/// Why something on the host side did not go as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The guest did something wrong.
    Failed(String),
    /// The guest did not do something in time.
    TimedOut(String),
    /// The host's side is at fault: QEMU missing or refusing its arguments, a file not writable.
    BrokenSetUp(String),
    /// It cannot be tried here; the text says what is missing.
    Skipped(String),
}

impl Problem {
    /// Puts what was being done in front of the text.
    #[must_use]
    pub fn while_doing(self, what: &str) -> Self {
        match self {
            Self::Failed(text) => Self::Failed(format!("{what}: {text}")),
            Self::TimedOut(text) => Self::TimedOut(format!("{what}: {text}")),
            Self::BrokenSetUp(text) => Self::BrokenSetUp(format!("{what}: {text}")),
            Self::Skipped(text) => Self::Skipped(format!("{what}: {text}")),
        }
    }

    /// Reports an operation of the host that failed, as a broken set-up.
    pub fn of_host(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::BrokenSetUp(format!("{what}: {error}"))
    }

    /// Returns one word for the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Failed(_) => "FAILED",
            Self::TimedOut(_) => "TIME-OUT",
            Self::BrokenSetUp(_) => "BROKEN SET-UP",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Returns what happened.
    pub fn text(&self) -> &str {
        match self {
            Self::Failed(text)
            | Self::TimedOut(text)
            | Self::BrokenSetUp(text)
            | Self::Skipped(text) => text,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind(), self.text())
    }
}

impl std::error::Error for Problem {}

/// Requires a condition of a guest.
///
/// # Errors
/// When `is_met` is false, with `complaint` as the text.
pub fn require(is_met: bool, complaint: impl FnOnce() -> String) -> Result<(), Problem> {
    if is_met {
        Ok(())
    } else {
        Err(Problem::Failed(complaint()))
    }
}

/// Requires two values to be equal, as `assert_eq!` does, of a guest.
///
/// # Errors
/// When the two differ: names `what`, and both.
pub fn require_equal<T: PartialEq + fmt::Debug>(
    what: &str,
    found: T,
    expected: T,
) -> Result<(), Problem> {
    require(found == expected, || {
        format!("{what} is {found:?}, should be {expected:?}")
    })
}
