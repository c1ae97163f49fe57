//! Why a command failed, and the exit code for it.

use std::fmt;
use std::io;

use sharedmem::control::RegionError;

/// The exit codes and their meaning. Usage errors are reported by clap as well.
pub const EXIT_CODES: [(u8, &str); 5] = [
    (0, "done, or yes"),
    (1, "no, unprotected, or refused"),
    (2, "wrong usage"),
    (
        3,
        "no understudy here: it did not start this machine, or the module is not loaded",
    ),
    (4, "the system refused something"),
];

/// Why a command failed. The exit code follows from it.
#[derive(Debug)]
pub enum Problem {
    /// The answer is no, or the request was refused.
    No(String),
    /// The request makes no sense.
    Usage(String),
    /// Understudy did not start the machine, or the module is not loaded.
    NotHere(String),
    /// The system refused something: what, and the error.
    System(String, io::Error),
    /// The job that was waited for ended with this exit code, which becomes that of this program.
    Job(u8),
}

impl Problem {
    /// Makes the problem of an error with `what`; for `map_err`.
    pub fn with<E: Into<io::Error>>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        let what = what.to_string();
        move |error| Self::System(what, error.into())
    }

    /// Returns the exit code, one of [`EXIT_CODES`].
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::No(_) => 1,
            Self::Usage(_) => 2,
            Self::NotHere(_) => 3,
            Self::System(..) => 4,
            Self::Job(code) => *code,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No(text) | Self::Usage(text) | Self::NotHere(text) => f.write_str(text),
            Self::System(what, error) => write!(f, "{what}: {error}"),
            // The job's log says the rest.
            Self::Job(_) => Ok(()),
        }
    }
}

impl From<RegionError> for Problem {
    fn from(error: RegionError) -> Self {
        Self::NotHere(match error {
            RegionError::Revisions(_) => other_release(error),
            _ => error.to_string(),
        })
    }
}

/// Describes a mismatch of releases, which `what` names.
pub fn other_release(what: impl fmt::Display) -> String {
    format!("{what}: use the program of the same release")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_ends_with_a_code_that_is_documented() {
        let problems = [
            Problem::No(String::new()),
            Problem::Usage(String::new()),
            Problem::NotHere(String::new()),
            Problem::with("x")(io::Error::other("y")),
        ];
        let codes = problems.map(|problem| problem.exit_code());
        assert_eq!(codes, [1, 2, 3, 4]);
        assert_eq!(EXIT_CODES.map(|(code, _)| code), [0, 1, 2, 3, 4]);
    }
}
