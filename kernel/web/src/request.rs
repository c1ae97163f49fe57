//! Parses the head of a request, as far as the page needs it.

use httparse::{EMPTY_HEADER, Error};

use crate::reply::Code;

/// The longest head of a request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 4096;

/// The most headers of a request: more than any browser sends.
const HEADERS_MAX: usize = 64;

/// What the bytes of a client so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// The beginning of a request.
    Partial,
    /// A request. Its body, if it has one, is ignored.
    Whole(Request<'a>),
    /// A request that cannot be answered, and why.
    Refused(Code, &'static str),
}

/// The head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
}

impl Request<'_> {
    /// Returns whether the query contains this word, with or without a value.
    pub fn has(&self, word: &str) -> bool {
        let mut words = self.query.split('&');
        words.any(|pair| pair.split('=').next() == Some(word))
    }
}

/// Parses what a client has sent so far.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(status) if status.is_complete() => whole(&request),
        Ok(_) if bytes.len() < REQUEST_BYTES_MAX => Parsed::Partial,
        Ok(_) if request.path.is_none() => {
            Parsed::Refused(Code::UriTooLong, "the first line is too long")
        }
        Ok(_) => Parsed::Refused(Code::HeadersTooLarge, "the headers are too long"),
        Err(Error::TooManyHeaders) => {
            Parsed::Refused(Code::HeadersTooLarge, "there are too many headers")
        }
        Err(Error::Version) => Parsed::Refused(
            Code::VersionNotSupported,
            "only HTTP/1.0 and HTTP/1.1 are supported",
        ),
        Err(_) => Parsed::Refused(Code::BadRequest, "this is not an HTTP request"),
    }
}

fn whole<'a>(request: &httparse::Request<'_, 'a>) -> Parsed<'a> {
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Parsed::Refused(Code::BadRequest, "this is not an HTTP request");
    };
    let hosts = request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("host"))
        .count();
    // RFC 9112, 3.2.
    if hosts > 1 || (hosts == 0 && request.version == Some(1)) {
        return Parsed::Refused(
            Code::BadRequest,
            "HTTP/1.1 requires exactly one Host header",
        );
    }
    let Some(target) = origin_form(target) else {
        return Parsed::Refused(
            Code::BadRequest,
            "the target is neither a path nor an http address",
        );
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Parsed::Whole(Request {
        method,
        path,
        query,
    })
}

/// Returns path and query of a request's target. The target of a request to a proxy has the host before them.
fn origin_form(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return Some(target);
    }
    let rest = target.strip_prefix("http://")?;
    Some(rest.find('/').map_or("/", |start| &rest[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn refused(bytes: &[u8]) -> Option<Code> {
        match parse(bytes) {
            Parsed::Refused(code, _) => Some(code),
            _ => None,
        }
    }

    #[test]
    fn a_request_is_read_when_it_is_whole() {
        let bytes = b"GET /journal?x=1&raw HTTP/1.1\r\nhost: a\r\nAccept: */*\r\n\r\nrest";
        for end in 0..bytes.len() - 4 {
            assert_eq!(parse(&bytes[..end]), Parsed::Partial, "{end}");
        }
        let Parsed::Whole(request) = parse(bytes) else {
            panic!("{:?}", parse(bytes));
        };
        assert_eq!(
            (request.method, request.path, request.query),
            ("GET", "/journal", "x=1&raw")
        );
        assert!(request.has("raw") && request.has("x") && !request.has("1"));
        let old = b"HEAD / HTTP/1.0\r\n\r\n";
        assert!(matches!(parse(old), Parsed::Whole(request) if request.method == "HEAD"));
    }

    #[test]
    fn a_proxys_target_is_taken_for_what_it_names() {
        for (target, path) in [("http://a:80/journal?raw", "/journal"), ("http://a", "/")] {
            let text = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(
                matches!(parse(text.as_bytes()), Parsed::Whole(request) if request.path == path)
            );
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bytes in [
            &b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"[..],
            b"GET\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET x HTTP/1.1\r\nHost: a\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHo st: a\r\n\r\n",
        ] {
            assert_eq!(refused(bytes), Some(Code::BadRequest), "{bytes:?}");
        }
        assert_eq!(
            refused(b"GET / HTTP/2.0\r\n\r\n"),
            Some(Code::VersionNotSupported)
        );
    }

    #[test]
    fn what_is_too_long_is_refused_and_not_waited_for() {
        let mut long = format!("GET /{}", "x".repeat(REQUEST_BYTES_MAX)).into_bytes();
        assert_eq!(refused(&long), Some(Code::UriTooLong));
        long.truncate(REQUEST_BYTES_MAX - 1);
        assert_eq!(parse(&long), Parsed::Partial);
        let fat = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(REQUEST_BYTES_MAX));
        assert_eq!(refused(fat.as_bytes()), Some(Code::HeadersTooLarge));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(65));
        assert_eq!(refused(many.as_bytes()), Some(Code::HeadersTooLarge));
    }
}
