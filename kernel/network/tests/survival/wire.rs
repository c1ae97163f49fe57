//! A cable between two cards: frames take a while, and some are lost or doubled.
//!
//! No frame overtakes another. `smoltcp` 0.14 takes the window from the last segment that came, however old that is;
//! if it is 0 and something is under way, it never probes again.

use smoltcp::wire::{EthernetFrame, Ipv4Packet, TcpPacket};

use crate::dialogue::Random;

/// How long a frame is on its way, in ns.
const DELAY_NS: u64 = 30_000;

/// Frames on their way in one direction, with the time at which each arrives.
#[derive(Default)]
pub struct Way {
    frames: Vec<(u64, Vec<u8>)>,
}

impl Way {
    pub fn send(&mut self, frame: Vec<u8>, now_ns: u64, loss: u64, random: &mut Random) {
        if random.one_in(loss) {
            return;
        }
        let copies = if random.one_in(loss) { 2 } else { 1 };
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

/// Returns the segment in a frame.
pub fn segment_in(frame: &[u8]) -> Option<Segment> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let ip = Ipv4Packet::new_checked(frame.into_inner().get(14..)?).ok()?;
    let tcp = TcpPacket::new_checked(ip.into_inner().get(20..)?).ok()?;
    Some(Segment {
        source: tcp.src_port(),
        destination: tcp.dst_port(),
        is_reset: tcp.rst(),
        acknowledgement: (tcp.segment_len() == 0 && !tcp.rst())
            .then(|| (tcp.seq_number().0, tcp.ack_number().0, tcp.window_len())),
    })
}
