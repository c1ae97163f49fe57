//! What a recovery came to, for people.

use alloc::string::String;
use alloc::vec::Vec;

/// Findings that a summary describes; later ones are only counted.
const FINDINGS_MAX: usize = 16;

/// What a new primary found in the journal of its predecessor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoverySummary {
    /// Number of records applied.
    pub records: u64,
    /// Descriptions of the first findings.
    pub findings: Vec<String>,
    /// Number of findings.
    pub finding_count: u64,
}

impl RecoverySummary {
    /// Adds a finding.
    pub fn note(&mut self, finding: String) {
        self.finding_count += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn every_finding_counts_and_only_the_first_are_described() {
        let mut summary = RecoverySummary::default();
        (0..20).for_each(|number| summary.note(format!("finding {number}")));
        assert_eq!(
            (summary.finding_count, summary.findings.len()),
            (20, FINDINGS_MAX)
        );
        assert_eq!(summary.findings[FINDINGS_MAX - 1], "finding 15");
    }
}
