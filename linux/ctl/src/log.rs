//! The epitaphs and logs of this kernel, the other one and the monitor. Reading leaves the rings' cursors alone,
//! because these belong to the owner of the console.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sharedmem::epitaph::{EpitaphCause, EpitaphText};
use sharedmem::log_ring::{LOG_BYTES, LogRing};
use sharedmem::{Control, Instance};

/// Returns everything as text.
pub fn text(control: &Control) -> String {
    let mut out = String::new();
    for (instance, place) in control.epitaphs.iter() {
        let _ = match place.read() {
            Some(epitaph) => writeln!(out, "{}", epitaph_line(instance, &epitaph)),
            None => writeln!(out, "instance {instance} left no epitaph"),
        };
    }
    for (instance, ring) in control.instance_logs.iter() {
        section(&mut out, &format!("log of instance {instance}"), ring);
    }
    section(&mut out, "log of the monitor", &control.monitor_log);
    out
}

/// Returns everything as JSON.
pub fn json(control: &Control) -> Value {
    let epitaphs = control.epitaphs.iter().filter_map(|(instance, place)| {
        let epitaph = place.read()?;
        Some(json!({
            "instance": instance.number(),
            "epoch": epitaph.epoch,
            "cause": epitaph.cause.map(EpitaphCause::name),
            "core": epitaph.core,
            "time_ns": epitaph.time_ns,
            "message": printable(epitaph.message().as_bytes()),
        }))
    });
    let lines = |ring: &LogRing| -> Vec<String> {
        printable(&tail(ring)).lines().map(String::from).collect()
    };
    json!({
        "epitaphs": epitaphs.collect::<Vec<_>>(),
        "instances": control.instance_logs.iter().map(|(_, ring)| lines(ring)).collect::<Vec<_>>(),
        "monitor": lines(&control.monitor_log),
    })
}

fn epitaph_line(instance: Instance, epitaph: &EpitaphText) -> String {
    format!(
        "instance {instance} ended in epoch {}, {:.6} s after the machine's boot, on its core {}: {}: {}",
        epitaph.epoch,
        epitaph.time_ns as f64 / 1e9,
        epitaph.core,
        epitaph
            .cause
            .map_or("for an unknown reason", EpitaphCause::name),
        printable(epitaph.message().as_bytes())
    )
}

fn section(out: &mut String, name: &str, ring: &LogRing) {
    let bytes = tail(ring);
    let _ = writeln!(out, "--- {name}, {} bytes", bytes.len());
    for line in printable(&bytes).lines() {
        let _ = writeln!(out, "{line}");
    }
}

/// Returns the newest bytes of a ring.
pub fn tail(ring: &LogRing) -> Vec<u8> {
    let mut bytes = vec![0; LOG_BYTES];
    let taken = ring.copy_tail(&mut bytes);
    bytes.truncate(taken);
    bytes
}

/// Returns the part of `now` that was not in `before` yet. Both are tails of the same ring, whose lines differ by their
/// times.
pub fn news<'a>(before: &[u8], now: &'a [u8]) -> &'a [u8] {
    let before = before.trim_ascii_end();
    let start = before.iter().rposition(|byte| *byte == b'\n');
    let last_line = &before[start.map_or(0, |end| end + 1)..];
    if last_line.is_empty() {
        return now;
    }
    let found = now
        .windows(last_line.len())
        .rposition(|window| window == last_line);
    // It is not there: so much was written that all of `before` was overwritten.
    found.map_or(now, |at| now[at + last_line.len()..].trim_ascii_start())
}

/// Returns text without control characters, because the bytes of a dead kernel are hostile, and a terminal obeys some
/// of them.
pub fn printable(bytes: &[u8]) -> String {
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
        section(&mut out, "log", &ring);
        assert_eq!(out, "--- log, 16 bytes\npanic\u{fffd}[2J\nnext\u{fffd}\n");
    }

    #[test]
    fn reading_leaves_the_cursors_alone() {
        let control = Box::<Control>::default();
        control.monitor_log.write(b"one\ntwo\n");
        assert_eq!(text(&control), text(&control));
        let mut buffer = [0; 64];
        assert_eq!(control.monitor_log.drain(&mut buffer), (8, 0));
    }

    #[test]
    fn epitaphs_are_told_with_their_causes() {
        let control = Box::<Control>::default();
        let mut epitaph = EpitaphText::new(3, EpitaphCause::Panic, 2);
        write!(epitaph, "Attempted to kill init!\x07").unwrap();
        control.epitaphs[Instance::B].write(&epitaph);
        let text = text(&control);
        assert!(text.contains("instance a left no epitaph"));
        assert!(text.contains("on its core 2: panic: Attempted to kill init!\u{fffd}"));
        let json = json(&control);
        assert_eq!(json["epitaphs"][0]["cause"], "panic");
        assert_eq!(json["epitaphs"][0]["instance"], 1);
    }

    #[test]
    fn only_what_is_new_is_news() {
        assert_eq!(news(b"", b"a\nb\n"), b"a\nb\n");
        assert_eq!(news(b"1 a\n2 b\n", b"1 a\n2 b\n"), b"");
        assert_eq!(news(b"1 a\n2 b\n", b"2 b\n3 c\n4 d\n"), b"3 c\n4 d\n");
        assert_eq!(news(b"1 a\n", b"7 x\n8 y\n"), b"7 x\n8 y\n");
    }
}
