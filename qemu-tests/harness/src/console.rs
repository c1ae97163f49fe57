//! Console lines: `[    1.234567] who: text`, and the events among them.

use sharedmem::event::Event;

/// A line of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleLine<'a> {
    /// Time since boot, in microseconds.
    pub time_us: u64,
    /// The program that wrote it: `monitor`, `a` or `b`; of a Linux, the program that wrote to its log.
    pub who: &'a str,
    /// What it says.
    pub text: &'a str,
}

impl<'a> ConsoleLine<'a> {
    /// Reads a line; `None` if it is something else, such as the firmware's.
    pub fn parse(line: &'a str) -> Option<Self> {
        let (time, rest) = line.trim_end().strip_prefix('[')?.split_once("] ")?;
        let (seconds, fraction) = time.trim_start().split_once('.')?;
        let (who, text) = rest.split_once(": ")?;
        let is_number =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if fraction.len() != 6 || !is_number(seconds) || !is_number(fraction) {
            return None;
        }
        let seconds_us = seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?;
        let time_us = seconds_us.checked_add(fraction.parse().ok()?)?;
        Some(Self { time_us, who, text })
    }
}

/// An event of a line, with its time and its writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged<E> {
    /// Time since boot, in microseconds.
    pub time_us: u64,
    /// The program that wrote it.
    pub who: String,
    /// The event.
    pub event: E,
}

impl<E: Event> Logged<E> {
    /// Reads a console line; `None` if it is not the whole line of such an event.
    pub fn parse(line: &str) -> Option<Self> {
        let line = ConsoleLine::parse(line)?;
        let event = E::parse(line.text).ok()?;
        Some(Self {
            time_us: line.time_us,
            who: line.who.into(),
            event,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharedmem::event::{FirstReply, Serving};

    #[test]
    fn a_line_has_time_writer_and_text() {
        let line = ConsoleLine::parse("[   12.000345] monitor: plan: who: cores\r\n").unwrap();
        assert_eq!(
            (line.time_us, line.who, line.text),
            (12_000_345, "monitor", "plan: who: cores")
        );
        for other in [
            "",
            "SeaBIOS (version 1.16)",
            "[1.5] a: short fraction",
            "[ 1.000000] no colon",
            "[x.000000] a: b",
            "[ 1.00000x] a: b",
            "[ 1.+00000] a: b",
            "[99999999999999999999.000000] a: b",
            "[18446744073709551615.000000] a: b",
        ] {
            assert_eq!(ConsoleLine::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn an_event_has_a_time() {
        let event = FirstReply {
            epoch: 2,
            at_ns: 440_000_000,
        };
        let line = format!("[    0.445929] b: {event}\r\n");
        let logged = Logged {
            time_us: 445_929,
            who: "b".into(),
            event,
        };
        assert_eq!(Logged::parse(&line), Some(logged));
        assert_eq!(Logged::<Serving>::parse(&line), None);
        assert_eq!(Logged::<FirstReply>::parse(&line[..line.len() - 3]), None);
    }
}
