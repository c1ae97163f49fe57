//! Runs what the operator would type.

use std::fs;
use std::io;
use std::process::{Command, Output, Stdio};
use std::thread;

/// Starts `understudyctl` with the words of `line`. It may run longer than any client waits, so its output and its exit
/// code go to the kernel's log.
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
    thread::spawn(move || {
        let lines = match child.wait_with_output() {
            Ok(output) => log_lines(&line, &output),
            Err(error) => vec![format!("order: event=order-failed error=\"{error}\"")],
        };
        for line in lines {
            // Each write is a line of its own in the log.
            let _ = fs::write("/dev/kmsg", line);
        }
    });
    Ok(())
}

/// Ends this kernel as `reboot -f` does.
///
/// # Errors
/// The system's.
pub fn reboot() -> io::Result<()> {
    Command::new("reboot").arg("-f").status().map(drop)
}

fn log_lines(line: &str, output: &Output) -> Vec<String> {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let exit = output.status.code().unwrap_or(-1);
    let mut lines: Vec<String> = text.lines().map(|line| format!("order: {line}")).collect();
    lines.push(format!("order: event=ordered exit={exit} order=\"{line}\""));
    lines
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
                "order: event=ordered exit=3 order=\"disarm\""
            ]
        );
    }
}
