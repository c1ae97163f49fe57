//! What two kernels compare to find out whether they have the same connections.

use fingerprint::{Chain, PIECE_BYTES};

use crate::ConnectionId;
use crate::flow::Flow;
use crate::flows::Flows;

impl Flows {
    /// Adds what belongs to no single connection to a fingerprint. Of the connections that ended last it takes one;
    /// `round` says which.
    pub fn add_counts(&self, chain: &mut Chain, round: u64) {
        let (bytes, ended, ended_count) = (self.unacked_bytes(), self.ended(), self.ended().len());
        let numbers = [
            self.len() as u64,
            self.last_connection(),
            u64::from(self.secret().is_some()),
            self.secret().unwrap_or(0),
            bytes as u64,
            ended_count as u64,
        ];
        numbers.into_iter().for_each(|number| chain.number(number));
        if let Some((peer, peer_seq, local_seq)) = ended.get(round) {
            chain.string(&peer);
            chain.number(u64::from(peer_seq) << 32 | u64::from(local_seq));
        }
    }

    /// Adds up to `count` connections to a fingerprint, from the number `first` on. Returns where the next step goes
    /// on; 0 after the last connection. Of the unacknowledged replies of each it takes one piece; `round` says which.
    pub fn add_connections(
        &self,
        chain: &mut Chain,
        first: ConnectionId,
        count: usize,
        round: u64,
    ) -> ConnectionId {
        let mut flows = self.from(first);
        for (connection, flow) in flows.by_ref().take(count) {
            chain.number(connection);
            add_flow(chain, flow, round);
            // Both ways to a connection are one.
            chain.number(self.of_peer(flow.peer).unwrap_or(0));
        }
        flows.next().map_or(0, |(connection, _)| connection)
    }
}

fn add_flow(chain: &mut Chain, flow: &Flow, round: u64) {
    let handshake = &flow.handshake;
    let flags = [
        flow.is_open,
        flow.is_closed,
        flow.peer_has_closed,
        flow.is_end_acknowledged,
        flow.is_hung_up,
        flow.is_aborted,
        handshake.sack_permitted,
    ];
    let flags = (flags.into_iter()).fold(0, |flags, flag| flags << 1 | u64::from(flag));
    let lengths =
        [handshake.mss, flow.path_mtu].map(|it| it.map_or(0, |it| 1 << 16 | u64::from(it)));
    let numbers = [
        flags,
        u64::from(handshake.peer_seq) << 32 | u64::from(handshake.local_seq),
        lengths[0] << 32 | lengths[1],
        handshake
            .window_scale
            .map_or(0, |scale| 1 << 8 | u64::from(scale)),
        flow.received_bytes,
        flow.acknowledged_bytes,
        flow.unacked.len() as u64,
    ];
    numbers.into_iter().for_each(|number| chain.number(number));
    chain.string(&flow.peer);
    chain.string(&handshake.peer_mac);
    chain.string(sample(flow, round, &mut [0; PIECE_BYTES]));
}

/// Copies a piece of the unacknowledged replies. How they are cut differs from kernel to kernel.
fn sample<'a>(flow: &Flow, round: u64, piece: &'a mut [u8; PIECE_BYTES]) -> &'a [u8] {
    let bytes = flow.unacked.len();
    let pieces = bytes.div_ceil(PIECE_BYTES).max(1) as u64;
    let first = (round % pieces) as usize * PIECE_BYTES;
    let length = PIECE_BYTES.min(bytes - first);
    let mut done = 0;
    while done < length {
        let part = flow.unacked.from(first + done);
        let part = &part[..part.len().min(length - done)];
        if part.is_empty() {
            break;
        }
        piece[done..done + part.len()].copy_from_slice(part);
        done += part.len();
    }
    &piece[..done]
}
