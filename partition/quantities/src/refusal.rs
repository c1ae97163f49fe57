//! What the operator is told when a boot cannot go on: which option, its value, why not, and what would work.

use alloc::format;
use alloc::string::String;
use core::fmt;

/// Why a boot is refused, on one line. A `would_work` that names a value is true of the same machine: give it, and this
/// refusal goes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Name of the option, without the `=`.
    pub option: String,
    /// Its value as it was given; empty if there was none.
    pub given: String,
    /// Why that cannot be done.
    pub reason: String,
    /// What could be given instead; empty if nothing can.
    pub would_work: String,
}

impl Refusal {
    /// Makes a refusal; control characters in the value are replaced, so that it stays one line on any console.
    pub fn new(
        option: impl Into<String>,
        given: impl Into<String>,
        reason: impl Into<String>,
        would_work: impl Into<String>,
    ) -> Self {
        Self {
            option: printable(option.into()),
            given: printable(given.into()),
            reason: printable(reason.into()),
            would_work: printable(would_work.into()),
        }
    }
}

fn printable(text: String) -> String {
    if text.chars().any(char::is_control) {
        text.chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect()
    } else {
        text
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.option)?;
        if !self.given.is_empty() {
            write!(f, "={}", self.given)?;
        }
        write!(f, ": {}", self.reason)?;
        if !self.would_work.is_empty() {
            write!(f, "; {} would work", self.would_work)?;
        }
        Ok(())
    }
}

impl core::error::Error for Refusal {}

/// What is wrong with a value, before it is known which option it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// Why the value cannot be taken.
    pub reason: String,
    /// What could be given instead.
    pub would_work: String,
}

impl ValueError {
    /// Makes a value error.
    pub fn new(reason: impl Into<String>, would_work: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            would_work: would_work.into(),
        }
    }

    /// Says in which part of a value the fault is.
    #[must_use]
    pub fn of(self, key: &str) -> Self {
        Self::new(
            format!("{key}=: {}", self.reason),
            format!("{key}={}", self.would_work),
        )
    }

    /// Makes the refusal of `option`, whose value was `given`.
    pub fn refuse(self, option: &str, given: &str) -> Refusal {
        Refusal::new(option, given, self.reason, self.would_work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_refusal_is_one_line() {
        let refusal = Refusal::new(
            "failover_mem",
            "2T",
            "the machine has 512 MiB of usable memory",
            "at most 400M",
        );
        assert_eq!(
            refusal.to_string(),
            "failover_mem=2T: the machine has 512 MiB of usable memory; at most 400M would work"
        );
        let nothing = Refusal::new("a\nb", "\u{1b}[2J", "why", "");
        assert_eq!(nothing.to_string(), "a\u{fffd}b=\u{fffd}[2J: why");
    }
}
