//! Forged frames: what somebody on the path can send.

use std::time::Duration;

use super::client::RawClient;
use super::{Attack, Target};
use harness::problem::{Problem, require};

/// Time for one reply.
const PATIENCE: Duration = Duration::from_secs(20);
/// QEMU's names for the machine and its gateway.
const MACHINE: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const GATEWAY: [u8; 6] = [0x52, 0x55, 10, 0, 2, 2];
const MACHINE_ADDRESS: [u8; 4] = [10, 0, 2, 15];
/// Somebody in the machine's own network who answers nothing, so what is sent to them leads to no reset.
const STRANGER: [u8; 4] = [10, 0, 2, 100];
const SERVICE: u16 = 6379;
/// Offsets in a frame without options: of the IP header, of TCP's and its fields, of the payload.
const IP: usize = 14;
const TCP: usize = IP + 20;
const PAYLOAD: usize = TCP + 20;
/// TCP's flags.
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const PROTOCOL_ICMP: u8 = 1;
const PROTOCOL_TCP: u8 = 6;

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "syn-flood",
            "3,000 forged SYNs that nobody follows up",
            syn_flood,
        )
        .quick(),
        Attack::new(
            "reset-forged",
            "resets inside the window, but not at its edge",
            |target| {
                forge(target, |frame| {
                    (1..200)
                        .map(|step| frame.beside(step * 97, 0, RST))
                        .collect()
                })
            },
        )
        .quick(),
        Attack::new(
            "syn-forged",
            "SYNs inside the window of a connection",
            |target| {
                forge(target, |frame| {
                    (1..200)
                        .map(|step| frame.beside(step * 97, 0, SYN))
                        .collect()
                })
            },
        ),
        Attack::new(
            "ack-forged",
            "acknowledgements of bytes that were never sent",
            |target| {
                forge(target, |frame| {
                    (1..200)
                        .map(|step| frame.beside(0, step * 10_000, ACK))
                        .collect()
                })
            },
        ),
        Attack::new(
            "corrupted",
            "500 damaged copies of a client's segment",
            |target| {
                forge(target, |frame| {
                    (0..500).map(|number| frame.damaged(number)).collect()
                })
            },
        ),
        Attack::new(
            "icmp-flood",
            "10,000 echo requests of 1,000 bytes",
            |target| {
                let ping = [&[8, 0, 0, 0, 0, 1, 0, 1][..], &[0x55; 1000]].concat();
                let frame = ip_frame(STRANGER, PROTOCOL_ICMP, &with_checksum(ping, 2, 0));
                for _ in 0..10_000 {
                    target.wire.send(&frame);
                }
                Ok(())
            },
        ),
    ]
}

fn syn_flood(target: &Target<'_>) -> Result<(), Problem> {
    for number in 0..3_000u16 {
        let mut source = STRANGER;
        source[3] += (number % 100) as u8;
        let segment = Segment {
            source,
            port: 1024 + number,
            sequence: u32::from(number) * 77_777,
            acknowledgement: 0,
            flags: SYN,
        };
        target.wire.send(&segment.frame(&[]));
        if number % 1_000 == 999 {
            let reply = RawClient::connect(target.port)?.reply(&[b"PING"], PATIENCE);
            require(reply.starts_with("+PONG"), || {
                format!("after {number} SYNs, PING is answered with {reply:?}")
            })?;
        }
    }
    Ok(())
}

/// Lets a client speak, sends the frames that `make` forges of its segment, and lets it speak again.
fn forge(target: &Target<'_>, make: impl Fn(&Sniffed) -> Vec<Vec<u8>>) -> Result<(), Problem> {
    const MARK: &[u8] = b"mark-of-the-forger";
    let mut client = RawClient::connect(target.port)?;
    client.reply(&[b"ECHO", MARK], PATIENCE);
    let is_marked = |frame: &[u8]| {
        frame.get(..6) == Some(&MACHINE[..]) && frame.windows(MARK.len()).any(|part| part == MARK)
    };
    let sniffed = Sniffed(target.wire.find(Duration::from_secs(5), is_marked)?);
    for frame in make(&sniffed) {
        target.wire.send(&frame);
    }
    let reply = client.reply(&[b"PING"], PATIENCE);
    require(reply.contains("+PONG"), || {
        format!("the client's connection is gone: {reply:?}")
    })
}

/// A segment of a client, as it passed on the cable. Clients of QEMU's network send no IP options.
struct Sniffed(Vec<u8>);

impl Sniffed {
    /// Returns a segment without a payload, `ahead` bytes behind this one and acknowledging `more` bytes more.
    fn beside(&self, ahead: u32, more: u32, flags: u8) -> Vec<u8> {
        let word = |at: usize| {
            let bytes: [u8; 4] = self.0[at..at + 4].try_into().expect("four bytes");
            u32::from_be_bytes(bytes)
        };
        let header = usize::from(self.0[TCP + 12] >> 4) * 4;
        let total = usize::from(u16::from_be_bytes([self.0[IP + 2], self.0[IP + 3]]));
        let payload = (IP + total).saturating_sub(TCP + header) as u32;
        let segment = Segment {
            source: self.0[IP + 12..IP + 16].try_into().expect("four bytes"),
            port: u16::from_be_bytes([self.0[TCP], self.0[TCP + 1]]),
            sequence: word(TCP + 4).wrapping_add(payload).wrapping_add(ahead),
            acknowledgement: word(TCP + 8).wrapping_add(more),
            flags,
        };
        segment.frame(&[])
    }

    /// Returns the same frame with another byte of it damaged, and the checksums as they were.
    fn damaged(&self, number: usize) -> Vec<u8> {
        let mut frame = self.0.clone();
        let place = TCP + 4 + number % (frame.len() - TCP - 4);
        frame[place] ^= 1 << (number % 8);
        frame
    }
}

/// A segment to the service.
struct Segment {
    source: [u8; 4],
    port: u16,
    sequence: u32,
    acknowledgement: u32,
    flags: u8,
}

impl Segment {
    /// Returns the frame (RFC 9293, 3.1).
    fn frame(&self, payload: &[u8]) -> Vec<u8> {
        const HEADER_WORDS: u8 = 5;
        const CHECKSUM: usize = 16;
        let mut segment = Vec::with_capacity(PAYLOAD - TCP + payload.len());
        segment.extend(self.port.to_be_bytes());
        segment.extend(SERVICE.to_be_bytes());
        segment.extend(self.sequence.to_be_bytes());
        segment.extend(self.acknowledgement.to_be_bytes());
        segment.extend([HEADER_WORDS << 4, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(payload);
        let pseudo = [&self.source[..], &MACHINE_ADDRESS].concat();
        let pseudo = sum(&pseudo) + u32::from(PROTOCOL_TCP) + segment.len() as u32;
        ip_frame(
            self.source,
            PROTOCOL_TCP,
            &with_checksum(segment, CHECKSUM, pseudo),
        )
    }
}

/// Puts an IPv4 packet (RFC 791) into a frame.
fn ip_frame(source: [u8; 4], protocol: u8, body: &[u8]) -> Vec<u8> {
    const CHECKSUM: usize = 10;
    let total = (body.len() + 20) as u16;
    let mut header = vec![0x45, 0];
    header.extend(total.to_be_bytes());
    header.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    header.extend(source);
    header.extend(MACHINE_ADDRESS);
    let header = with_checksum(header, CHECKSUM, 0);
    [&MACHINE[..], &GATEWAY, &[0x08, 0x00], &header, body].concat()
}

/// Puts the checksum of `bytes` and of what `before` sums up at `at` (RFC 1071).
fn with_checksum(mut bytes: Vec<u8>, at: usize, before: u32) -> Vec<u8> {
    let mut total = sum(&bytes) + before;
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    bytes[at..at + 2].copy_from_slice(&(!(total as u16)).to_be_bytes());
    bytes
}

fn sum(bytes: &[u8]) -> u32 {
    let pairs = bytes.chunks(2);
    pairs
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says whether a sum over everything, the checksum with it, is all ones.
    fn is_whole(bytes: &[u8], before: u32) -> bool {
        let mut total = sum(bytes) + before;
        while total > 0xffff {
            total = (total & 0xffff) + (total >> 16);
        }
        total == 0xffff
    }

    #[test]
    fn a_forged_frame_has_the_checksums_that_a_machine_accepts() {
        let segment = Segment {
            source: STRANGER,
            port: 4000,
            sequence: 7,
            acknowledgement: 9,
            flags: ACK,
        };
        let frame = segment.frame(b"odd");
        assert_eq!(frame.len(), PAYLOAD + 3);
        assert!(is_whole(&frame[IP..TCP], 0));
        let pseudo =
            sum(&frame[IP + 12..TCP]) + u32::from(PROTOCOL_TCP) + (frame.len() - TCP) as u32;
        assert!(is_whole(&frame[TCP..], pseudo));
        let next = Sniffed(frame.clone()).beside(100, 0, RST);
        assert_eq!(next[TCP + 4..TCP + 8], 110u32.to_be_bytes());
        assert_eq!(next[TCP..TCP + 4], frame[TCP..TCP + 4]);
        let damaged = Sniffed(frame.clone()).damaged(3);
        assert_eq!(damaged.len(), frame.len());
        assert_ne!(damaged, frame);
    }
}
