//! What a solver is told.

use compute::{Checksum, Error};

/// The arguments of a solver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// Size of the problem; what it counts is the solver's.
    pub n: usize,
    /// Number of steps.
    pub steps: u64,
    /// What is verified of its regions when it continues behind a death: `verify=off` leaves out the checksums.
    pub checksum: Checksum,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            n: 16,
            steps: 50,
            checksum: Checksum::Verified,
        }
    }
}

impl Arguments {
    /// Parses `key=value` words.
    ///
    /// # Errors
    /// A word is no argument, or its value is out of range.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut it = Self::default();
        for word in text.split_ascii_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match (key, value.parse::<u32>()) {
                ("verify", _) if value == "on" => it.checksum = Checksum::Verified,
                ("verify", _) if value == "off" => it.checksum = Checksum::Off,
                ("n", Ok(n @ 1..)) => it.n = n as usize,
                ("steps", Ok(steps)) => it.steps = steps.into(),
                ("n" | "steps", _) => {
                    return Err(Error::Program("n= and steps= are numbers, n= at least 1"));
                }
                ("verify", _) => return Err(Error::Program("verify= is on or off")),
                _ => {
                    return Err(Error::Program(
                        "no such argument: there are n=, steps= and verify=",
                    ));
                }
            }
        }
        Ok(it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_argument_is_refused() {
        let parsed = Arguments::parse(" steps=7 n=3 ");
        let expected = Arguments {
            n: 3,
            steps: 7,
            ..Arguments::default()
        };
        assert_eq!(parsed, Ok(expected));
        let unverified = Arguments::parse("verify=off").map(|it| it.checksum);
        assert_eq!(unverified, Ok(Checksum::Off));
        assert_eq!(Arguments::parse(""), Ok(Arguments::default()));
        for wrong in [
            "n",
            "n=0",
            "n=x",
            "steps=-1",
            "m=3",
            "verify",
            "n=99999999999",
        ] {
            assert!(Arguments::parse(wrong).is_err(), "{wrong}");
        }
    }
}
