//! Values that more than one option, or only the command line, has.

use alloc::format;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::Service;
use crate::duration::{DurationText, parse_duration};
use crate::refusal::ValueError;

/// Reads a duration, which must be in `range`, in ns.
pub(super) fn duration_in(text: &str, range: RangeInclusive<u64>) -> Result<u64, ValueError> {
    let ns = parse_duration(text)?;
    let (min, max) = (DurationText(*range.start()), DurationText(*range.end()));
    match ns {
        _ if ns < *range.start() => Err(ValueError::new(
            format!("shorter than {min}"),
            format!("{min} to {max}"),
        )),
        _ if ns > *range.end() => Err(ValueError::new(
            format!("longer than {max}"),
            format!("{min} to {max}"),
        )),
        _ => Ok(ns),
    }
}

/// Reads the time of the hardware watchdog, in ns; `None` if it is off. Less could end a takeover.
pub(super) fn watchdog_time(text: &str) -> Result<Option<u64>, ValueError> {
    let time = (text != "off").then(|| duration_in(text, 10_000_000_000..=600_000_000_000));
    time.transpose()
}

/// Reads one of these words.
pub(super) fn one_of<T: Copy>(text: &str, values: &[(&str, T)]) -> Result<T, ValueError> {
    let found = values.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = values.iter().map(|(word, _)| *word).collect();
        ValueError::new("there is no such choice", words.join(" or "))
    })
}

/// Reads a service and its port.
pub(super) fn parse_service(text: &str) -> Result<Service, ValueError> {
    let (name, port) = text.split_once(':').unwrap_or((text, "6379"));
    if name != "redis" {
        return Err(ValueError::new(
            "there is no such service",
            "redis or redis:6379",
        ));
    }
    match port_number(port) {
        Some(port) => Ok(Service::Redis { port }),
        None => Err(no_port(port, "redis:6379")),
    }
}

/// Reads the port of the status page; `None` if there is to be none.
pub(super) fn parse_status_port(text: &str) -> Result<Option<u16>, ValueError> {
    match text {
        "none" | "0" => Ok(None),
        _ => port_number(text)
            .map(Some)
            .ok_or_else(|| no_port(text, "80, or none")),
    }
}

/// Reads a whole number of at most `most`.
pub(super) fn parse_count(text: &str, most: u32) -> Result<u32, ValueError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|it| is_number && *it <= most);
    number.ok_or_else(|| {
        ValueError::new(
            format!("`{text}` is not a whole number up to {most}"),
            format!("0 to {most}"),
        )
    })
}

/// Reads the number of a TCP port.
fn port_number(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

/// Refuses what is no TCP port.
fn no_port(text: &str, would_work: &str) -> ValueError {
    ValueError::new(
        format!("`{text}` is not a TCP port, 1 to 65535"),
        would_work,
    )
}
