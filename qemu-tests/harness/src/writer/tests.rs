//! The writing client against a server that dies, forgets, or refuses.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

use super::*;
use crate::client::{IMPATIENT, PATIENT};

/// A server that is bad in one way.
#[derive(Default)]
struct Badness {
    /// It hangs up on every so many writes, after it did them and before it answers.
    dies_every: Option<u64>,
    /// It forgets every so many writes, and acknowledges them.
    forgets_every: Option<u64>,
    /// It refuses writes after so many.
    full_after: Option<u64>,
}

#[derive(Default)]
struct Server {
    badness: Badness,
    store: Mutex<HashMap<String, String>>,
    writes: AtomicU64,
}

impl Server {
    fn start(badness: Badness) -> (Arc<Self>, u16) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Arc::new(Self {
            badness,
            ..Self::default()
        });
        let shared = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let server = shared.clone();
                // A client that hangs up ends its thread.
                thread::spawn(move || server.serve(stream.unwrap()));
            }
        });
        (server, port)
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let words = read_command(&mut reader)?;
            let reply = self.obey(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
            (&stream).write_all(reply.as_bytes()).ok()?;
        }
    }

    /// Returns the reply, or `None` to hang up.
    fn obey(&self, words: &[&str]) -> Option<String> {
        let mut store = self.store.lock().unwrap();
        let bulk = |value: Option<&String>| match value {
            Some(value) => format!("${}\r\n{value}\r\n", value.len()),
            None => "$-1\r\n".into(),
        };
        match words {
            ["MGET", keys @ ..] => {
                let values: String = keys.iter().map(|key| bulk(store.get(*key))).collect();
                return Some(format!("*{}\r\n{values}", keys.len()));
            }
            ["KEYS", pattern] => {
                let prefix = pattern.trim_end_matches('*');
                let keys: Vec<String> = store
                    .keys()
                    .filter(|key| key.starts_with(prefix))
                    .map(|key| bulk(Some(key)))
                    .collect();
                return Some(format!("*{}\r\n{}", keys.len(), keys.concat()));
            }
            ["SET" | "INCR", ..] => {}
            _ => return Some("+OK\r\n".into()),
        }
        let number = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        let is_due = |every: Option<u64>| every.is_some_and(|every| number.is_multiple_of(every));
        if self.badness.full_after.is_some_and(|limit| number > limit) {
            return Some("-OOM command not allowed when used memory > 'maxmemory'.\r\n".into());
        }
        let is_forgotten = is_due(self.badness.forgets_every);
        let reply = match words {
            ["SET", key, value] => {
                if !is_forgotten {
                    store.insert((*key).into(), (*value).into());
                }
                "+OK\r\n".into()
            }
            [_, key] => {
                let value = store
                    .get(*key)
                    .map_or(0, |digits| digits.parse::<i64>().unwrap())
                    + 1;
                if !is_forgotten {
                    store.insert((*key).into(), value.to_string());
                }
                format!(":{value}\r\n")
            }
            _ => panic!("{words:?}"),
        };
        (!is_due(self.badness.dies_every)).then_some(reply)
    }
}

/// Reads an array of bulk strings.
fn read_command(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let mut line = || {
        let mut line = String::new();
        (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let count: usize = line()?.strip_prefix('*')?.parse().ok()?;
    (0..count)
        .map(|_| line().and_then(|_length| line()))
        .collect()
}

const LONG: Duration = Duration::from_secs(20);

fn audit(badness: Badness) -> crate::ledger::KeyAudit {
    let kills = badness.dies_every.is_some();
    let (_, port) = Server::start(badness);
    let writer = KeyWriter::start(port, "w", IMPATIENT);
    writer.wait_more(200, LONG).unwrap();
    assert_eq!(writer.broken_connections() > 0, kills);
    let ledger = writer.finish().unwrap();
    ledger
        .audit(&mut client::connect(port, PATIENT).unwrap())
        .unwrap()
}

#[test]
fn a_server_that_dies_and_keeps_its_word_is_clean() {
    let found = audit(Badness {
        dies_every: Some(7),
        ..Badness::default()
    });
    assert!(found.is_clean() && found.acked_writes >= 200, "{found}");
}

#[test]
fn a_server_that_forgets_is_found_out() {
    let found = audit(Badness {
        forgets_every: Some(50),
        ..Badness::default()
    });
    assert!(
        found.lost_writes >= 4 && found.invented_writes == 0,
        "{found}"
    );
}

#[test]
fn a_server_that_refuses_stops_the_client() {
    let (_, port) = Server::start(Badness {
        full_after: Some(20),
        ..Badness::default()
    });
    let writer = KeyWriter::start(port, "w", IMPATIENT);
    let stopped = writer.wait_more(100, LONG).unwrap_err();
    assert_eq!(
        stopped,
        Problem::Failed("a writing client has stopped".into())
    );
    assert!(matches!(writer.finish(), Err(Problem::Failed(text)) if text.contains("OOM")));
}

#[test]
fn a_server_that_is_gone_is_waited_for_as_long_as_said() {
    let port = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let writer = KeyWriter::start(port, "w", IMPATIENT);
    let late = writer.wait_more(1, Duration::from_millis(50)).unwrap_err();
    assert_eq!(
        late,
        Problem::TimedOut("1 of 1 writes not acknowledged within 50.0ms".into())
    );
    assert_eq!(writer.finish().unwrap().acked_writes(), 0);
}
