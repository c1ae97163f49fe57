//! HTTP/1.1 with one request and one response on a connection. `httparse` reads the head.

use httparse::{EMPTY_HEADER, Header, Status};

/// A request has no more headers than this.
const MAX_HEADERS: usize = 32;

/// The head of a request is shorter than this.
const MAX_HEAD_BYTES: usize = 8 * 1024;

/// A body is no longer than this.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// A request. It borrows from the bytes it was read from.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// `GET`, `POST`, ...
    pub method: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// The query, without the question mark.
    query: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// Returns the number that the query has for `key`.
    pub fn number(&self, key: &str) -> Option<u64> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == key)?;
        // `parse` would take a sign.
        value
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| value.parse().ok())?
    }
}

/// What the bytes that came in are.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// A whole request.
    Whole(Request<'a>),
    /// The beginning of one.
    Partial,
    /// No request: status and reason.
    Refused(u16, &'static str),
}

/// Reads a request.
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let body = match head.parse(bytes) {
        Ok(Status::Complete(head_bytes)) => &bytes[head_bytes..],
        Ok(Status::Partial) if bytes.len() < MAX_HEAD_BYTES => return Parsed::Partial,
        Ok(Status::Partial) => {
            return Parsed::Refused(431, "the head of a request is shorter than 8 KiB");
        }
        Err(_) => return Parsed::Refused(400, "this is no HTTP request"),
    };
    let (Some(method), Some(target), Some(length)) =
        (head.method, head.path, body_length(head.headers))
    else {
        return Parsed::Refused(400, "this is no HTTP request");
    };
    if !target.starts_with('/') {
        return Parsed::Refused(400, "this is no HTTP/1.1 request for a path");
    }
    if length > MAX_BODY_BYTES {
        return Parsed::Refused(413, "a body is no longer than 1 MiB");
    }
    let Some(body) = body.get(..length) else {
        return Parsed::Partial;
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Parsed::Whole(Request {
        method,
        path,
        query,
        body,
    })
}

/// Returns the length of the body, 0 if no header gives it; `None` if what the header gives is no length.
fn body_length(headers: &[Header<'_>]) -> Option<usize> {
    let mut lengths = headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("content-length"));
    match lengths.next() {
        Some(header) => std::str::from_utf8(header.value).ok()?.trim().parse().ok(),
        None => Some(0),
    }
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Makes a response of status 200.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            body: body.into(),
        }
    }

    /// Makes a response whose body is a line of text.
    pub fn text(status: u16, text: &str) -> Self {
        Self {
            status,
            body: format!("{text}\n").into_bytes(),
        }
    }

    /// Returns the response as it is sent.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!(
            "HTTP/1.1 {} {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.status,
            if self.status == 200 { "OK" } else { "Refused" },
            self.body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &[u8] =
        b"POST /append?file=7&at=12&sign=-1 HTTP/1.1\r\nHost: x\r\ncontent-length: 5\r\n\r\nhello";

    #[test]
    fn a_request_is_read_when_it_is_whole() {
        for length in 0..POST.len() {
            assert_eq!(parse(&POST[..length]), Parsed::Partial, "{length}");
        }
        let Parsed::Whole(request) = parse(POST) else {
            panic!()
        };
        assert_eq!(
            (request.method, request.path, request.body),
            ("POST", "/append", &b"hello"[..])
        );
        assert_eq!(
            (request.number("file"), request.number("at")),
            (Some(7), Some(12))
        );
        assert_eq!(
            (request.number("sign"), request.number("none")),
            (None, None)
        );
        let Parsed::Whole(request) = parse(b"GET / HTTP/1.0\r\n\r\n") else {
            panic!()
        };
        assert_eq!(
            (request.path, request.query, request.body),
            ("/", "", &b""[..])
        );
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bytes in [
            &b"GET\r\n\r\n"[..],
            b"GET x HTTP/1.1\r\n\r\n",
            b"GET / SPDY\r\n\r\n",
            b"\xff\xfe / HTTP/1.1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        ] {
            assert!(matches!(parse(bytes), Parsed::Refused(400, _)), "{bytes:?}");
        }
        assert!(matches!(
            parse(&[b'x'; MAX_HEAD_BYTES]),
            Parsed::Refused(431, _)
        ));
        let large = b"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n";
        assert!(matches!(parse(large), Parsed::Refused(413, _)));
    }

    #[test]
    fn a_response_says_how_long_it_is() {
        assert_eq!(
            Response::ok("abc").bytes(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
        );
        assert!(
            Response::text(404, "no")
                .bytes()
                .starts_with(b"HTTP/1.1 404 Refused\r\n")
        );
    }
}
