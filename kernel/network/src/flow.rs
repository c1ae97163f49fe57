//! A connection as the journal describes it.

use crate::fact::{Fact, Handshake};
use crate::path_mtu::{HEADER_BYTES, MSS_MAX};
use crate::send_buffer::SendBuffer;
use crate::{ConnectionId, Peer};

/// Longest segment of a client that names no length (RFC 9293, 3.7.1).
const DEFAULT_MSS: u16 = 536;
/// A segment whose sequence number is farther from the client's is not the client's.
const DISTANCE_BYTES_MAX: u32 = 64 << 10;

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub(crate) peer: Peer,
    pub(crate) handshake: Handshake,
    /// Whether the service was told that it is open.
    pub(crate) is_open: bool,
    /// Whether the service was told that it is closed.
    pub(crate) is_closed: bool,
    /// Bytes that came in.
    pub(crate) received_bytes: u64,
    /// Whether the client will send no more.
    pub(crate) peer_has_closed: bool,
    /// Bytes of the replies that the client has acknowledged.
    pub(crate) acknowledged_bytes: u64,
    /// Whether the client has acknowledged the end behind the replies, too.
    pub(crate) is_end_acknowledged: bool,
    /// The bytes of the replies behind those that are acknowledged.
    pub(crate) unacked: SendBuffer,
    /// Whether the service closes it: it ends when all replies are sent.
    pub(crate) is_hung_up: bool,
    /// Whether it was aborted. Its client did not read for too long and its replies were discarded, so that it gets a
    /// reset and nothing else.
    pub(crate) is_aborted: bool,
    /// The longest packet that the path takes, in bytes, if a router has named a length.
    pub(crate) path_mtu: Option<u16>,
}

/// What the socket of a connection is made from, if the connection is open on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    received_bytes: u64,
    acknowledged_bytes: u64,
    mss: u16,
}

impl Flow {
    /// Returns the client.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Returns whether the service was told that it is open.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Returns the number of bytes that came in.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Returns the number of bytes of the replies that the client has acknowledged.
    pub fn acknowledged_bytes(&self) -> u64 {
        self.acknowledged_bytes
    }

    /// Returns the number of bytes of the replies that the client has not acknowledged.
    pub fn unacked_bytes(&self) -> usize {
        self.unacked.len()
    }

    /// Returns some of the unacknowledged bytes from `offset` on: at least one, if there is one.
    pub fn unacked_from(&self, offset: usize) -> &[u8] {
        self.unacked.from(offset)
    }

    /// Returns the number of bytes of all replies.
    pub(crate) fn produced_bytes(&self) -> u64 {
        self.acknowledged_bytes + self.unacked.len() as u64
    }

    /// Returns whether no reply comes any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_hung_up || self.peer_has_closed
    }

    /// Returns what its socket is made from, apart from the replies, if it is open on both sides.
    pub(crate) fn basis(&self) -> Option<Basis> {
        let is_over = self.is_closed || self.is_ending() || self.is_aborted;
        (self.is_open && !is_over).then_some(Basis {
            received_bytes: self.received_bytes,
            acknowledged_bytes: self.acknowledged_bytes,
            mss: self.mss(),
        })
    }

    /// Returns the longest data of a segment to the client, in bytes.
    pub(crate) fn mss(&self) -> u16 {
        let agreed = self.handshake.mss.unwrap_or(DEFAULT_MSS);
        let path = (self.path_mtu).map_or(MSS_MAX, |mtu| mtu.saturating_sub(HEADER_BYTES));
        agreed.min(path)
    }

    /// Returns whether something has to be sent even if nothing comes in.
    pub(crate) fn is_urgent(&self) -> bool {
        !self.is_open || self.unacked.len() > 0 || self.is_ending() || self.is_aborted
    }

    /// Returns whether segments become shorter if the path takes packets of at most `mtu` bytes.
    pub(crate) fn is_lowered_by(&self, mtu: u16) -> bool {
        mtu.saturating_sub(HEADER_BYTES) < self.mss()
    }

    /// Returns the position among the replies that has the sequence number `seq`; the end behind them counts as a byte.
    /// A number that is old has the position of what is acknowledged.
    pub(crate) fn position_of(&self, seq: u32) -> u64 {
        let ahead = seq.wrapping_sub(self.first_out()).cast_signed();
        self.acknowledged_bytes + u64::from(ahead.max(0).unsigned_abs())
    }

    /// Returns the acknowledgement `ack` in a segment that begins at `seq`, if it is beyond what the journal knows. A
    /// predecessor may have sent more than the journal knows to be acknowledged.
    pub(crate) fn newer_acknowledgement(
        &self,
        connection: ConnectionId,
        seq: u32,
        ack: u32,
    ) -> Option<Fact> {
        let distance = seq.wrapping_sub(self.next_in()).cast_signed();
        let ahead = self.position_of(ack) - self.acknowledged_bytes;
        let unacked = self.unacked.len() as u64;
        let end = self.is_ending() && ahead == unacked + 1;
        let is_news = !self.is_aborted
            && distance.unsigned_abs() <= DISTANCE_BYTES_MAX
            && ((1..=unacked).contains(&ahead) || (end && !self.is_end_acknowledged));
        is_news.then(|| Fact::Acknowledged {
            connection,
            bytes: self.acknowledged_bytes + ahead.min(unacked),
            end,
        })
    }

    /// Returns how many bytes an acknowledgement of `bytes` in all newly acknowledges, if it is a possible one.
    pub(crate) fn news_of(&self, bytes: u64) -> Option<u64> {
        bytes
            .checked_sub(self.acknowledged_bytes)
            .filter(|news| *news <= self.unacked.len() as u64)
    }

    /// Returns the sequence number of the next byte from the client. Its end has the number behind the last byte.
    pub(crate) fn next_in(&self) -> u32 {
        (self.handshake.peer_seq)
            .wrapping_add(1)
            .wrapping_add(self.received_bytes as u32)
    }

    /// Returns the sequence number of the first byte that the client has not acknowledged.
    pub(crate) fn first_out(&self) -> u32 {
        (self.handshake.local_seq)
            .wrapping_add(1)
            .wrapping_add(self.acknowledged_bytes as u32)
    }
}
