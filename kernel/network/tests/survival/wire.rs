//! A cable between two cards: frames take a while, and some are lost, doubled or corrupted.
//!
//! No frame overtakes another. `smoltcp` 0.14 takes the window from the last segment that came, however old that is;
//! if it is 0 and something is under way, it never probes again.

use smoltcp::wire::{EthernetFrame, Ipv4Packet, TcpPacket};

use crate::dialogue::Random;

/// How long a frame is on its way, in ns.
const DELAY_NS: u64 = 30_000;

/// Frames on their way in one direction, with the time at which each arrives.
pub struct Way {
    cable: Cable,
    frames: Vec<(u64, Vec<u8>)>,
}

/// What a cable does to frames.
#[derive(Clone, Copy, Debug)]
pub struct Cable {
    /// One frame in this many is lost, and one is doubled.
    pub loss: u64,
    /// One frame in this many is corrupt.
    pub corruption: u64,
}

/// A cable to which nothing happens: to one frame in this many.
pub const NEVER: u64 = u64::MAX;

impl Cable {
    pub const GOOD: Self = Self {
        loss: NEVER,
        corruption: NEVER,
    };
}

impl Way {
    pub fn of(cable: Cable) -> Self {
        Self {
            cable,
            frames: Vec::new(),
        }
    }

    pub fn send(&mut self, mut frame: Vec<u8>, now_ns: u64, random: &mut Random) {
        // ARP has no checksum, and what a hardware address says is the card's to check.
        if random.one_in(self.cable.corruption) && frame[12..14] == [8, 0] {
            let at = 14 + random.below(frame.len() as u64 - 14) as usize;
            frame[at] ^= 1 << random.below(8);
        }
        if random.one_in(self.cable.loss) {
            return;
        }
        let copies = if random.one_in(self.cable.loss) { 2 } else { 1 };
        for _ in 0..copies {
            self.frames.push((now_ns + DELAY_NS, frame.clone()));
        }
    }

    /// Removes and returns the frames that have arrived by now.
    pub fn arrived(&mut self, now_ns: u64) -> Vec<Vec<u8>> {
        let mut arrived: Vec<_> = self
            .frames
            .extract_if(.., |(at, _)| *at <= now_ns)
            .collect();
        arrived.sort_by_key(|(at, _)| *at);
        arrived.into_iter().map(|(_, frame)| frame).collect()
    }

    pub fn next_ns(&self) -> Option<u64> {
        self.frames.iter().map(|(at, _)| *at).min()
    }
}

/// What a TCP segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub source: u16,
    pub destination: u16,
    pub is_reset: bool,
    /// Sequence number, acknowledgement and window of a segment without data.
    pub acknowledgement: Option<(i32, i32, u16)>,
}

/// Returns the segment in a frame, if its checksums are right.
pub fn segment_in(frame: &[u8]) -> Option<Segment> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let ip = Ipv4Packet::new_checked(frame.into_inner().get(14..)?).ok()?;
    let (from, to) = (ip.src_addr().into(), ip.dst_addr().into());
    let is_right = ip.verify_checksum();
    let tcp = TcpPacket::new_checked(ip.into_inner().get(20..)?).ok()?;
    if !is_right || !tcp.verify_checksum(&from, &to) {
        return None;
    }
    Some(Segment {
        source: tcp.src_port(),
        destination: tcp.dst_port(),
        is_reset: tcp.rst(),
        acknowledgement: (tcp.segment_len() == 0 && !tcp.rst())
            .then(|| (tcp.seq_number().0, tcp.ack_number().0, tcp.window_len())),
    })
}
