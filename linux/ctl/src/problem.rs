//! Why a command could not be carried out.

use std::fmt;
use std::io;

/// Why not. The exit code follows from it.
#[derive(Debug)]
pub enum Problem {
    /// The answer is no, or the request was refused.
    No(String),
    /// The machine was not started by understudy, or the module is not there.
    NotHere(String),
    /// The system refused something: what, and why.
    System(String, io::Error),
}

impl Problem {
    /// A problem with `what`, which the system refused just now.
    pub fn last(what: impl fmt::Display) -> Self {
        Self::System(what.to_string(), io::Error::last_os_error())
    }

    /// A problem with `what`.
    pub fn with(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        let what = what.to_string();
        move |error| Self::System(what, error)
    }

    /// What the command ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::No(_) => 1,
            Self::NotHere(_) => 3,
            Self::System(..) => 4,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No(text) | Self::NotHere(text) => f.write_str(text),
            Self::System(what, error) => write!(f, "{what}: {error}"),
        }
    }
}
