//! Standard output whose reader has gone, as in `cargo xtask check-config ... | true`: a command ends quietly.

use std::panic::{self, PanicHookInfo};
use std::process;

/// The status that a shell gives to a program that ended by SIGPIPE.
const STATUS: i32 = 128 + 13;

/// Ends the process without a word where `println!` would panic because nobody reads any more. Every other panic is
/// reported as before.
pub fn end_quietly() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if is_closed_pipe(info) {
            process::exit(STATUS);
        }
        report(info);
    }));
}

/// Returns whether this is the panic of `println!` or `print!` on a closed pipe. Only its text tells.
fn is_closed_pipe(info: &PanicHookInfo<'_>) -> bool {
    let text = info.payload_as_str().unwrap_or_default();
    text.starts_with("failed printing to stdout: ") && text.contains("Broken pipe")
}
