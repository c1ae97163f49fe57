//! Replies: a head, and a body that is made as fast as the client takes it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use journal::RecentRecords;

use crate::records::{Form, write_from};

/// How much of a long body is made at once, in bytes.
const PIECE_BYTES: usize = 4096;
/// How much of a long body is measured at once, in bytes: the main loop does it between other things.
const MEASURED_BYTES: usize = 16 << 10;

/// A status code.
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

/// What there is to send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// These bytes, at least one.
    Bytes(&'a [u8]),
    /// Nothing in this round of the main loop: the reply goes on in the next.
    NotYet,
    /// Nothing more: all of it is sent.
    End,
}

/// A reply that is being sent. The connection ends with it.
#[derive(Debug)]
pub struct Reply {
    /// Bytes that are made already.
    made: Vec<u8>,
    /// How many of these bytes are sent.
    sent: usize,
    rest: Rest,
}

/// The part of a reply that is still to be made.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Nothing,
    /// The head, which states the length of the body. Records from position `from` on are still to be measured.
    Head {
        form: Form,
        from: u64,
        body_bytes: u64,
        has_body: bool,
    },
    /// Records from position `from` on.
    Records {
        form: Form,
        from: u64,
    },
}

impl Reply {
    /// Makes a reply with this body.
    pub(crate) fn of(code: Code, media_type: &str, body: &[u8]) -> Self {
        let mut made = head(code, media_type, body.len() as u64).into_bytes();
        made.extend_from_slice(body);
        Self {
            made,
            sent: 0,
            rest: Rest::Nothing,
        }
    }

    /// Makes the reply for a client that did not get its request out in time.
    pub fn too_slow() -> Self {
        Self::text(Code::RequestTimeout, "the request took too long")
    }

    /// Makes a reply of one line of text.
    pub(crate) fn text(code: Code, text: &str) -> Self {
        Self::of(
            code,
            "text/plain; charset=utf-8",
            format!("{text}\n").as_bytes(),
        )
    }

    /// Makes a reply of all records.
    pub(crate) fn records(form: Form) -> Self {
        Self {
            made: Vec::new(),
            sent: 0,
            rest: Rest::Head {
                form,
                from: 0,
                body_bytes: 0,
                has_body: true,
            },
        }
    }

    /// Removes the body, for a HEAD request.
    pub(crate) fn without_body(mut self) -> Self {
        let end = self.made.windows(4).position(|four| four == b"\r\n\r\n");
        self.made
            .truncate(end.map_or(self.made.len(), |end| end + 4));
        if let Rest::Head { has_body, .. } = &mut self.rest {
            *has_body = false;
        }
        self
    }

    /// Returns what to send next. `records` are those that the reply was made of.
    ///
    /// Each call makes or measures some KiB at most, and the records that begin in them.
    pub fn piece(&mut self, records: &RecentRecords) -> Piece<'_> {
        if self.sent == self.made.len() {
            self.made.clear();
            self.sent = 0;
            self.rest = self.make(records);
        }
        match (&self.made[self.sent..], self.rest) {
            ([], Rest::Nothing) => Piece::End,
            ([], _) => Piece::NotYet,
            (bytes, _) => Piece::Bytes(bytes),
        }
    }

    /// Notes that `count` bytes of the [`piece`](Self::piece) are sent.
    pub fn sent(&mut self, count: usize) {
        self.sent = (self.sent + count).min(self.made.len());
    }

    /// Makes some of the rest. Returns what is left of it.
    fn make(&mut self, records: &RecentRecords) -> Rest {
        match self.rest {
            Rest::Nothing => Rest::Nothing,
            Rest::Records { form, from } => {
                match write_from(records, form, from, PIECE_BYTES, &mut self.made) {
                    Some(from) => Rest::Records { form, from },
                    None => Rest::Nothing,
                }
            }
            Rest::Head {
                form,
                from,
                body_bytes,
                has_body,
            } => {
                let mut measured = Vec::new();
                let next = write_from(records, form, from, MEASURED_BYTES, &mut measured);
                let body_bytes = body_bytes + measured.len() as u64;
                if let Some(from) = next {
                    return Rest::Head {
                        form,
                        from,
                        body_bytes,
                        has_body,
                    };
                }
                self.made = head(Code::Ok, form.media_type(), body_bytes).into_bytes();
                match has_body {
                    true => Rest::Records { form, from: 0 },
                    false => Rest::Nothing,
                }
            }
        }
    }
}

/// Makes the head of a reply. It forbids caching, because the page is of this moment, and scripts, because it has none.
fn head(code: Code, media_type: &str, body_bytes: u64) -> String {
    let allow = match code {
        Code::MethodNotAllowed => "Allow: GET, HEAD\r\n",
        _ => "",
    };
    format!(
        "HTTP/1.1 {}\r\nContent-Type: {media_type}\r\nContent-Length: {body_bytes}\r\n{allow}\
         Cache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nX-Content-Type-Options: nosniff\r\n\
         Connection: close\r\n\r\n",
        code.line()
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::string::ToString;

    /// Sends a reply in steps of at most `step` bytes. Returns head and body.
    pub(crate) fn sent(
        mut reply: Reply,
        records: &RecentRecords,
        step: usize,
    ) -> (String, Vec<u8>) {
        let mut all = Vec::new();
        loop {
            let count = match reply.piece(records) {
                Piece::Bytes(bytes) => {
                    let count = bytes.len().min(step);
                    all.extend_from_slice(&bytes[..count]);
                    count
                }
                Piece::NotYet => 0,
                Piece::End => break,
            };
            reply.sent(count);
        }
        let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let body = all.split_off(end);
        (String::from_utf8(all).unwrap(), body)
    }

    #[test]
    fn a_reply_says_how_long_it_is_in_whatever_steps_it_is_sent() {
        for step in [1, 7, 1 << 20] {
            let reply = Reply::text(Code::NotFound, "nothing here");
            let (head, body) = sent(reply, &RecentRecords::new(0), step);
            assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
            assert!(head.contains("\r\nContent-Length: 13\r\n") && !head.contains("Allow"));
            assert_eq!(body, b"nothing here\n");
        }
    }

    #[test]
    fn a_long_body_is_made_in_pieces_and_as_long_as_its_head_says() {
        let mut records = RecentRecords::new(1 << 20);
        for position in 0..1000 {
            records.keep(position * 64, 1, &[b'x'; 40]);
        }
        for form in [Form::Json, Form::Raw] {
            let reply = Reply::records(form);
            let (head, body) = sent(reply, &records, 1000);
            let length = "Content-Length: ".to_string() + &body.len().to_string();
            assert!(head.contains(&length), "{head} and {} bytes", body.len());
            assert_eq!(body.iter().filter(|byte| **byte == b'\n').count(), 1000);
            let reply = Reply::records(form).without_body();
            assert_eq!(sent(reply, &records, 1000), (head, Vec::new()));
        }
    }

    #[test]
    fn a_long_body_is_measured_and_made_in_short_rounds() {
        let mut records = RecentRecords::new(1 << 20);
        for position in 0..1000 {
            records.keep(position * 64, 1, &[b'x'; 99]);
        }
        let mut reply = Reply::records(Form::Raw);
        let rounds_expected = 6;
        let rounds = (0..).take_while(|_| reply.piece(&records) == Piece::NotYet);
        assert_eq!(rounds.count(), rounds_expected);
        reply.sent(reply.made.len());
        let Piece::Bytes(piece) = reply.piece(&records) else {
            panic!("the body follows the head");
        };
        assert!(piece.len() < 2 * PIECE_BYTES);
    }
}
