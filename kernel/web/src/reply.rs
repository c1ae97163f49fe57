//! A reply: its head, and a body that is made as fast as the client takes it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::records::{Form, Records};

/// How much of a long body is made at once, in bytes.
const PIECE_BYTES: usize = 4096;

/// A status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    UriTooLong,
    HeadersTooLarge,
    VersionNotSupported,
}

impl Code {
    fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::UriTooLong => "414 URI Too Long",
            Self::HeadersTooLarge => "431 Request Header Fields Too Large",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// A reply on its way out. The connection ends with it.
#[derive(Debug)]
pub struct Reply {
    /// What is made; the head at first.
    piece: Vec<u8>,
    /// Bytes of the piece that are gone already.
    taken: usize,
    rest: Option<Rest>,
}

/// The part of a body that is still to be made: records from a position on.
#[derive(Clone, Copy, Debug)]
struct Rest {
    form: Form,
    from: u64,
}

impl Reply {
    /// One with this body.
    pub(crate) fn of(code: Code, media_type: &str, body: &[u8]) -> Self {
        let mut piece = head(code, media_type, body.len() as u64).into_bytes();
        piece.extend_from_slice(body);
        Self {
            piece,
            taken: 0,
            rest: None,
        }
    }

    /// For a client that did not get its request out in time.
    pub fn too_slow() -> Self {
        Self::text(Code::RequestTimeout, "the request took too long")
    }

    /// A line of text.
    pub(crate) fn text(code: Code, text: &str) -> Self {
        Self::of(
            code,
            "text/plain; charset=utf-8",
            format!("{text}\n").as_bytes(),
        )
    }

    /// All records.
    pub(crate) fn records(form: Form, records: &Records) -> Self {
        let head = head(Code::Ok, form.media_type(), records.body_bytes(form));
        Self {
            piece: head.into_bytes(),
            taken: 0,
            rest: Some(Rest { form, from: 0 }),
        }
    }

    /// The same without its body, which is what HEAD asks for.
    pub(crate) fn without_body(mut self) -> Self {
        let end = self.piece.windows(4).position(|four| four == b"\r\n\r\n");
        self.piece
            .truncate(end.map_or(self.piece.len(), |end| end + 4));
        self.rest = None;
        self
    }

    /// The next bytes to send; none when everything is sent. `records` are those that it was made of.
    pub fn piece(&mut self, records: &Records) -> &[u8] {
        if self.taken == self.piece.len() {
            self.piece.clear();
            self.taken = 0;
            self.rest = self.rest.and_then(|Rest { form, from }| {
                let next = records.write(form, from, PIECE_BYTES, &mut self.piece);
                next.map(|from| Rest { form, from })
            });
        }
        &self.piece[self.taken..]
    }

    /// Says that so many bytes of the [`piece`](Self::piece) are sent.
    pub fn take(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.piece.len());
    }
}

/// What is shown is of this moment, and none of it is a program.
fn head(code: Code, media_type: &str, body_bytes: u64) -> String {
    let allow = match code {
        Code::MethodNotAllowed => "Allow: GET, HEAD\r\n",
        _ => "",
    };
    format!(
        "HTTP/1.1 {}\r\nContent-Type: {media_type}\r\nContent-Length: {body_bytes}\r\n{allow}Cache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nX-Content-Type-Options: nosniff\r\n\
         Connection: close\r\n\r\n",
        code.line()
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::string::ToString;

    /// Everything that is sent, in steps of at most so many bytes, head and body.
    pub(crate) fn sent(mut reply: Reply, records: &Records, step: usize) -> (String, Vec<u8>) {
        let mut all = Vec::new();
        loop {
            let piece = reply.piece(records);
            let count = piece.len().min(step);
            if count == 0 {
                break;
            }
            all.extend_from_slice(&piece[..count]);
            reply.take(count);
        }
        let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let body = all.split_off(end);
        (String::from_utf8(all).unwrap(), body)
    }

    #[test]
    fn a_reply_says_how_long_it_is_in_whatever_steps_it_is_sent() {
        for step in [1, 7, 1 << 20] {
            let reply = Reply::text(Code::NotFound, "nothing here");
            let (head, body) = sent(reply, &Records::new(0), step);
            assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
            assert!(head.contains("\r\nContent-Length: 13\r\n") && !head.contains("Allow"));
            assert_eq!(body, b"nothing here\n");
        }
    }

    #[test]
    fn a_long_body_is_made_in_pieces_and_as_long_as_its_head_says() {
        let mut records = Records::new(1 << 20);
        for position in 0..1000 {
            records.keep(position * 64, 1, &[b'x'; 40]);
        }
        for form in [Form::Json, Form::Raw] {
            let reply = Reply::records(form, &records);
            let (head, body) = sent(reply, &records, 1000);
            let length = "Content-Length: ".to_string() + &body.len().to_string();
            assert!(head.contains(&length), "{head} and {} bytes", body.len());
            assert_eq!(body.iter().filter(|byte| **byte == b'\n').count(), 1000);
            let reply = Reply::records(form, &records).without_body();
            assert_eq!(sent(reply, &records, 1000), (head, Vec::new()));
        }
        let mut reply = Reply::records(Form::Raw, &records);
        reply.take(reply.piece.len());
        assert!(reply.piece(&records).len() < 2 * PIECE_BYTES);
    }
}
