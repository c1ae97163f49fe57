//! The connections that ended last.
//!
//! A SYN cookie says that a client has received our answer, not when. A first segment that the network delivers a
//! second time, after its connection has ended, would begin another connection, and its request would be carried out
//! twice. So the last connections are remembered.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::Peer;
use crate::fact::Handshake;

/// Number of connections that are remembered.
const ENDED_MAX: usize = 1024;
/// Bytes of one in a checkpoint: the client, its initial sequence number, and ours, both in little-endian order.
const ENTRY_BYTES: usize = 14;

/// Clients with their initial sequence numbers and ours; the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended(VecDeque<(Peer, u32, u32)>);

impl Ended {
    /// Remembers a connection.
    pub(crate) fn push(&mut self, peer: Peer, handshake: &Handshake) {
        if self.0.len() == ENDED_MAX {
            self.0.pop_front();
        }
        self.0
            .push_back((peer, handshake.peer_seq, handshake.local_seq));
    }

    /// Returns whether a connection is remembered that began with these numbers. A client that uses its port again
    /// chooses another one.
    pub(crate) fn contains(&self, peer: Peer, peer_seq: u32, local_seq: u32) -> bool {
        self.0.contains(&(peer, peer_seq, local_seq))
    }

    /// Returns whether a connection is remembered on which ours was this number.
    pub(crate) fn contains_local(&self, peer: Peer, local_seq: u32) -> bool {
        let mut entries = self.0.iter();
        entries.any(|(ended, _, number)| (*ended, *number) == (peer, local_seq))
    }

    /// Returns how many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns one of them; `round` says which, and as many rounds as there are give all.
    pub(crate) fn get(&self, round: u64) -> Option<(Peer, u32, u32)> {
        let count = self.0.len().max(1) as u64;
        self.0.get((round % count) as usize).copied()
    }

    /// Returns it as a checkpoint has it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * ENTRY_BYTES);
        for (peer, peer_seq, local_seq) in &self.0 {
            bytes.extend_from_slice(peer);
            bytes.extend_from_slice(&peer_seq.to_le_bytes());
            bytes.extend_from_slice(&local_seq.to_le_bytes());
        }
        bytes
    }

    /// Reads it from a checkpoint; `None` if that cannot be.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() || entries.len() > ENDED_MAX {
            return None;
        }
        let entries = entries.iter().map(|entry| {
            let [peer @ .., a, b, c, d, e, f, g, h] = *entry;
            (
                peer,
                u32::from_le_bytes([a, b, c, d]),
                u32::from_le_bytes([e, f, g, h]),
            )
        });
        Some(Self(entries.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Peer = [10, 0, 2, 2, 0, 1];

    #[test]
    fn the_last_ones_are_remembered_and_come_back() {
        let mut ended = Ended::default();
        for number in 0..=ENDED_MAX as u32 {
            let handshake = Handshake {
                peer_mac: [2; 6],
                peer_seq: !number,
                local_seq: number,
                mss: None,
                window_scale: None,
                sack_permitted: false,
            };
            ended.push(PEER, &handshake);
        }
        assert!(!ended.contains(PEER, !0, 0));
        assert!(ended.contains(PEER, !1, 1));
        assert!(!ended.contains(PEER, 1, 1));
        assert!(!ended.contains([10, 0, 2, 2, 0, 2], !1, 1));
        assert!(ended.contains_local(PEER, 1));
        assert!(!ended.contains_local(PEER, 0));
        let mut bytes = ended.encode();
        assert_eq!(Ended::decode(&bytes), Some(ended));
        bytes.push(0);
        assert_eq!(Ended::decode(&bytes), None);
        bytes.extend([0; ENTRY_BYTES - 1]);
        assert_eq!(Ended::decode(&bytes), None);
    }
}
