//! Writes lines into a log ring: within each site's budget, and the reasons again and again.

use core::fmt::{self, Write};

use sharedmem::event::{LinesLeftOut, Word};
use sharedmem::log_ring::{LINE_BYTES, LogRing};

use super::budget::{Admission, Budget, Site};
use super::reasons::Reasons;

/// What is written before a reason that was written before.
const EARLIER: &[u8] = b"earlier: ";

/// Who logs, and when.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The program's name.
    pub who: &'static str,
    /// Now, in microseconds since boot.
    pub now_us: u64,
}

/// A line under construction. One byte is always kept free for the newline. What is beyond [`LINE_BYTES`] is cut off.
pub struct Line {
    bytes: [u8; LINE_BYTES],
    length: usize,
}

impl Line {
    /// Returns the line `[    1.234567] who: text`.
    pub fn of(stamp: Stamp, text: impl fmt::Display) -> Self {
        let mut line = Self {
            bytes: [0; LINE_BYTES],
            length: 0,
        };
        let (seconds, fraction) = (stamp.now_us / 1_000_000, stamp.now_us % 1_000_000);
        // It takes any text.
        let _ = write!(line, "[{seconds:5}.{fraction:06}] {}: {text}", stamp.who);
        line.bytes[line.length] = b'\n';
        line.length += 1;
        line
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = LINE_BYTES - 1 - self.length;
        let taken = text.len().min(free);
        self.bytes[self.length..self.length + taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.length += taken;
        Ok(())
    }
}

/// The state of a program's log.
#[derive(Debug)]
pub struct LogWriter {
    budget: Budget,
    reasons: Reasons,
    /// Bytes that were written.
    position: u64,
}

impl LogWriter {
    /// Returns the state of an empty log.
    pub const fn new() -> Self {
        Self {
            budget: Budget::new(),
            reasons: Reasons::new(),
            position: 0,
        }
    }

    /// Counts a line of `site` as left out if the site is muted now. Returns whether it is: then the line need not be
    /// formatted.
    pub fn leaves_out(&mut self, ring: &LogRing, site: Site, stamp: Stamp) -> bool {
        self.report_left_out(ring, stamp);
        self.budget.leaves_out(site)
    }

    /// Writes `line`, or counts it as left out. `is_reason` keeps it.
    pub fn write(
        &mut self,
        ring: &LogRing,
        site: Site,
        stamp: Stamp,
        line: &Line,
        is_reason: bool,
    ) {
        let line = line.as_bytes();
        match self.budget.admit(site, line.len(), stamp.now_us) {
            Admission::Write => {
                if is_reason {
                    self.reasons.keep(site, line, self.position);
                }
                self.append(ring, line);
            }
            Admission::Mute => {
                let Site { module, line } = site;
                let text = format_args!("further lines from {module}:{line} are left out for now");
                self.append(ring, Line::of(stamp, text).as_bytes());
            }
            Admission::LeaveOut => {}
        }
    }

    /// Tells what was left out, of all sites that may write again.
    pub fn report_left_out(&mut self, ring: &LogRing, stamp: Stamp) {
        while let Some(left_out) = self.budget.unmute(stamp.now_us) {
            let event = LinesLeftOut {
                lines: left_out.lines,
                module: Word::of(left_out.site.module),
                line: left_out.site.line,
            };
            self.append(ring, Line::of(stamp, event).as_bytes());
        }
    }

    /// Writes `line`, and before it the reasons that would soon be overwritten.
    fn append(&mut self, ring: &LogRing, line: &[u8]) {
        let mut position = self.position;
        let mut put = |text: &[u8]| {
            ring.write(text);
            position += text.len() as u64;
            position
        };
        self.reasons.write_again(self.position, |reason| {
            put(EARLIER);
            put(reason)
        });
        self.position = put(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharedmem::event::{Event, Protected};
    use sharedmem::log_ring::LOG_BYTES;
    use std::string::String;
    use std::string::ToString;
    use std::vec;

    struct Bench {
        writer: LogWriter,
        ring: LogRing,
        now_us: u64,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                writer: LogWriter::new(),
                ring: LogRing::default(),
                now_us: 0,
            }
        }

        fn log(&mut self, number: u32, text: &str, is_reason: bool) {
            let site = Site {
                module: "bench",
                line: number,
            };
            let stamp = Stamp {
                who: "a",
                now_us: self.now_us,
            };
            if !self.writer.leaves_out(&self.ring, site, stamp) {
                let line = Line::of(stamp, text);
                self.writer.write(&self.ring, site, stamp, &line, is_reason);
            }
        }

        fn ring(&self) -> String {
            let mut bytes = vec![0; LOG_BYTES];
            let taken = self.ring.copy_tail(&mut bytes);
            String::from_utf8(bytes[..taken].to_vec()).unwrap()
        }
    }

    #[test]
    fn no_flood_pushes_a_reason_out_of_the_ring() {
        let mut bench = Bench::new();
        bench.log(0, "the backup is lost: it diverged", true);
        // From one place, and from a hundred that each keep to their budgets.
        for number in 0..200_000 {
            bench.now_us += 5_000;
            bench.log(1 + number % 100, &"flood ".repeat(20), false);
            bench.log(1, &"flood ".repeat(160), number % 2 == 0);
            if number % 97 == 0 {
                assert!(bench.ring().contains("it diverged"), "after {number}");
            }
        }
    }

    #[test]
    fn a_reason_that_is_told_again_is_no_event() {
        let mut bench = Bench::new();
        let reason = Protected {}.to_string();
        bench.log(0, &reason, true);
        for number in 1..100 {
            bench.log(number, &"x".repeat(500), false);
        }
        let ring = bench.ring();
        let again = ring.lines().find(|line| line.contains(&reason));
        let expected = std::format!("earlier: [    0.000000] a: {reason}");
        assert_eq!(again, Some(expected.as_str()));
    }

    #[test]
    fn what_is_left_out_is_said_at_once_and_counted_later() {
        let mut bench = Bench::new();
        for _ in 0..1000 {
            bench.log(7, &"x".repeat(80), false);
        }
        let ring = bench.ring();
        assert!(ring.ends_with("a: further lines from bench:7 are left out for now\n"));
        assert!(ring.len() < LOG_BYTES / 3);
        bench.now_us = 2_000_000;
        bench.log(8, "another place", false);
        let ring = bench.ring();
        let told = ring.lines().rev().nth(1).unwrap();
        let (_, text) = told.split_once("a: ").unwrap();
        let event = LinesLeftOut::parse(text).unwrap();
        let written = ring.matches("xxx\n").count() as u64;
        assert_eq!((event.line, event.lines + written), (7, 1000));
        assert_eq!(event.module.as_str(), "bench");
    }

    #[test]
    fn a_line_is_cut_at_its_limit_and_ends() {
        let stamp = Stamp {
            who: "a",
            now_us: 1_234_567,
        };
        let line = Line::of(stamp, "x".repeat(2 * LINE_BYTES));
        assert!(line.as_bytes().starts_with(b"[    1.234567] a: xxx"));
        assert!(line.as_bytes().ends_with(b"xx\n") && line.length == LINE_BYTES);
    }
}
