//! What the other kernel and the monitor have left to be read.

use std::fmt::Write as _;

use sharedmem::log_ring::{LOG_BYTES, LogRing};

use crate::device::Device;
use crate::problem::Problem;

/// The other kernel's epitaph and log, and the monitor's log.
///
/// # Errors
/// None so far; what is there, is told.
pub fn text(device: &Device) -> Result<String, Problem> {
    let control = device.control();
    let other = 1 - (device.info.instance as usize).min(1);
    let mut out = String::new();
    match control.epitaphs[other].read() {
        Some(epitaph) => {
            let cause = epitaph.cause.map_or("unknown".into(), |cause| {
                format!("{cause:?}").to_lowercase()
            });
            let _ = writeln!(
                out,
                "instance {other} ended in epoch {}: {cause} on its CPU {}: {}",
                epitaph.epoch,
                epitaph.core,
                printable(epitaph.message().as_bytes())
            );
        }
        None => {
            let _ = writeln!(out, "instance {other} left no epitaph");
        }
    }
    section(&mut out, "its log", &control.instance_logs[other]);
    section(&mut out, "the monitor's log", &control.monitor_log);
    Ok(out)
}

fn section(out: &mut String, name: &str, ring: &LogRing) {
    let mut bytes = vec![0; LOG_BYTES];
    let taken = ring.copy_tail(&mut bytes);
    let _ = writeln!(out, "--- {name}, {taken} bytes");
    for line in printable(&bytes[..taken]).lines() {
        let _ = writeln!(out, "{line}");
    }
}

/// The bytes of a kernel that died are hostile, and a terminal is easily led astray.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_log_reaches_the_terminal_as_an_order() {
        let ring = LogRing::default();
        ring.write(b"panic\x1b[2J\nnext\x80\n");
        let mut out = String::new();
        section(&mut out, "its log", &ring);
        assert_eq!(
            out,
            "--- its log, 16 bytes\npanic\u{fffd}[2J\nnext\u{fffd}\n"
        );
    }
}
