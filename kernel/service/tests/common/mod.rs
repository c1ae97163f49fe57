//! What the tests share: a service with a client, and a reader of replies.
#![allow(dead_code)]

use service::testing::RecordingHost;
use service::{ConnectionId, Input, InputRecord, Service, ServiceLimits, Stamp};

/// A service with a host, and one client.
pub struct Bench {
    pub service: Service,
    pub host: RecordingHost,
    pub stamp: Stamp,
}

/// The connection [`Bench::send`] uses.
pub const CLIENT: ConnectionId = 1;

impl Bench {
    pub fn new(limits: ServiceLimits) -> Self {
        let mut bench = Self {
            service: Service::new(limits),
            host: RecordingHost::default(),
            stamp: Stamp {
                time_ms: 1_700_000_000_000,
                entropy: 1,
            },
        };
        bench.open(CLIENT);
        bench
    }

    pub fn with_debug() -> Self {
        Self::new(ServiceLimits {
            debug: true,
            ..ServiceLimits::default()
        })
    }

    pub fn apply(&mut self, input: Input<'_>) {
        let record = InputRecord {
            stamp: self.stamp,
            input,
        };
        self.service.apply(&record, &mut self.host);
        self.stamp.entropy = self.stamp.entropy.wrapping_add(1);
    }

    pub fn open(&mut self, connection: ConnectionId) {
        let peer = [127, 0, 0, 1, 0x30, 0x39];
        self.apply(Input::Open { connection, peer });
    }

    /// Sends bytes. Returns the reply.
    pub fn raw(&mut self, connection: ConnectionId, bytes: &[u8]) -> Vec<u8> {
        self.host.replies.clear();
        self.apply(Input::Bytes { connection, bytes });
        let reply = self.host.sent_to(connection);
        self.host.replies.clear();
        reply
    }

    /// Sends an inline command. Returns the reply as text.
    pub fn send(&mut self, line: &str) -> String {
        let reply = self.raw(CLIENT, format!("{line}\r\n").as_bytes());
        String::from_utf8_lossy(&reply).into_owned()
    }

    /// Returns the elements of an array reply.
    pub fn elements(&mut self, line: &str) -> Vec<String> {
        let reply = self.raw(CLIENT, format!("{line}\r\n").as_bytes());
        let leaves = leaves(&reply).into_iter();
        leaves
            .map(|leaf| String::from_utf8_lossy(bulk_content(&leaf)).into_owned())
            .collect()
    }

    pub fn pass(&mut self, time_ms: u64) {
        self.stamp.time_ms += time_ms;
    }

    pub fn tick(&mut self) {
        self.apply(Input::Tick);
    }

    pub fn digest(&self) -> u64 {
        self.service.digest(|| ())
    }
}

/// Returns the bytes of one RESP2 array of bulk strings.
pub fn request(arguments: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Returns the length of the first complete reply in `bytes`, and where its leaves are: everything but array headers.
pub fn scan_reply(bytes: &[u8]) -> Option<(usize, Vec<core::ops::Range<usize>>)> {
    let (mut at, mut missing, mut leaves) = (0, 1_i64, vec![]);
    while missing > 0 {
        let line_end = at + bytes[at..].windows(2).position(|pair| pair == b"\r\n")? + 2;
        let start = std::mem::replace(&mut at, line_end);
        let number = || {
            let digits = std::str::from_utf8(&bytes[start + 1..line_end - 2]).ok()?;
            digits.parse::<i64>().ok()
        };
        missing -= 1;
        match bytes[start] {
            b'*' | b'~' | b'>' => missing += number()?.max(0),
            b'%' => missing += 2 * number()?,
            b'$' | b'=' => {
                let length = number()?;
                if length >= 0 {
                    at += length as usize + 2;
                }
                leaves.push(start..at);
            }
            _ => leaves.push(start..at),
        }
        if at > bytes.len() {
            return None;
        }
    }
    Some((at, leaves))
}

pub fn leaves(reply: &[u8]) -> Vec<Vec<u8>> {
    let (_, ranges) = scan_reply(reply).expect("one complete reply");
    ranges
        .into_iter()
        .map(|range| reply[range].to_vec())
        .collect()
}

/// Returns the content of a bulk string; of any other reply, its line.
fn bulk_content(leaf: &[u8]) -> &[u8] {
    match leaf.first() {
        Some(b'$') if leaf.ends_with(b"\r\n") => {
            let start = leaf
                .iter()
                .position(|&byte| byte == b'\n')
                .map_or(0, |at| at + 1);
            leaf.get(start..leaf.len() - 2).unwrap_or(leaf)
        }
        _ => leaf.strip_suffix(b"\r\n").unwrap_or(leaf),
    }
}
