//! The typography and the references of every file that git tracks: what a reader would otherwise have to check.
//!
//! Each test prints all violations at once.

mod comments;
mod length;
mod named_tests;
mod references;
mod sources;
mod verbs;
mod width;

use std::collections::BTreeMap;

/// A violation: a file, a line, and what is wrong there.
struct Violation {
    file: String,
    line: usize,
    what: String,
}

/// Fails if there is a violation outside the folders and files that are `not_yet` clean. Prints how many those have.
fn judge(violations: &[Violation], not_yet: &[&str]) {
    let mut left: BTreeMap<&str, usize> = not_yet.iter().map(|start| (*start, 0)).collect();
    let mut report = String::new();
    for Violation { file, line, what } in violations {
        match not_yet.iter().find(|start| file.starts_with(**start)) {
            Some(start) => *left.entry(start).or_default() += 1,
            None => report += &format!("{file}:{line}: {what}\n"),
        }
    }
    for (start, count) in left {
        println!(
            "not yet clean: {start}: {count} violations; take it off the list when there are none"
        );
    }
    assert!(report.is_empty(), "\n{report}");
}
