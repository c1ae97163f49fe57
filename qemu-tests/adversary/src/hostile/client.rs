//! A client that sends whatever bytes it likes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use harness::problem::Problem;

/// How long a connection or one write may take. A server that does not read any more is no reason to wait longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// QEMU's network has no queue for clients who connect at once; the host would try again after a second only.
const ATTEMPT: Duration = Duration::from_millis(30);

/// A connection. What is sent need not be a command.
pub struct RawClient(TcpStream);

impl RawClient {
    /// Connects to the host's port.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(port: u16) -> Result<Self, Problem> {
        let address = ([127, 0, 0, 1], port).into();
        let deadline = Instant::now() + PATIENCE;
        let stream = loop {
            match TcpStream::connect_timeout(&address, ATTEMPT) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= deadline => return Err(failed(error)),
                Err(_) => {}
            }
        };
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        Ok(Self(stream))
    }

    /// Makes `count` connections, as many of them as are accepted.
    pub fn many(port: u16, count: usize) -> Vec<Self> {
        (0..count)
            .filter_map(|_| Self::connect(port).ok())
            .collect()
    }

    /// Sends bytes. Returns false if the server does not take them all, which is its right.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Sends a command, see [`command`].
    pub fn ask(&mut self, words: &[&[u8]]) -> bool {
        self.send(&command(words))
    }

    /// Reads until `count` bytes have come, nothing comes within `patience`, or the connection ends.
    pub fn read(&mut self, count: usize, patience: Duration) -> Vec<u8> {
        let deadline = Instant::now() + patience;
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        while bytes.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.0.set_read_timeout(Some(left)).is_err() {
                break;
            }
            match self.0.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(length) => bytes.extend(&buffer[..length]),
            }
        }
        bytes
    }

    /// Sends a command and returns the beginning of the reply, as far as it comes at once.
    pub fn reply(&mut self, words: &[&[u8]], patience: Duration) -> String {
        self.ask(words);
        String::from_utf8_lossy(&self.read(1, patience)).into_owned()
    }

    /// Ends its half of the connection.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn end_sending(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

/// Encodes a command as clients do.
pub fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend(*word);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// Encodes a command of `first` words and `count` times `repeated`.
pub fn long_command(first: &[&[u8]], repeated: &[u8], count: usize) -> Vec<u8> {
    let mut words = first.to_vec();
    words.extend(std::iter::repeat_n(repeated, count));
    command(&words)
}

fn failed(error: io::Error) -> Problem {
    Problem::Failed(format!("a hostile client: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_encoded_as_clients_do() {
        assert_eq!(command(&[b"GET", b""]), b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n");
        assert_eq!(
            long_command(&[b"A"], b"x", 2),
            b"*3\r\n$1\r\nA\r\n$1\r\nx\r\n$1\r\nx\r\n"
        );
    }
}
