//! Standard output whose reader has gone, as in `cargo xtask check-config ... | true`: a command ends quietly.

use std::panic::{self, PanicHookInfo};

/// Keeps silent about the panic in which `println!` ends when nobody reads any more. The command still unwinds, so that
/// its machines are stopped, and fails; every other panic is reported as before.
pub fn keep_silent() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !is_closed_pipe(info) {
            report(info);
        }
    }));
}

/// Returns whether this is the panic of `println!` or `print!` on a closed pipe. Only its text tells.
fn is_closed_pipe(info: &PanicHookInfo<'_>) -> bool {
    let text = info.payload_as_str().unwrap_or_default();
    text.starts_with("failed printing to stdout: ") && text.contains("Broken pipe")
}
