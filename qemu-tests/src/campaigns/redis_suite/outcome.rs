//! What a file of the suite came to, by what the suite printed.

/// The tests of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that were left out, by a tag or an exception.
    pub skipped: usize,
    /// The names of the tests that failed. A file that was aborted, or of which no test ran, is one of them.
    pub failed: Vec<String>,
}

impl Outcome {
    /// Reads what the suite printed about the file `unit`.
    pub fn of(unit: &str, text: &str) -> Self {
        let mut outcome = Self::default();
        let mut has_ended = false;
        for line in text.lines() {
            let line = without_colours(line);
            // The suite lists the failures once more at its end.
            if line.starts_with("[ok]: ") {
                outcome.passed += 1;
            } else if line.starts_with("[ignore]: ") || line.starts_with("[skip]: ") {
                outcome.skipped += 1;
            } else if let Some(rest) = line.strip_prefix("[err]: ") {
                let name = rest.split(" in tests/").next().unwrap_or(rest);
                outcome.failed.push(name.to_string());
            } else if line.contains("done]: ") {
                has_ended = true;
            }
        }
        if !has_ended || outcome.passed + outcome.failed.len() == 0 {
            outcome
                .failed
                .push(format!("{unit} does not run to its end"));
        }
        outcome
    }
}

/// Returns a line without the terminal's colours.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_string();
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_suite_prints_is_counted() {
        let text = "[1;37;49mStarting test server\n\
                    [\u{1b}[0;32;49mok\u{1b}[0m]: SET and GET (1 ms)\n\
                    [\u{1b}[0;36;49mignore\u{1b}[0m]: Big one: Tag: slow denied\n\
                    [skip]: LCS basic\n\
                    [\u{1b}[0;31;49merr\u{1b}[0m]: GETEX in tests/unit/type/string.tcl\n\
                    [1/1 \u{1b}[0;33;49mdone\u{1b}[0m]: unit/type/string (2 seconds)\n\
                    *** [\u{1b}[0;31;49merr\u{1b}[0m]: GETEX in tests/unit/type/string.tcl\n";
        let outcome = Outcome::of("unit/type/string", text);
        let expected = Outcome {
            passed: 1,
            skipped: 2,
            failed: vec!["GETEX".into()],
        };
        assert_eq!(outcome, expected);
    }

    #[test]
    fn a_file_that_is_aborted_has_failed() {
        for text in [
            "",
            "[ok]: PING (1 ms)\n[exception]: Executing test client: ERR\n",
            "[1/1 done]: unit/x (0 seconds)",
        ] {
            let outcome = Outcome::of("unit/x", text);
            assert_eq!(outcome.failed, ["unit/x does not run to its end"], "{text}");
        }
    }
}
