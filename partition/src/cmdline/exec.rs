//! The script of `exec=`: commands a primary runs by itself, for tests without a client.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::duration::{DurationText, parse_duration};
use crate::refusal::ValueError;

/// One command of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecClause {
    /// When it runs, counted from the moment the first primary serves.
    pub at_ns: u64,
    /// The command and its arguments, as a client would type them.
    pub command: String,
}

/// Reads `[DURATION] COMMAND; [DURATION] COMMAND; ...`. A clause without a duration runs with the one before it, the
/// first at once. The clauses stand in the order in which they run.
pub(super) fn parse(text: &str) -> Result<Vec<ExecClause>, ValueError> {
    let mut clauses: Vec<ExecClause> = Vec::new();
    for clause in text.split(';').map(str::trim).filter(|c| !c.is_empty()) {
        let earliest_ns = clauses.last().map_or(0, |last| last.at_ns);
        let (at_ns, command) = match clause.starts_with(|c: char| c.is_ascii_digit()) {
            true => {
                let (at, command) = clause
                    .split_once(char::is_whitespace)
                    .unwrap_or((clause, ""));
                (parse_duration(at)?, command.trim_start())
            }
            false => (earliest_ns, clause),
        };
        if command.is_empty() {
            return Err(ValueError::new(
                format!("`{clause}` has no command"),
                "a clause like 100ms PING",
            ));
        }
        if at_ns < earliest_ns {
            return Err(ValueError::new(
                format!("`{clause}` is earlier than the clause before it"),
                format!("{} or later", DurationText(earliest_ns)),
            ));
        }
        clauses.push(ExecClause {
            at_ns,
            command: command.into(),
        });
    }
    if clauses.is_empty() {
        return Err(ValueError::new(
            "has no command",
            "a clause like 100ms PING",
        ));
    }
    Ok(clauses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clauses(text: &str) -> Vec<(u64, String)> {
        let clauses = parse(text).unwrap().into_iter();
        clauses.map(|c| (c.at_ns / 1_000_000, c.command)).collect()
    }

    #[test]
    fn a_script_is_read_clause_by_clause() {
        assert_eq!(
            clauses(" PING; 100ms DEBUG POPULATE 1000 ;SET a 1;; 900  DEBUG PANIC;"),
            [
                (0, "PING".into()),
                (100, "DEBUG POPULATE 1000".into()),
                (100, "SET a 1".into()),
                (900, "DEBUG PANIC".into()),
            ]
        );
    }

    #[test]
    fn what_is_no_script_is_refused() {
        for text in ["", " ; ", "100ms", "100ms ; PING", "5x PING", "2s A; 1s B"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
