//! Records the replies of a Redis server to the session in `tests/redis-7.0.txt`.
//!
//! ```text
//! redis-server --port 6390 --save "" --databases 16 --proto-max-bulk-len 16mb &
//! cargo run -p service --example record_replies -- 127.0.0.1:6390 kernel/service/tests/redis-7.0.txt
//! ```
//!
//! Commands and comments stay as they are, replies are replaced.

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/script.rs"]
mod script;

use script::{Answer, Step};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A server that was sent raw bytes and sends nothing for this long has sent everything.
const QUIET: Duration = Duration::from_millis(100);

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "usage: record_replies <host:port> <session file>",
        ));
    };
    let mut session = TcpStream::connect(&server)?;
    let mut recorded = vec![];
    for step in script::parse(&std::fs::read_to_string(&path)?) {
        let answer = match &step {
            Step::Reply(_) => continue,
            Step::Comment(_) => None,
            Step::Sleep(time_ms) => {
                std::thread::sleep(Duration::from_millis(*time_ms));
                None
            }
            Step::Command { line, .. } => Some(
                ask(&mut session, line)
                    .map_err(|error| Error::other(format!("{line}: {error}")))?,
            ),
            Step::Unrecorded(line) => {
                ask(&mut session, line)?;
                None
            }
            Step::Raw(text) => Some(converse(&server, &script::unescape(text))?),
        };
        recorded.push(step);
        recorded.extend(answer.map(Step::Reply));
    }
    std::fs::write(&path, script::print(&recorded))
}

fn ask(session: &mut TcpStream, line: &str) -> Result<Answer> {
    session.write_all(format!("{line}\r\n").as_bytes())?;
    let mut bytes = vec![];
    let mut chunk = [0; 4096];
    while common::scan_reply(&bytes).is_none() {
        let length = session.read(&mut chunk)?;
        if length == 0 {
            return Err(Error::new(
                ErrorKind::UnexpectedEof,
                format!("server gone at: {line}"),
            ));
        }
        bytes.extend_from_slice(&chunk[..length]);
    }
    Ok(Answer {
        bytes,
        closed: false,
    })
}

fn converse(server: &str, bytes: &[u8]) -> Result<Answer> {
    let mut connection = TcpStream::connect(server)?;
    connection.set_read_timeout(Some(QUIET))?;
    // A server that finds an error may end the connection before it has read everything.
    let _ = connection.write_all(bytes);
    let mut answer = Answer::default();
    let mut chunk = [0; 4096];
    loop {
        match connection.read(&mut chunk) {
            Ok(0) => answer.closed = true,
            Ok(length) => {
                answer.bytes.extend_from_slice(&chunk[..length]);
                continue;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => answer.closed = true,
            Err(_) => {}
        }
        return Ok(answer);
    }
}
