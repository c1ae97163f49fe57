//! What the operator of a native machine does with its compute slices over the network: read logs and results, run a
//! job and wait for its end.

use std::thread;
use std::time::Duration;

use harness::operator::compute;
use harness::problem::{Problem, require};

/// Between two looks at a job.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How often a result is read anew that the computation overwrites meanwhile.
const ATTEMPTS: u32 = 5;

/// A reader of a slice's log.
#[derive(Debug)]
pub struct LogReader<'s> {
    port: u16,
    slice: &'s str,
    position: u64,
    /// A line whose end was not read yet.
    begun: String,
}

impl<'s> LogReader<'s> {
    /// Makes a reader that begins with the oldest text.
    pub fn new(port: u16, slice: &'s str) -> Self {
        Self {
            port,
            slice,
            position: 0,
            begun: String::new(),
        }
    }

    /// Reads on to the end of the log as it is now. Calls `line` with each line.
    ///
    /// # Errors
    /// The machine does not answer as it should.
    pub fn read(&mut self, mut line: impl FnMut(&str)) -> Result<(), Problem> {
        loop {
            let position = self.position.to_string();
            let words: [&[u8]; 3] = [b"LOG", self.slice.as_bytes(), position.as_bytes()];
            let answer = compute(self.port, &words)?;
            let piece = LogPiece::parse(&answer)
                .ok_or_else(|| Problem::Failed(format!("LOG: {answer}")))?;
            if piece.start > self.position {
                line(&format!("({} bytes are lost)", piece.start - self.position));
                self.begun.clear();
            }
            if piece.next == self.position {
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
}

/// A piece of a log, as the monitor answers.
#[derive(Debug, PartialEq, Eq)]
struct LogPiece<'a> {
    start: u64,
    next: u64,
    text: &'a str,
}

impl<'a> LogPiece<'a> {
    fn parse(answer: &'a str) -> Option<Self> {
        let mut parts = answer.splitn(3, ' ');
        let [start, next] = [parts.next()?.parse().ok()?, parts.next()?.parse().ok()?];
        let text = parts.next().unwrap_or("");
        Some(Self { start, next, text })
    }

    /// Says whether a line ends behind it: the line end was taken too.
    fn ends_line(&self) -> bool {
        self.next - self.start > self.text.len() as u64
    }
}

/// Reads a result of a slice. Returns it with the step that it is of.
///
/// # Errors
/// There is none, or the computation overwrites it faster than it can be read.
pub fn result(port: u16, slice: &str, region: &str) -> Result<(u64, Vec<u8>), Problem> {
    for _ in 0..ATTEMPTS {
        if let Some(whole) = result_of_one_step(port, slice, region)? {
            return Ok(whole);
        }
    }
    Err(Problem::Failed(format!(
        "{region} is overwritten faster than it can be read; it can be when the job has ended"
    )))
}

/// Reads a result; `None` if the next step was committed meanwhile.
fn result_of_one_step(
    port: u16,
    slice: &str,
    region: &str,
) -> Result<Option<(u64, Vec<u8>)>, Problem> {
    let mut read: Option<(u64, Vec<u8>)> = None;
    loop {
        let position = read
            .as_ref()
            .map_or(0, |(_, bytes)| bytes.len())
            .to_string();
        let words: [&[u8]; 4] = [
            b"RESULT",
            slice.as_bytes(),
            region.as_bytes(),
            position.as_bytes(),
        ];
        let answer = compute(port, &words)?;
        let (step, length, piece) =
            parse_result(&answer).ok_or_else(|| Problem::Failed(format!("RESULT: {answer}")))?;
        let (of, bytes) = read.get_or_insert((step, Vec::new()));
        if *of != step {
            return Ok(None);
        }
        bytes.extend(piece);
        if bytes.len() as u64 >= length {
            return Ok(read);
        }
    }
}

/// Reads an answer: step, length, a piece.
fn parse_result(answer: &str) -> Option<(u64, u64, Vec<u8>)> {
    let mut parts = answer.split(' ');
    let [step, length] = [parts.next()?.parse().ok()?, parts.next()?.parse().ok()?];
    let digits = parts.next()?.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    let bytes = bytes.filter(|it| !it.is_empty() && rest.is_empty())?;
    Some((step, length, bytes))
}

/// How a job ended.
#[derive(Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// It is done, with this exit code.
    Finished(u8),
    /// It came to another end, which the text names.
    Other(String),
}

/// Waits for the end of what a slice computes. Calls `line` with each line of its log that was written meanwhile.
///
/// # Errors
/// The machine does not answer as it should.
pub fn wait(port: u16, log: &mut LogReader<'_>, line: impl Fn(&str)) -> Result<JobEnd, Problem> {
    loop {
        let state = compute(port, &[b"STATUS", log.slice.as_bytes()])?;
        log.read(&line)?;
        if let Some(end) = end_of(&state) {
            return Ok(end);
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Returns how a job ended, by the state that the monitor tells; `None` if it goes on.
fn end_of(state: &str) -> Option<JobEnd> {
    let (head, _) = state.split_once(',').unwrap_or((state, ""));
    match head.rsplit(' ').next() {
        Some("running" | "stopping") => None,
        Some("finished") => {
            let code = state.rsplit_once("exit code ");
            let code = code.and_then(|(_, code)| code.parse().ok());
            Some(code.map_or_else(|| JobEnd::Other(state.into()), JobEnd::Finished))
        }
        _ => Some(JobEnd::Other(state.into())),
    }
}

/// Starts a job, and prints nothing. Returns a reader of what it logs from now on.
///
/// # Errors
/// It cannot be started.
pub fn start<'s>(
    port: u16,
    slice: &'s str,
    arguments: &[String],
) -> Result<LogReader<'s>, Problem> {
    let mut log = LogReader::new(port, slice);
    log.read(|_| ())?;
    let mut words: Vec<&[u8]> = vec![b"START", slice.as_bytes()];
    words.extend(arguments.iter().map(|it| it.as_bytes()));
    let state = compute(port, &words)?;
    require(!state.is_empty(), || "START: no state".into())?;
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_or_refused() {
        let whole = LogPiece::parse("0 6 first").unwrap();
        assert!(whole.ends_line() && whole.text == "first");
        assert!(!LogPiece::parse("6 9 sec").unwrap().ends_line());
        assert!(
            LogPiece::parse("6 7 ").unwrap().ends_line(),
            "an empty line"
        );
        assert_eq!(LogPiece::parse("no log"), None);
        assert_eq!(parse_result("7 66 abcd"), Some((7, 66, vec![0xab, 0xcd])));
        for wrong in ["7 66 abc", "7 66 ", "7 66", "x 66 ab", "7 66 zz"] {
            assert_eq!(parse_result(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_job_ends_with_its_exit_code_or_with_what_the_monitor_says() {
        let finished = "cg finished, entry 2, step 299 committed, exit code 7";
        assert_eq!(end_of(finished), Some(JobEnd::Finished(7)));
        for going in [
            "cg running, entry 1, step 3 committed",
            "cg stopping, entry 1",
        ] {
            assert_eq!(end_of(going), None);
        }
        for other in [
            "cg given-up, entry 4",
            "cg finished, entry 2",
            "cg failed, entry 1",
        ] {
            assert_eq!(end_of(other), Some(JobEnd::Other(other.into())));
        }
    }
}
