//! Whatever clients of the service send, it does not panic, the cut of the stream makes no difference, every reply
//! keeps to the protocol, the memory is bounded, and the state is written to a checkpoint whole.
//!
//! An input is a byte that says where the stream is cut, a byte for the time that passes there, and the stream.

use service::{Input, InputRecord, Service, ServiceLimits, Stamp};

use crate::round_trip;
use service::testing::RecordingHost;

const CLIENT: u64 = 1;

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let [cut, passes, stream @ ..] = data else {
        return;
    };
    let cut = stream.len() * usize::from(*cut) / 255;
    let (first, second) = stream.split_at(cut);
    let mut whole = Client::new();
    let mut parts = Client::new();
    if *passes == 0 && !may_throw_dice(stream) {
        whole.send(stream);
        for bytes in [
            first,
            &second[..second.len().min(1)],
            second.get(1..).unwrap_or(&[]),
        ] {
            parts.send(bytes);
        }
    } else {
        for client in [&mut whole, &mut parts] {
            client.send(first);
            client.stamp.time_ms += 1 << (passes % 48);
            client.apply(Input::Tick);
            client.send(second);
        }
    }
    assert_eq!(parts.host.sent_to(CLIENT), whole.host.sent_to(CLIENT));
    assert_eq!(parts.host.debugged, whole.host.debugged);
    assert_eq!(parts.host.operated, whole.host.operated);
    assert_eq!(parts.host.hung_up, whole.host.hung_up);
    assert_eq!(parts.service.digest(|| ()), whole.service.digest(|| ()));
    assert_eq!(parts.service.pending_bytes(), whole.service.pending_bytes());
    whole.is_sound();
    round_trip::check_service(&mut whole.service, &limits());
}

/// Returns whether a command may depend on the random word of its record, and so on the cut: `SPOP` and the like,
/// however they are quoted.
fn may_throw_dice(stream: &[u8]) -> bool {
    let is_letter = |byte: &&u8| !matches!(byte, b'"' | b'\'' | b'\\');
    let plain: Vec<u8> = (stream.iter().filter(is_letter))
        .map(u8::to_ascii_lowercase)
        .collect();
    let has = |word: &[u8]| plain.windows(word.len()).any(|part| part == word);
    has(b"pop") || has(b"rand") || stream.windows(2).any(|two| two == b"\\x")
}

fn limits() -> ServiceLimits {
    ServiceLimits {
        max_memory_bytes: 60_000,
        max_request_bytes: 20_000,
        max_pending_bytes: 120_000,
        admin: true,
        ..ServiceLimits::default()
    }
}

/// A service with one client.
struct Client {
    service: Service,
    host: RecordingHost,
    stamp: Stamp,
    sent_bytes: usize,
}

impl Client {
    fn new() -> Self {
        let mut client = Self {
            service: Service::new(limits()),
            host: RecordingHost::default(),
            stamp: Stamp {
                time_ms: 1_700_000_000_000,
                entropy: 1,
            },
            sent_bytes: 0,
        };
        client.apply(Input::Open {
            connection: CLIENT,
            peer: [127, 0, 0, 1, 0x30, 0x39],
        });
        client
    }

    fn apply(&mut self, input: Input<'_>) {
        let stamp = self.stamp;
        self.service
            .apply(&InputRecord { stamp, input }, &mut self.host);
    }

    fn send(&mut self, bytes: &[u8]) {
        self.apply(Input::Bytes {
            connection: CLIENT,
            bytes,
        });
        self.sent_bytes += bytes.len();
        let pending_bytes = self.service.pending_bytes();
        assert!(pending_bytes <= limits().max_pending_bytes);
        // What is kept is counted as memory, with the room that buffers have for growing: for the arguments at most
        // three times what the request's limit counts. An unfinished line is kept beside the request.
        let kept_max = 3 * limits().max_request_bytes + 2 * self.sent_bytes + 64;
        assert!(pending_bytes <= kept_max, "{pending_bytes} bytes");
    }

    fn is_sound(&self) {
        let sent = self.host.sent_to(CLIENT);
        let mut rest = sent.as_slice();
        while !rest.is_empty() {
            rest = behind_reply(rest).unwrap_or_else(|| {
                panic!("no reply of the protocol: {}", rest.escape_ascii());
            });
        }
        assert_eq!(self.host.hung_up.is_empty(), self.service.is_open(CLIENT));
    }
}

/// Returns what follows the first whole reply.
fn behind_reply(mut rest: &[u8]) -> Option<&[u8]> {
    let mut missing = 1_u64;
    while missing > 0 {
        missing -= 1;
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let (line, behind) = (&rest[..end], &rest[end + 2..]);
        // No line may contain a part of a line's end.
        if line.contains(&b'\n') || line.contains(&b'\r') {
            return None;
        }
        let (kind, text) = line.split_first()?;
        let number = || std::str::from_utf8(text).ok()?.parse::<i64>().ok();
        rest = match kind {
            b'+' | b'-' => behind,
            b':' => number().map(|_| behind)?,
            b'$' => match number()? {
                -1 => behind,
                length => {
                    let length = usize::try_from(length).ok()?;
                    behind.get(length..)?.strip_prefix(b"\r\n")?
                }
            },
            b'*' => {
                missing += u64::try_from(number()?.max(0)).ok()?;
                behind
            }
            _ => return None,
        };
    }
    Some(rest)
}
