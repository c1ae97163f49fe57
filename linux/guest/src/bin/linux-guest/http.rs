//! As much of HTTP/1.1 as one request and one reply on a connection take.

/// What comes before the body is shorter than this.
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
    /// The number that the query has for `key`.
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

/// What was made of the bytes that came in.
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
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return match bytes.len() {
            0..MAX_HEAD_BYTES => Parsed::Partial,
            _ => Parsed::Refused(431, "the head of a request is shorter than 8 KiB"),
        };
    };
    let Some((head, length)) = std::str::from_utf8(&bytes[..end])
        .ok()
        .and_then(|head| Some((head, body_length(head)?)))
    else {
        return Parsed::Refused(400, "this is no HTTP request");
    };
    if length > MAX_BODY_BYTES {
        return Parsed::Refused(413, "a body is no longer than 1 MiB");
    }
    let body = &bytes[end + 4..];
    let Some(body) = body.get(..length) else {
        return Parsed::Partial;
    };
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next())
    else {
        return Parsed::Refused(400, "this is no HTTP request");
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return Parsed::Refused(400, "this is no HTTP/1.1 request for a path");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Parsed::Whole(Request {
        method,
        path,
        query,
        body,
    })
}

/// The length that the head gives, 0 if it gives none; `None` if that is no length.
fn body_length(head: &str) -> Option<usize> {
    let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    match headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        Some((_, value)) => value.trim().parse().ok(),
        None => Some(0),
    }
}

/// A reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// All is well, and this is the answer.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            body: body.into(),
        }
    }

    /// A line of text.
    pub fn text(status: u16, text: &str) -> Self {
        Self {
            status,
            body: format!("{text}\n").into_bytes(),
        }
    }

    /// The reply as it is sent.
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
            &b"\r\n\r\n"[..],
            b"GET\r\n\r\n",
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
    fn a_reply_says_how_long_it_is() {
        assert_eq!(
            Reply::ok("abc").bytes(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
        );
        assert!(
            Reply::text(404, "no")
                .bytes()
                .starts_with(b"HTTP/1.1 404 Refused\r\n")
        );
    }
}
