//! The one connection of a steady client, on which every byte is known beforehand.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long a client waits for anything: QEMU's user network, which speaks TCP with the guest, retransmits after a
/// second or more.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a client must not see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFailure {
    /// Its connection was reset, or ended.
    Reset(String),
    /// Something that it was owed did not come, or something else came.
    Lost(String),
}

impl ClientFailure {
    fn of(doing: &str, error: &io::Error) -> Self {
        use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        let text = format!("it cannot {doing}: {error}");
        match error.kind() {
            ConnectionReset | ConnectionAborted | BrokenPipe => Self::Reset(text),
            _ => Self::Lost(text),
        }
    }
}

impl fmt::Display for ClientFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Reset(text) | Self::Lost(text)) = self;
        f.write_str(text)
    }
}

/// A connection.
pub struct SteadyConnection {
    stream: TcpStream,
    last_reply: Instant,
}

impl SteadyConnection {
    /// Opens a connection to the service behind a port of this host.
    pub fn open(port: u16) -> Result<Self, ClientFailure> {
        let stream = TcpStream::connect(("127.0.0.1", port)).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        Ok(Self {
            stream: stream.map_err(|error| ClientFailure::of("connect", &error))?,
            last_reply: Instant::now(),
        })
    }

    /// Begins the silence that is measured here, and not with the last reply.
    pub fn begin_to_wait(&mut self) {
        self.last_reply = Instant::now();
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), ClientFailure> {
        let sent = self.stream.write_all(bytes);
        sent.map_err(|error| ClientFailure::of("send", &error))
    }

    /// Receives exactly `expected`. Returns the longest silence meanwhile.
    pub fn receive(&mut self, mut expected: &[u8]) -> Result<Duration, ClientFailure> {
        let length = expected.len();
        self.take(length, |bytes| {
            let (now, later) = expected.split_at(bytes.len());
            if bytes != now {
                let text = format!("{:?} came instead of {:?}", text(bytes), text(now));
                return Err(ClientFailure::Lost(text));
            }
            expected = later;
            Ok(())
        })
    }

    /// Receives `length` bytes, in pieces, for `each`. Returns the longest silence meanwhile.
    pub fn take(
        &mut self,
        length: usize,
        mut each: impl FnMut(&[u8]) -> Result<(), ClientFailure>,
    ) -> Result<Duration, ClientFailure> {
        let (mut left, mut longest) = (length, Duration::ZERO);
        let mut buffer = [0; 16 << 10];
        while left > 0 {
            let room = left.min(buffer.len());
            let read = self.stream.read(&mut buffer[..room]);
            let count = read.map_err(|error| ClientFailure::of("receive", &error))?;
            if count == 0 {
                let text = format!("the connection ends, {left} bytes early");
                return Err(ClientFailure::Reset(text));
            }
            each(&buffer[..count])?;
            left -= count;
            longest = longest.max(self.last_reply.elapsed());
            self.last_reply = Instant::now();
        }
        Ok(longest)
    }

    /// Waits for the end of the connection.
    pub fn expect_end(&mut self) -> Result<(), ClientFailure> {
        match self.stream.read(&mut [0; 1]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(ClientFailure::Lost("more came after the end".into())),
            Err(error) => Err(ClientFailure::of("come to an end in order", &error)),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// Sends `bytes` to a client that waits for `expected`, and hangs up. Returns what the client says.
    fn received(bytes: &'static [u8], expected: &[u8]) -> Result<Duration, ClientFailure> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || listener.accept().unwrap().0.write_all(bytes).unwrap());
        let mut line = SteadyConnection::open(port).unwrap();
        let received = line.receive(expected);
        server.join().unwrap();
        received
    }

    #[test]
    fn what_is_wrong_is_told_from_what_is_missing() {
        assert!(received(b"+OK\r\n", b"+OK\r\n").is_ok());
        assert!(matches!(
            received(b"+OX\r\n", b"+OK\r\n"),
            Err(ClientFailure::Lost(_))
        ));
        assert!(matches!(
            received(b"+OK", b"+OK\r\n"),
            Err(ClientFailure::Reset(_))
        ));
    }
}
