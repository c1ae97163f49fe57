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
    /// Adds a finding. Returns whether it is described, and not only counted.
    pub fn note(&mut self, finding: String) -> bool {
        self.finding_count += 1;
        let is_described = self.findings.len() < FINDINGS_MAX;
        if is_described {
            self.findings.push(finding);
        }
        is_described
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn every_finding_counts_and_only_the_first_are_described() {
        let mut summary = RecoverySummary::default();
        let is_described: Vec<bool> = (0..20)
            .map(|number| summary.note(format!("finding {number}")))
            .collect();
        assert!(is_described[..FINDINGS_MAX].iter().all(|it| *it));
        assert!(!is_described[FINDINGS_MAX]);
        assert_eq!(
            (summary.finding_count, summary.findings.len()),
            (20, FINDINGS_MAX)
        );
        assert_eq!(summary.findings[FINDINGS_MAX - 1], "finding 15");
    }
}
