//! Runs what the operator would type.

use std::fmt::Display;
use std::fs;
use std::io;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use sharedmem::event::{OrderFailed, Ordered, Text};

/// What the last order came to, once it has ended.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Starts `understudyctl` with the words of `line`. It may run longer than any client waits, so its output and its exit
/// code go to the kernel's log, and to [`last`].
///
/// # Errors
/// The system's.
pub fn begin(line: &[u8]) -> io::Result<()> {
    let line = String::from_utf8_lossy(line).into_owned();
    let child = Command::new("understudyctl")
        .args(line.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    set_last(None);
    thread::spawn(move || {
        let lines = match child.wait_with_output() {
            Ok(output) => {
                set_last(Some(told(&output)));
                log_lines(&line, &output)
            }
            Err(error) => vec![log_line(OrderFailed {
                error: Text::of(error),
            })],
        };
        for line in lines {
            // Each write is a line of its own in the log.
            let _ = fs::write("/dev/kmsg", line);
        }
    });
    Ok(())
}

/// Returns what the last order came to; `None` until it has ended. The first line is its exit code, 255 if a signal
/// ended it; then comes what it printed.
pub fn last() -> Option<String> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn set_last(told: Option<String>) {
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = told;
}

fn told(output: &Output) -> String {
    let code = output.status.code().unwrap_or(255);
    format!("{code}\n{}", text_of(output))
}

fn text_of(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Ends this kernel as `reboot -f`, `halt -f` or `poweroff -f` does.
///
/// # Errors
/// The system's.
pub fn end(way: &str) -> io::Result<()> {
    Command::new(way).arg("-f").status().map(drop)
}

fn log_lines(line: &str, output: &Output) -> Vec<String> {
    let mut lines: Vec<String> = text_of(output).lines().map(log_line).collect();
    lines.push(log_line(Ordered {
        exit: output.status.code().and_then(|code| code.try_into().ok()),
        order: line.into(),
    }));
    lines
}

fn log_line(what: impl Display) -> String {
    format!("order: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[test]
    fn the_end_of_an_order_is_logged_last() {
        let output = Output {
            status: ExitStatus::from_raw(3 << 8),
            stdout: b"a\nb\n".to_vec(),
            stderr: b"c\n".to_vec(),
        };
        assert_eq!(
            log_lines("disarm", &output),
            [
                "order: a",
                "order: b",
                "order: c",
                "order: event=ordered exit=3 order=disarm ;"
            ]
        );
        assert_eq!(told(&output), "3\na\nb\nc\n");
    }
}
