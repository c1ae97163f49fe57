//! Reading arguments.

use crate::reply::{Failure, Outcome, Output};
use resp::{Arguments, PATTERN_MAX_BYTES, PatternTooLong, parse_integer};

/// Returns whether an argument is this word, in upper or lower case.
pub fn is(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}

/// Reads an integer.
///
/// # Errors
/// It is none.
pub fn integer(argument: &[u8]) -> Result<i64, Failure> {
    parse_integer(argument).ok_or(Failure::NOT_AN_INTEGER)
}

/// Reads a count: an integer that is not negative.
///
/// # Errors
/// It is none.
pub fn count(argument: &[u8]) -> Result<usize, Failure> {
    parse_integer(argument)
        .and_then(|count| usize::try_from(count).ok())
        .ok_or(Failure::NOT_POSITIVE)
}

/// Reads the number of keys that is the argument `at`. The keys follow it.
///
/// # Errors
/// It is none, or there are not so many arguments.
pub fn key_count(
    arguments: &Arguments<'_>,
    at: usize,
    too_many: Failure,
) -> Result<usize, Failure> {
    let count = parse_integer(&arguments[at]).and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|&count| count > 0);
    let count = count.ok_or(Failure::Fixed("ERR numkeys should be greater than 0"))?;
    match count < arguments.len() - at {
        true => Ok(count),
        false => Err(too_many),
    }
}

/// Returns the error of a pattern that is too long.
pub fn too_long(PatternTooLong: PatternTooLong) -> Failure {
    Failure::composed(&[
        b"ERR pattern is too long, it may have ",
        itoa::Buffer::new().format(PATTERN_MAX_BYTES).as_bytes(),
        b" bytes",
    ])
}

/// Writes the reply of a HELP subcommand.
///
/// # Errors
/// Never.
pub fn help(out: &mut Output<'_>, name: &str, lines: &[&str]) -> Outcome {
    out.array(lines.len() + 3);
    out.status(&alloc::format!(
        "{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    ));
    for line in lines {
        out.status(line);
    }
    out.status("HELP");
    out.status("    Prints this help.");
    Ok(())
}
