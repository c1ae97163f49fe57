//! The operator's orders to slices, and what is told of them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use compute_slice::SliceEntry;
use compute_slice::operator::answer::{LogPiece, ResultText};
use sharedmem::mailbox::{ARGUMENTS, ComputeOrder, compute_text};

use super::{Slice, Slices};

/// Bytes of a log that an answer has room for.
const LOG_PIECE_BYTES: usize = 128;

/// Bytes of a result that an answer has room for.
const RESULT_PIECE_BYTES: usize = 64;

/// Reads a position in bytes; 0 if there is none.
fn position(text: &str) -> Result<u64, String> {
    match text {
        "" => Ok(0),
        _ => text
            .parse()
            .map_err(|_| format!("`{text}` is no number of bytes")),
    }
}

impl Slices {
    /// Carries out an order, which the primary claims that the operator gave. Returns the state of the slice.
    ///
    /// # Errors
    /// Why it is not carried out.
    pub(crate) fn obey(&mut self, arguments: &[u64; ARGUMENTS]) -> Result<String, String> {
        let text = compute_text(arguments);
        let text = core::str::from_utf8(&text).map_err(|_| "the order is no text".to_string())?;
        let order = ComputeOrder::from_number(arguments[0])
            .ok_or_else(|| format!("there is no order number {}", arguments[0]))?;
        if order == ComputeOrder::List {
            return Ok(self.names());
        }
        let (name, what) = text.split_once(' ').unwrap_or((text, ""));
        let names = self.names();
        let slice = self.slices.iter_mut().find(|it| it.tenant.name() == name);
        let slice = slice.ok_or_else(|| match names.as_str() {
            "" => "the boot line has no compute=".into(),
            names => format!("there is no slice `{name}`, there is {names}"),
        })?;
        match order {
            ComputeOrder::List | ComputeOrder::Status => {}
            ComputeOrder::Log => return slice.log(what),
            ComputeOrder::Result => return slice.result(what),
            ComputeOrder::Start => slice.start(what)?,
            ComputeOrder::Stop if slice.computation.stop() => {}
            ComputeOrder::Stop => return Err(format!("nothing of it runs: {}", slice.state())),
        }
        Ok(slice.state())
    }

    /// Returns all names. An answer has room for the longest ones.
    fn names(&self) -> String {
        let names: Vec<&str> = self.slices.iter().map(|it| it.tenant.name()).collect();
        names.join(" ")
    }
}

impl Slice {
    fn start(&mut self, what: &str) -> Result<(), String> {
        if self.computation.is_active() {
            return Err(format!("stop it first: {}", self.state()));
        }
        if !self.tenant.starts_at_boot() {
            return Err("the boot line gives it no image".into());
        }
        if !what.is_empty() {
            self.tenant.set_arguments(what)?;
        }
        match self.computation.start(SliceEntry::Fresh) {
            true => Ok(()),
            false => Err(format!("it cannot be started: {}", self.state())),
        }
    }

    /// Returns a piece of the log. It is the computation's text, so what is not printable is shown as a question mark.
    fn log(&self, from: &str) -> Result<String, String> {
        let from = position(from)?;
        let mut piece = [0; LOG_PIECE_BYTES];
        let (start, length) = self.tenant.log(from, &mut piece);
        let piece = &piece[..length];
        let end = piece.iter().position(|byte| *byte == b'\n');
        let (text, taken) = match end {
            Some(end) => (&piece[..end], end + 1),
            None => (piece, length),
        };
        let shown = |byte: &u8| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '?',
        };
        let text: String = text.iter().map(shown).collect();
        let piece = LogPiece {
            start,
            next: start + taken as u64,
            text: &text,
        };
        Ok(piece.to_string())
    }

    /// Returns a piece of a result.
    fn result(&self, what: &str) -> Result<String, String> {
        let (region, from) = what.split_once(' ').unwrap_or((what, "0"));
        let mut piece = [0; RESULT_PIECE_BYTES];
        let read = self.tenant.result(region, position(from)?, &mut piece)?;
        let text = ResultText {
            step: read.step,
            length: read.bytes,
            bytes: piece[..read.copied].to_vec(),
        };
        Ok(text.to_string())
    }

    /// Says what it does: its name, its state, the number of the entry, the last committed step. What an earlier job
    /// left says nothing of one that is about to be entered.
    fn state(&self) -> String {
        let name = self.tenant.name();
        let state = match self.computation.idle() {
            Some(idle) => idle.name(),
            None if self.computation.is_due() => return format!("{name} starting"),
            None if self.computation.is_stopping() => "stopping",
            None => "running",
        };
        let entries = self.computation.entries();
        let step = match self.tenant.committed() {
            Some(step) => format!(", step {step} committed"),
            None => String::new(),
        };
        let exit_code = match self.tenant.exit_code() {
            Some(code) => format!(", exit code {code}"),
            None => String::new(),
        };
        format!("{name} {state}, entry {entries}{step}{exit_code}")
    }
}
