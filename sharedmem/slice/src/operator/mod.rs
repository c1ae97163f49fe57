//! What an operator does with slices, whichever way the orders go to the monitor: read logs and results, run a job and
//! wait for its end. [`answer`] has the form of what the monitor answers.

pub mod answer;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sharedmem::mailbox::ComputeOrder;

use answer::{LogPiece, ResultText};

/// How often a result is read anew that the computation overwrites meanwhile.
const ATTEMPTS: u32 = 5;

/// The way to the monitor.
pub trait Orders {
    /// What can go wrong.
    type Error;

    /// Gives an order; `text` is that of the mailbox. Returns the text of the answer.
    ///
    /// # Errors
    /// The monitor refuses, or does not answer.
    fn give(&mut self, order: ComputeOrder, text: &str) -> Result<String, Self::Error>;

    /// Makes an error of what was found wrong.
    fn error(&self, text: String) -> Self::Error;
}

/// Returns the state of each slice.
///
/// # Errors
/// As [`Orders::give`].
pub fn states<O: Orders>(orders: &mut O) -> Result<Vec<String>, O::Error> {
    let names = orders.give(ComputeOrder::List, "")?;
    let names = names.split_whitespace();
    names
        .map(|name| orders.give(ComputeOrder::Status, name))
        .collect()
}

/// A reader of a slice's log.
#[derive(Debug)]
pub struct LogReader {
    slice: String,
    position: u64,
    /// A line whose end was not read yet.
    begun: String,
}

impl LogReader {
    /// Makes a reader that begins with the oldest text.
    pub fn new(slice: &str) -> Self {
        Self {
            slice: slice.into(),
            position: 0,
            begun: String::new(),
        }
    }

    /// Reads on to the end of the log as it is now. Calls `line` with each whole line.
    ///
    /// # Errors
    /// As [`Orders::give`], or the answer makes no sense.
    pub fn read<O: Orders>(
        &mut self,
        orders: &mut O,
        mut line: impl FnMut(&str),
    ) -> Result<(), O::Error> {
        loop {
            let text = format!("{} {}", self.slice, self.position);
            let answer = orders.give(ComputeOrder::Log, &text)?;
            let Some(piece) = LogPiece::parse(&answer) else {
                return Err(orders.error(format!("the answer is no piece of a log: {answer}")));
            };
            if piece.start > self.position {
                line(&format!("({} bytes are lost)", piece.start - self.position));
                self.begun.clear();
            }
            if piece.next <= self.position {
                return Ok(());
            }
            self.position = piece.next;
            self.begun += piece.text;
            if piece.ends_line() {
                line(&self.begun);
                self.begun.clear();
            }
        }
    }

    /// Waits for the end of what the slice computes. Calls `line` with each line of its log that was written meanwhile,
    /// and between two looks `pause`, with the slice's state.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn wait<O: Orders>(
        &mut self,
        orders: &mut O,
        mut line: impl FnMut(&str),
        mut pause: impl FnMut(&str),
    ) -> Result<JobEnd, O::Error> {
        loop {
            // Asked before the log is read, so that nothing of the log is left unread.
            let state = orders.give(ComputeOrder::Status, &self.slice)?;
            self.read(orders, &mut line)?;
            if let Some(end) = JobEnd::of(&state) {
                return Ok(end);
            }
            pause(&state);
        }
    }
}

/// A result, as of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeResult {
    /// The step that it is of.
    pub step: u64,
    /// What it is.
    pub bytes: Vec<u8>,
}

/// Reads a result of a slice.
///
/// # Errors
/// There is none, or the computation overwrites it faster than it can be read.
pub fn result<O: Orders>(
    orders: &mut O,
    slice: &str,
    region: &str,
) -> Result<WholeResult, O::Error> {
    for _ in 0..ATTEMPTS {
        if let Some(whole) = result_of_one_step(orders, slice, region)? {
            return Ok(whole);
        }
    }
    Err(orders.error(format!(
        "{region} is overwritten faster than it can be read; it can be when the job has ended"
    )))
}

/// Reads a result; `None` if the next step was committed meanwhile.
fn result_of_one_step<O: Orders>(
    orders: &mut O,
    slice: &str,
    region: &str,
) -> Result<Option<WholeResult>, O::Error> {
    let mut whole: Option<WholeResult> = None;
    loop {
        let position = whole.as_ref().map_or(0, |it| it.bytes.len());
        let text = format!("{slice} {region} {position}");
        let answer = orders.give(ComputeOrder::Result, &text)?;
        let Some(piece) = ResultText::parse(&answer) else {
            return Err(orders.error(format!("the answer is no piece of a result: {answer}")));
        };
        let result = whole.get_or_insert_with(|| WholeResult {
            step: piece.step,
            bytes: Vec::new(),
        });
        if result.step != piece.step {
            return Ok(None);
        }
        result.bytes.extend(piece.bytes);
        if result.bytes.len() as u64 >= piece.length {
            return Ok(whole);
        }
    }
}

/// Starts a job; without arguments, the same as before. Returns a reader of what it logs from now on.
///
/// # Errors
/// It cannot be started.
pub fn start<O: Orders>(
    orders: &mut O,
    slice: &str,
    arguments: &[String],
) -> Result<LogReader, O::Error> {
    let mut log = LogReader::new(slice);
    log.read(orders, |_| ())?;
    orders.give(ComputeOrder::Start, &start_text(slice, arguments))?;
    Ok(log)
}

/// Returns the text of an order to start.
pub fn start_text(slice: &str, arguments: &[String]) -> String {
    let words = [slice.to_string()].into_iter().chain(arguments.to_vec());
    words.collect::<Vec<_>>().join(" ")
}

/// How a job ended.
#[derive(Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// It is done, with this exit code.
    Finished(u8),
    /// It came to another end, which the text names.
    Other(String),
}

impl JobEnd {
    /// Returns how a job ended, by the state that the monitor tells; `None` if it goes on.
    pub fn of(state: &str) -> Option<Self> {
        let (head, _) = state.split_once(',').unwrap_or((state, ""));
        match head.rsplit(' ').next() {
            Some("starting" | "running" | "stopping") => None,
            Some("finished") => {
                let code = state.rsplit_once("exit code ");
                let code = code.and_then(|(_, code)| code.parse().ok());
                Some(code.map_or_else(|| Self::Other(state.into()), Self::Finished))
            }
            _ => Some(Self::Other(state.into())),
        }
    }
}
