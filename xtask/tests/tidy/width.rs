//! No line is wider than 120 columns.

use crate::sources::{text, with_extension};
use crate::{Violation, judge};

const COLUMNS_MAX: usize = 120;

/// Folders and files that are not yet clean.
const NOT_YET: &[&str] = &[];

#[test]
fn no_line_is_wider_than_120_columns() {
    let mut violations = Vec::new();
    for file in with_extension(&["rs", "c", "h", "md", "toml", "sh"]) {
        for (number, line) in text(file).lines().enumerate() {
            let columns = line.replace('\t', "        ").chars().count();
            if columns > COLUMNS_MAX {
                violations.push(Violation {
                    file: file.into(),
                    line: number + 1,
                    what: format!("{columns} columns"),
                });
            }
        }
    }
    judge(&violations, NOT_YET);
}
