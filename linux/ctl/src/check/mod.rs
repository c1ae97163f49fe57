//! Checks whether understudy would work on this machine, and what would not come back after a takeover. It reads what
//! every Linux shows of its machine, so it also runs before anything is installed.

mod devices;
mod firmware;
mod kernel;
mod memory;
mod options;
mod processors;
mod virtualization;

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::hand_off;
use crate::root::Root;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Good.
    Ok,
    /// It would work with a loss; or the check could not be made.
    Warning,
    /// It would not work.
    No,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::No => "no",
        }
    }
}

/// A check and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The result.
    pub level: Level,
    /// The subject, in a word.
    pub subject: &'static str,
    /// What was found.
    pub text: String,
    /// What to do about it; empty if there is nothing to do.
    pub advice: String,
}

impl Finding {
    fn ok(subject: &'static str, text: impl Into<String>) -> Self {
        Self::new(Level::Ok, subject, text, "")
    }

    fn warning(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Level::Warning, subject, text, advice)
    }

    fn no(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Level::No, subject, text, advice)
    }

    fn new(
        level: Level,
        subject: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            level,
            subject,
            text: text.into(),
            advice: advice.into(),
        }
    }
}

/// The results of all checks.
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Checks the machine whose files are below `root`.
    pub fn of(root: &Root) -> Self {
        let mut findings = Vec::new();
        if hand_off::is_there(root) {
            findings.push(Finding::ok("understudy", "it started this machine"));
        }
        findings.extend(processors::findings(root));
        findings.push(virtualization::finding(root));
        findings.extend(memory::findings(root));
        findings.extend(kernel::findings(root));
        findings.extend(firmware::findings(root));
        findings.extend(devices::findings(root));
        Self { findings }
    }

    /// Returns whether understudy would work.
    pub fn is_possible(&self) -> bool {
        self.worst() < Level::No
    }

    fn worst(&self) -> Level {
        let levels = self.findings.iter().map(|finding| finding.level);
        levels.max().unwrap_or(Level::Ok)
    }

    /// Returns a line for each finding, and the advice below it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for finding in &self.findings {
            let _ = writeln!(
                out,
                "{:<8}{:<11}{}",
                finding.level.name(),
                finding.subject,
                finding.text
            );
            if !finding.advice.is_empty() {
                let _ = writeln!(out, "{:<19}-> {}", "", finding.advice);
            }
        }
        out
    }

    /// Returns the report as one line of JSON.
    pub fn json(&self) -> Value {
        let findings = self.findings.iter().map(|finding| {
            json!({
                "level": finding.level.name(),
                "subject": finding.subject,
                "text": finding.text,
                "advice": finding.advice,
            })
        });
        json!({
            "verdict": self.worst().name(),
            "findings": findings.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::tests::root_of;

    #[test]
    fn a_machine_that_shows_nothing_is_no_reason_to_say_yes() {
        let (_directory, root) = root_of(&[]);
        let report = Report::of(&root);
        assert!(!report.is_possible());
        assert!(
            report.text().contains("\nno      kernel"),
            "{}",
            report.text()
        );
        assert_eq!(report.json()["verdict"], "no");
    }

    #[test]
    fn advice_stands_below_what_it_is_about() {
        let report = Report {
            findings: vec![
                Finding::ok("memory", "enough"),
                Finding::warning("cores", "2", "take one more"),
            ],
        };
        assert_eq!(
            report.text(),
            "ok      memory     enough\nwarning cores      2\n                   -> take one more\n"
        );
        assert!(report.is_possible());
        assert_eq!(report.json()["findings"][1]["level"], "warning");
    }
}
