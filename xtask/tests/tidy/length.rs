//! No source file is longer than 400 lines: a longer one has more than one subject.

use crate::sources::{text, with_extension};
use crate::{Violation, judge};

const LINES_MAX: usize = 400;

/// Nobody writes or reads it by subject: it is generated from `sharedmem`.
const GENERATED: &str = "linux/module/understudy_abi.h";

#[test]
fn no_source_file_is_longer_than_400_lines() {
    let mut violations = Vec::new();
    for file in with_extension(&["rs", "c", "h"]) {
        let lines = text(file).lines().count();
        if lines > LINES_MAX && file != GENERATED {
            violations.push(Violation {
                file: file.into(),
                line: lines,
                what: format!("{lines} lines; divide it"),
            });
        }
    }
    judge(&violations, &[]);
}
