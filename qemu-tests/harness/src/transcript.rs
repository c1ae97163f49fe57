//! What a machine has printed so far. It is kept, logged, and waited for.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sharedmem::event::{self, Event};

use crate::console::{ConsoleLine, Logged};
use crate::problem::Problem;

/// How a machine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineEnd {
    /// By itself.
    Exited,
    /// Its time was up.
    TimeLimit,
}

/// Where a stream of the machine's process comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The guest's serial console.
    Console,
    /// QEMU itself.
    Qemu,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    complaints: Vec<String>,
    log: Option<File>,
    end: Option<MachineEnd>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The console of one machine, live.
#[derive(Clone, Default)]
pub struct Transcript {
    shared: Arc<Shared>,
}

impl Transcript {
    /// Begins an empty transcript, which is appended to the log file at `path`, after `title`.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn logged(path: &Path, title: &str) -> Result<Self, Problem> {
        let broken = |error| Problem::of_host(path.display(), error);
        path.parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .map_err(broken)?;
        let mut log = File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(broken)?;
        writeln!(log, "{title}").map_err(broken)?;
        let transcript = Self::default();
        transcript.state().log = Some(log);
        Ok(transcript)
    }

    /// Reads `stream` until it ends. `is_echoed` prints it, too.
    pub fn follow(
        &self,
        stream: impl Read + Send + 'static,
        source: Stream,
        is_echoed: bool,
    ) -> JoinHandle<()> {
        let transcript = self.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut bytes = Vec::new();
            while reader
                .read_until(b'\n', &mut bytes)
                .is_ok_and(|length| length > 0)
            {
                let line = String::from_utf8_lossy(&bytes)
                    .trim_end_matches(['\r', '\n'])
                    .to_owned();
                if is_echoed {
                    println!("{line}");
                }
                transcript.take(source, line);
                bytes.clear();
            }
            if source == Stream::Console {
                transcript.end(MachineEnd::Exited);
            }
        })
    }

    fn take(&self, source: Stream, line: String) {
        let mut state = self.state();
        let mark = if source == Stream::Qemu { "qemu: " } else { "" };
        if let Some(log) = &mut state.log {
            // A log that cannot be written, as the disk is full, must not end the machine it tells of.
            let _ = writeln!(log, "{mark}{line}");
        }
        match source {
            Stream::Console => state.lines.push(line),
            Stream::Qemu => state.complaints.push(line),
        }
        self.shared.changed.notify_all();
    }

    /// Notes that nothing more will come. The first reason stays.
    pub fn end(&self, end: MachineEnd) {
        self.state().end.get_or_insert(end);
        self.shared.changed.notify_all();
    }

    /// Returns how the machine ended, if it did.
    pub fn ended(&self) -> Option<MachineEnd> {
        self.state().end
    }

    /// Returns all lines of the console so far.
    pub fn lines(&self) -> Vec<String> {
        self.state().lines.clone()
    }

    /// Returns the last lines of the console, and all that QEMU printed.
    pub fn tail(&self, count: usize) -> Vec<String> {
        let state = self.state();
        let lines = state.lines[state.lines.len().saturating_sub(count)..]
            .iter()
            .cloned();
        lines
            .chain(state.complaints.iter().map(|line| format!("qemu: {line}")))
            .collect()
    }

    /// Returns all events of this kind so far.
    pub fn events<E: Event>(&self) -> Vec<E> {
        let state = self.state();
        let logged = state.lines.iter().filter_map(|line| Logged::parse(line));
        logged.map(|logged| logged.event).collect()
    }

    /// Waits for a line in which `pick` finds something, printed already or yet to come. `what` names it for people.
    ///
    /// # Errors
    /// It does not come in time, or the machine ends.
    pub fn wait_for<T>(
        &self,
        what: &str,
        limit: Duration,
        mut pick: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, Problem> {
        let deadline = Instant::now() + limit;
        let mut seen = 0;
        let mut state = self.state();
        loop {
            while let Some(line) = state.lines.get(seen) {
                seen += 1;
                if let Some(found) = pick(line) {
                    return Ok(found);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match state.end {
                Some(MachineEnd::TimeLimit) => {
                    return Err(Problem::TimedOut(format!(
                        "the machine's time was up before {what}"
                    )));
                }
                Some(MachineEnd::Exited) => return Err(ended_before(what, &state)),
                None if left.is_zero() => {
                    return Err(Problem::TimedOut(format!("no {what} within {limit:.1?}")));
                }
                None => {}
            }
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .expect(NO_PANIC)
                .0;
        }
    }

    /// Waits for an event that `is_wanted`.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for); lines of such an event that do not parse are named.
    pub fn wait_for_event<E: Event>(
        &self,
        limit: Duration,
        is_wanted: impl Fn(&E) -> bool,
    ) -> Result<E, Problem> {
        let name = E::SPEC.name;
        let mut damaged = Vec::new();
        let found = self.wait_for(&format!("event={name}"), limit, |line| {
            let text = ConsoleLine::parse(line)?.text;
            match E::parse(text) {
                Ok(event) => Some(event).filter(&is_wanted),
                Err(error) => {
                    if event::name_in(text) == Some(name) {
                        damaged.push(format!("{line}: {error}"));
                    }
                    None
                }
            }
        });
        found.map_err(|problem| match damaged.is_empty() {
            true => problem,
            false => problem.while_doing(&format!("reading {}", damaged.join("; "))),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect(NO_PANIC)
    }
}

const NO_PANIC: &str = "no thread panics while it holds the transcript";

/// Reports that the machine has ended. If the guest printed nothing, the set-up is at fault; otherwise the guest is.
fn ended_before(what: &str, state: &State) -> Problem {
    let complaints = match state.complaints.is_empty() {
        true => "it said nothing".into(),
        false => state.complaints.join("; "),
    };
    let text = format!("QEMU ended before {what}: {complaints}");
    if state.lines.is_empty() {
        Problem::BrokenSetUp(text)
    } else {
        Problem::Failed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharedmem::Instance;
    use sharedmem::event::Serving;
    use std::io::Cursor;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(30);

    #[test]
    fn what_was_printed_and_what_will_be_is_found() {
        let transcript = Transcript::default();
        let (sender, receiver) = std::io::pipe()
            .map(|(reader, writer)| (writer, reader))
            .unwrap();
        let reader = transcript.follow(receiver, Stream::Console, false);
        let mut sender = sender;
        let serving = |epoch| Serving {
            instance: Instance::A,
            epoch,
            cores: None,
            port: None,
        };
        let (one, two) = (serving(1), serving(2));
        write!(sender, "firmware\r\n[    0.000001] a: {one}\n[    0.0000").unwrap();
        let first = transcript.wait_for_event::<Serving>(LONG, |_| true);
        assert_eq!(first, Ok(one));
        let later = thread::spawn(move || {
            thread::sleep(SHORT);
            writeln!(sender, "02] b: {two}").unwrap();
        });
        let second = transcript.wait_for_event::<Serving>(LONG, |event| event.epoch == 2);
        assert_eq!(second, Ok(serving(2)));
        later.join().unwrap();
        reader.join().unwrap();
        assert_eq!(transcript.lines()[0], "firmware");
        assert_eq!(transcript.events::<Serving>().len(), 2);
        assert_eq!(transcript.ended(), Some(MachineEnd::Exited));
    }

    #[test]
    fn a_line_that_was_cut_is_no_event_and_is_named() {
        let transcript = Transcript::default();
        let line = "[    0.000001] a: event=serving instance=a epoch=1";
        let reader = transcript.follow(Cursor::new(line), Stream::Console, false);
        reader.join().unwrap();
        assert!(transcript.events::<Serving>().is_empty());
        let problem = transcript
            .wait_for_event::<Serving>(SHORT, |_| true)
            .unwrap_err();
        assert!(problem.text().contains(line), "{problem}");
    }

    #[test]
    fn waiting_ends_by_time_by_limit_and_by_exit() {
        let transcript = Transcript::default();
        let wait = || {
            transcript
                .wait_for("a miracle", SHORT, |_| None::<()>)
                .unwrap_err()
        };
        assert_eq!(
            wait(),
            Problem::TimedOut("no a miracle within 30.0ms".into())
        );
        let reader = transcript.follow(Cursor::new("no such device"), Stream::Qemu, false);
        reader.join().unwrap();
        assert_eq!(transcript.ended(), None);
        transcript.end(MachineEnd::Exited);
        assert_eq!(
            wait(),
            Problem::BrokenSetUp("QEMU ended before a miracle: no such device".into())
        );
        transcript
            .follow(Cursor::new("alive"), Stream::Console, false)
            .join()
            .unwrap();
        assert_eq!(
            wait(),
            Problem::Failed("QEMU ended before a miracle: no such device".into())
        );
        assert_eq!(transcript.tail(1), ["alive", "qemu: no such device"]);

        let slow = Transcript::default();
        slow.end(MachineEnd::TimeLimit);
        slow.end(MachineEnd::Exited);
        assert!(matches!(
            slow.wait_for("x", LONG, |_| None::<()>),
            Err(Problem::TimedOut(_))
        ));
    }

    #[test]
    fn everything_is_logged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/one.log");
        for title in ["# first", "# second"] {
            let transcript = Transcript::logged(&path, title).unwrap();
            transcript
                .follow(Cursor::new("line\r\nlast"), Stream::Console, false)
                .join()
                .unwrap();
            transcript
                .follow(Cursor::new("oops\n"), Stream::Qemu, false)
                .join()
                .unwrap();
        }
        let log = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            log,
            "# first\nline\nlast\nqemu: oops\n# second\nline\nlast\nqemu: oops\n"
        );
    }
}
