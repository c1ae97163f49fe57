//! Console lines: `[    1.234567] who: text`, and the machine-readable ones among them, `event=NAME key=value ...`.

use std::collections::BTreeMap;

use crate::problem::Problem;

/// A line of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleLine<'a> {
    /// Time since boot, in microseconds.
    pub time_us: u64,
    /// The program that wrote it: `monitor`, `a` or `b`.
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

/// A machine-readable line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Time since boot, in microseconds.
    pub time_us: u64,
    /// The program that wrote it.
    pub who: String,
    /// What happened.
    pub name: String,
    fields: BTreeMap<String, String>,
}

impl Event {
    /// Reads a console line; `None` if it is none of an event.
    pub fn parse(line: &str) -> Option<Self> {
        let line = ConsoleLine::parse(line)?;
        let mut pairs = pairs(Some(line.text).filter(|text| text.starts_with("event="))?);
        let (_, name) = pairs.next()?;
        let fields = pairs
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        Some(Self {
            time_us: line.time_us,
            who: line.who.into(),
            name: name.into(),
            fields,
        })
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// The line has no such key.
    pub fn text(&self, key: &str) -> Result<&str, Problem> {
        let value = self.fields.get(key).map(String::as_str);
        value.ok_or_else(|| Problem::Failed(format!("event={} has no {key}=", self.name)))
    }

    /// The value of `key` as a whole number, decimal or `0x` hexadecimal.
    ///
    /// # Errors
    /// The line has no such key, or it is no whole number.
    pub fn number(&self, key: &str) -> Result<u64, Problem> {
        let text = self.text(key)?;
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.map_err(|_| self.no_number(key, text))
    }

    /// The value of `key` as a number with decimals.
    ///
    /// # Errors
    /// The line has no such key, or it is no number.
    pub fn decimal(&self, key: &str) -> Result<f64, Problem> {
        let text = self.text(key)?;
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| self.no_number(key, text))
    }

    /// Whether `key` is there and has this value.
    pub fn says(&self, key: &str, value: &str) -> bool {
        self.fields.get(key).is_some_and(|found| found == value)
    }

    fn no_number(&self, key: &str, text: &str) -> Problem {
        Problem::Failed(format!(
            "event={} has {key}={text}, which is no number",
            self.name
        ))
    }
}

/// The `key=value` pairs of a text. A value in double quotes may have blanks. What is no pair is passed over.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start();
            let (key, behind) = rest.split_once('=')?;
            if let Some((_, last)) = key.rsplit_once(' ') {
                // Words without a value came before it.
                rest = &rest[key.len() - last.len()..];
                continue;
            }
            let (value, next) = match behind.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => behind.split_once(' ').unwrap_or((behind, "")),
            };
            rest = next;
            return Some((key, value));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_event_has_a_name_and_fields() {
        let event = Event::parse(
            "[    0.445929] b: event=epitaph instance=a vector=14 address=0xffff8000 ratio=2707.1 message=\"in a = b\" last=",
        )
        .unwrap();
        assert_eq!(
            (event.name.as_str(), event.who.as_str(), event.time_us),
            ("epitaph", "b", 445_929)
        );
        assert_eq!(event.number("vector"), Ok(14));
        assert_eq!(event.number("address"), Ok(0xffff_8000));
        assert_eq!(event.decimal("ratio"), Ok(2707.1));
        assert_eq!(event.text("message"), Ok("in a = b"));
        assert_eq!(event.text("last"), Ok(""));
        assert!(
            event.says("instance", "a") && !event.says("instance", "b") && !event.says("core", "")
        );
        assert_eq!(
            event.number("core"),
            Err(Problem::Failed("event=epitaph has no core=".into()))
        );
        assert!(
            event.number("message").is_err()
                && event.decimal("message").is_err()
                && event.number("ratio").is_err()
        );
    }

    #[test]
    fn damaged_events_are_read_as_far_as_they_go() {
        let event = |text: &str| Event::parse(&format!("[    0.000001] a: {text}"));
        assert_eq!(event("no event=here"), None);
        assert_eq!(event("failover_mem=2T: too much"), None);
        assert_eq!(
            event("event=x stray words key=1 more")
                .unwrap()
                .number("key"),
            Ok(1)
        );
        assert_eq!(
            event("event=x text=\"cut off at the e")
                .unwrap()
                .text("text"),
            Ok("cut off at the e")
        );
        assert_eq!(event("event=x a=1 a=2").unwrap().number("a"), Ok(2));
        assert_eq!(event("event=\"\" =").unwrap().name, "");
    }
}
