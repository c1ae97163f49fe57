//! A client of the status page gets a well-formed answer or none. Where its stream is cut makes no difference, and the
//! answer comes at the latest when the stream is too long.
//!
//! An input is a byte that says where the stream is cut, a byte for the size of the steps in which the answer is sent,
//! and the stream.

use journal::RecentRecords;
use sharedmem::Instance;
use sharedmem::obstacle::Obstacles;
use web::{JournalStatus, Piece, PrimaryStatus, REQUEST_BYTES_MAX, Reply, answer};

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let [cut, step, stream @ ..] = data else {
        return;
    };
    let mut records = RecentRecords::new(4096);
    for position in 0..20 {
        records.keep(position * 64, 1, b"a \"record\"\xff");
    }
    let reply = answer(stream, &records, status);
    assert!(
        reply.is_some() || stream.len() < REQUEST_BYTES_MAX,
        "it is waited for more"
    );
    let reply = reply.map(|reply| sent(reply, &records, usize::from(*step) + 1));
    if let Some(bytes) = &reply {
        // Empty lines before a request are ignored (RFC 9112, 2.2).
        let first = stream
            .iter()
            .position(|byte| !matches!(byte, b'\r' | b'\n'));
        let request = &stream[first.unwrap_or(stream.len())..];
        is_well_formed(bytes, request.starts_with(b"HEAD "));
    }
    let part = &stream[..stream.len() * usize::from(*cut) / 255];
    if let Some(early) = answer(part, &records, status) {
        let early = sent(early, &records, 1 << 20);
        assert_eq!(Some(early), reply, "the rest changes the answer");
    }
}

/// Makes the page of a primary that has nothing to show.
fn status() -> PrimaryStatus {
    PrimaryStatus {
        instance: Instance::A,
        version: "1.2.3",
        epoch: 1,
        cores: 3,
        uptime_ms: 65_432,
        service_port: 6379,
        obstacles: Obstacles::NONE,
        state_fault: None,
        journal: JournalStatus::default(),
        takeover: None,
        dead: None,
    }
}

/// Returns everything that is sent, in steps of at most this many bytes.
pub(super) fn sent(mut reply: Reply, records: &RecentRecords, step: usize) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match reply.piece(records) {
            Piece::Bytes(bytes) => {
                let count = bytes.len().min(step);
                all.extend_from_slice(&bytes[..count]);
                reply.sent(count);
            }
            Piece::NotYet => {}
            Piece::End => return all,
        }
    }
}

/// Checks that the body of a reply is as long as its head says. Returns the body.
pub(super) fn is_well_formed(bytes: &[u8], is_head: bool) -> &[u8] {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = bytes.split_at(end.expect("an end of the head") + 4);
    let head = std::str::from_utf8(head).expect("text");
    assert!(head.starts_with("HTTP/1.1 ") && head.is_ascii());
    let mut lines = head
        .lines()
        .filter_map(|line| line.strip_prefix("Content-Length: "));
    let length = lines.next().map(str::parse);
    assert_eq!(lines.next(), None);
    if !is_head {
        assert_eq!(length, Some(Ok(body.len())), "{head}");
    } else {
        assert!(
            body.is_empty() || head.contains(" 4") || head.contains(" 5"),
            "{head}"
        );
    }
    body
}
