//! What a solver is told.

use compute::Error;

/// The arguments of a solver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// Size of the problem; what it counts is the solver's.
    pub n: usize,
    /// Number of steps.
    pub steps: u64,
}

impl Default for Arguments {
    fn default() -> Self {
        Self { n: 16, steps: 50 }
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
                ("n", Ok(n @ 1..)) => it.n = n as usize,
                ("steps", Ok(steps)) => it.steps = steps.into(),
                ("n" | "steps", _) => {
                    return Err(Error::Program("n= and steps= are numbers, n= at least 1"));
                }
                _ => return Err(Error::Program("no such argument: there are n= and steps=")),
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
        assert_eq!(parsed, Ok(Arguments { n: 3, steps: 7 }));
        assert_eq!(Arguments::parse(""), Ok(Arguments::default()));
        for wrong in ["n", "n=0", "n=x", "steps=-1", "m=3", "n=99999999999"] {
            assert!(Arguments::parse(wrong).is_err(), "{wrong}");
        }
    }
}
