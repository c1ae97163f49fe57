//! A client of the guest's service: one request on a connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpReply {
    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks the service behind a port of this host; no step may take longer than `limit`.
///
/// # Errors
/// The network's. A reply that breaks off is an error, too.
pub fn request(
    port: u16,
    method: &str,
    target: &str,
    body: &[u8],
    limit: Duration,
) -> io::Result<HttpReply> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let mut message = format!(
        "{method} {target} HTTP/1.1\r\nHost: guest\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    message.extend_from_slice(body);
    stream.write_all(&message)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&bytes).ok_or_else(|| io::Error::new(ErrorKind::UnexpectedEof, "the reply breaks off"))
}

fn parse(bytes: &[u8]) -> Option<HttpReply> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = head
        .strip_prefix("HTTP/1.1 ")?
        .split(' ')
        .next()?
        .parse()
        .ok()?;
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))?
        .parse()
        .ok()?;
    let body = &bytes[end + 4..];
    (body.len() == length).then(|| HttpReply {
        status,
        body: body.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    const LIMIT: Duration = Duration::from_secs(20);

    fn answer(reply: &'static [u8], limit: Duration) -> io::Result<HttpReply> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let count = stream.read(&mut request).unwrap();
            stream.write_all(reply).unwrap();
            if reply.is_empty() {
                // Neither an answer nor an end.
                thread::sleep(Duration::from_millis(300));
            }
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        let reply = request(port, "POST", "/append?file=1", b"line", limit);
        let request = server.join().unwrap();
        assert!(
            request.starts_with("POST /append?file=1 HTTP/1.1\r\n")
                && request.ends_with("Content-Length: 4\r\n\r\nline"),
            "{request}"
        );
        reply
    }

    #[test]
    fn a_whole_reply_counts_and_no_other() {
        let reply = answer(
            b"HTTP/1.1 404 Refused\r\nContent-Length: 3\r\n\r\nno\n",
            LIMIT,
        )
        .unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (404, "no\n"));
        for broken in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 3",
            b"HTTP/1.1 200 OK\r\n\r\nno",
            b"x",
        ] {
            assert_eq!(
                answer(broken, LIMIT).unwrap_err().kind(),
                ErrorKind::UnexpectedEof
            );
        }
    }

    #[test]
    fn silence_has_a_limit() {
        let error = answer(b"", Duration::from_millis(50)).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "{error}"
        );
    }
}
