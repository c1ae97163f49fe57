//! Connections as the journal tells them.

use alloc::collections::BTreeMap;
use core::fmt;

use crate::fact::{Fact, Handshake};
use crate::send_buffer::SendBuffer;
use crate::{ConnectionId, Peer};

/// A segment that begins farther from where the client stands is not its own.
const BELIEVED_DISTANCE_BYTES: u32 = 64 << 10;

/// No connection has a larger number, and none carries more bytes: what a record says beyond that is not so, and there is always room to count on.
pub(crate) const COUNT_MAX: u64 = u64::MAX >> 1;

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub(crate) peer: Peer,
    pub(crate) handshake: Handshake,
    /// The service was told that it is open.
    pub(crate) is_open: bool,
    /// The service was told that it is closed.
    pub(crate) is_closed: bool,
    /// Bytes that came in.
    pub(crate) received_bytes: u64,
    /// Its client will send no more.
    pub(crate) peer_has_closed: bool,
    /// Bytes of the replies that its client has.
    pub(crate) acknowledged_bytes: u64,
    /// Its client has the end behind them, too.
    pub(crate) is_end_acknowledged: bool,
    /// The bytes behind those.
    pub(crate) unacked: SendBuffer,
    /// It ends when everything owed has been sent.
    pub(crate) is_hung_up: bool,
    /// Its client did not read for too long, and something it is owed was thrown away: nothing more may reach it but the end.
    pub(crate) is_doomed: bool,
}

/// What the socket of a connection that is open on both sides is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    received_bytes: u64,
    acknowledged_bytes: u64,
}

/// All connections, with a limit to what their clients are owed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flows {
    flows: BTreeMap<ConnectionId, Flow>,
    of_peer: BTreeMap<Peer, ConnectionId>,
    last_connection: ConnectionId,
    unacked_bytes: usize,
    unacked_bytes_max: usize,
}

/// Why a fact cannot be one, after those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowError {
    /// The connection is not open.
    NoFlow(ConnectionId),
    /// The connection, or one of the same client, has begun already.
    BegunTwice(ConnectionId),
    /// No connection has come to this number.
    NoNumber(ConnectionId),
    /// More was acknowledged than was sent, or less than before.
    Acknowledged {
        /// The connection.
        connection: ConnectionId,
        /// Bytes said to be acknowledged.
        bytes: u64,
    },
}

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFlow(connection) => {
                write!(
                    f,
                    "a record tells of connection {connection}, which is not open"
                )
            }
            Self::BegunTwice(connection) => {
                write!(
                    f,
                    "connection {connection}, or one of its client, begins a second time"
                )
            }
            Self::NoNumber(connection) => {
                write!(f, "connection {connection} begins, a number that none has")
            }
            Self::Acknowledged { connection, bytes } => write!(
                f,
                "{bytes} bytes of replies on connection {connection} are said to be acknowledged, which they cannot be"
            ),
        }
    }
}

impl core::error::Error for FlowError {}

impl Flow {
    /// Its client.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Whether the service was told of it.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Bytes that came in.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Bytes of the replies that its client is known to have.
    pub fn acknowledged_bytes(&self) -> u64 {
        self.acknowledged_bytes
    }

    /// Bytes of the replies behind those.
    pub fn unacked_bytes(&self) -> usize {
        self.unacked.len()
    }

    /// Some of the owed bytes from `offset` on: at least one, if there is one.
    pub fn unacked_from(&self, offset: usize) -> &[u8] {
        self.unacked.from(offset)
    }

    /// Bytes of the replies since the beginning.
    pub(crate) fn produced_bytes(&self) -> u64 {
        self.acknowledged_bytes + self.unacked.len() as u64
    }

    /// Whether no reply comes any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_hung_up || self.peer_has_closed
    }

    /// What its socket is made from, if it is open on both sides: other than what its socket is to send.
    pub(crate) fn basis(&self) -> Option<Basis> {
        let is_over = self.is_closed || self.is_ending() || self.is_doomed;
        (self.is_open && !is_over).then_some(Basis {
            received_bytes: self.received_bytes,
            acknowledged_bytes: self.acknowledged_bytes,
        })
    }

    /// Whether something must be sent without anything coming in before.
    pub(crate) fn is_urgent(&self) -> bool {
        !self.is_open || self.unacked.len() > 0 || self.is_ending() || self.is_doomed
    }

    /// What the client says it has, if it is news: `ack` in a segment that begins at `seq`. A predecessor may have sent it more than the journal
    /// was told that it has.
    pub(crate) fn news_of(&self, connection: ConnectionId, seq: u32, ack: u32) -> Option<Fact> {
        let distance = seq.wrapping_sub(self.next_in()).cast_signed();
        let ahead = u64::from(ack.wrapping_sub(self.first_out()));
        let unacked = self.unacked.len() as u64;
        let end = self.is_ending() && ahead == unacked + 1;
        let is_news = !self.is_doomed
            && distance.unsigned_abs() <= BELIEVED_DISTANCE_BYTES
            && ((1..=unacked).contains(&ahead) || (end && !self.is_end_acknowledged));
        is_news.then(|| Fact::Acknowledged {
            connection,
            bytes: self.acknowledged_bytes + ahead.min(unacked),
            end,
        })
    }

    /// Sequence number of the next byte from the client. The end has a number of its own, which is behind that.
    pub(crate) fn next_in(&self) -> u32 {
        (self.handshake.peer_seq)
            .wrapping_add(1)
            .wrapping_add(self.received_bytes as u32)
    }

    /// Sequence number of the first byte that the client has not acknowledged.
    pub(crate) fn first_out(&self) -> u32 {
        (self.handshake.local_seq)
            .wrapping_add(1)
            .wrapping_add(self.acknowledged_bytes as u32)
    }
}

impl Flows {
    /// None yet. All clients together may be owed `unacked_bytes_max` bytes; one for whom there is no room is given up.
    pub fn new(unacked_bytes_max: usize) -> Self {
        Self {
            flows: BTreeMap::new(),
            of_peer: BTreeMap::new(),
            last_connection: 0,
            unacked_bytes: 0,
            unacked_bytes_max,
        }
    }

    /// A connection.
    pub fn get(&self, connection: ConnectionId) -> Option<&Flow> {
        self.flows.get(&connection)
    }

    /// The connection of a client.
    pub(crate) fn of_peer(&self, peer: Peer) -> Option<ConnectionId> {
        self.of_peer.get(&peer).copied()
    }

    /// All connections, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Flow)> {
        self.flows
            .iter()
            .map(|(connection, flow)| (*connection, flow))
    }

    /// Those from number `first` on.
    pub(crate) fn from(&self, first: ConnectionId) -> impl Iterator<Item = (ConnectionId, &Flow)> {
        self.flows
            .range(first..)
            .map(|(connection, flow)| (*connection, flow))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// A number that no connection had.
    pub fn next_connection(&self) -> ConnectionId {
        self.last_connection + 1
    }

    /// Takes a fact in.
    ///
    /// # Errors
    /// It cannot be one after those before it. Nothing has changed then.
    pub fn apply(&mut self, fact: &Fact) -> Result<(), FlowError> {
        match *fact {
            Fact::Begun {
                connection,
                peer,
                handshake,
            } => self.begin(connection, peer, handshake),
            Fact::Acknowledged {
                connection,
                bytes,
                end,
            } => self.acknowledge(connection, bytes, end),
            Fact::PeerClosed { connection } => {
                self.known(connection)?.peer_has_closed = true;
                Ok(())
            }
            Fact::Gone { connection } => {
                let flow = self
                    .flows
                    .remove(&connection)
                    .ok_or(FlowError::NoFlow(connection))?;
                self.of_peer.remove(&flow.peer);
                self.unacked_bytes -= flow.unacked.len();
                Ok(())
            }
        }
    }

    /// The service was told that a connection is open.
    pub fn opened(&mut self, connection: ConnectionId) {
        if let Some(flow) = self.flows.get_mut(&connection) {
            flow.is_open = true;
        }
    }

    /// The service was told that a connection is closed.
    pub fn closed(&mut self, connection: ConnectionId) {
        if let Some(flow) = self.flows.get_mut(&connection) {
            flow.is_closed = true;
        }
    }

    /// So many bytes came in.
    pub fn received(&mut self, connection: ConnectionId, bytes: usize) {
        if let Some(flow) = self.flows.get_mut(&connection) {
            flow.received_bytes += bytes as u64;
        }
    }

    /// Appends to what a client is owed. One that does not read for too long is given up.
    pub fn reply(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let Some(flow) = self.flows.get_mut(&connection) else {
            return;
        };
        if flow.is_doomed {
            return;
        }
        if self.unacked_bytes + bytes.len() > self.unacked_bytes_max {
            self.unacked_bytes -= flow.unacked.len();
            flow.unacked.clear();
            flow.is_doomed = true;
        } else {
            self.unacked_bytes += bytes.len();
            flow.unacked.push(bytes);
        }
    }

    /// Ends a connection when everything owed has been sent.
    pub fn hang_up(&mut self, connection: ConnectionId) {
        if let Some(flow) = self.flows.get_mut(&connection) {
            flow.is_hung_up = true;
        }
    }

    pub(crate) fn last_connection(&self) -> ConnectionId {
        self.last_connection
    }

    /// Takes the last number over from the connections that were told.
    pub(crate) fn restore_last_connection(&mut self, last_connection: ConnectionId) {
        self.last_connection = last_connection;
    }

    /// Completes a connection that was told.
    pub(crate) fn restore(
        &mut self,
        connection: ConnectionId,
        unacked: &[u8],
        complete: impl FnOnce(&mut Flow),
    ) {
        self.reply(connection, unacked);
        if let Some(flow) = self.flows.get_mut(&connection) {
            complete(flow);
        }
    }

    fn known(&mut self, connection: ConnectionId) -> Result<&mut Flow, FlowError> {
        self.flows
            .get_mut(&connection)
            .ok_or(FlowError::NoFlow(connection))
    }

    fn begin(
        &mut self,
        connection: ConnectionId,
        peer: Peer,
        handshake: Handshake,
    ) -> Result<(), FlowError> {
        if connection > COUNT_MAX {
            return Err(FlowError::NoNumber(connection));
        }
        if self.flows.contains_key(&connection) || self.of_peer.contains_key(&peer) {
            return Err(FlowError::BegunTwice(connection));
        }
        self.of_peer.insert(peer, connection);
        self.last_connection = self.last_connection.max(connection);
        let flow = Flow {
            peer,
            handshake,
            is_open: false,
            is_closed: false,
            received_bytes: 0,
            peer_has_closed: false,
            acknowledged_bytes: 0,
            is_end_acknowledged: false,
            unacked: SendBuffer::default(),
            is_hung_up: false,
            is_doomed: false,
        };
        self.flows.insert(connection, flow);
        Ok(())
    }

    fn acknowledge(
        &mut self,
        connection: ConnectionId,
        bytes: u64,
        end: bool,
    ) -> Result<(), FlowError> {
        let flow = self.known(connection)?;
        let news = bytes
            .checked_sub(flow.acknowledged_bytes)
            .filter(|news| *news <= flow.unacked.len() as u64)
            .ok_or(FlowError::Acknowledged { connection, bytes })?;
        flow.unacked.take(news as usize);
        flow.acknowledged_bytes = bytes;
        flow.is_end_acknowledged |= end;
        self.unacked_bytes -= news as usize;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn after_any_connection_there_is_a_next_one() {
        let mut flows = Flows::new(1000);
        let mut begin = |connection| {
            flows.apply(&Fact::Begun {
                connection,
                peer: [10, 0, 2, 2, 0, 1],
                handshake: Handshake {
                    peer_mac: [2; 6],
                    peer_seq: 1,
                    local_seq: 1,
                    mss: None,
                    window_scale: None,
                    sack_permitted: false,
                },
            })
        };
        for connection in [u64::MAX, COUNT_MAX + 1] {
            let error = begin(connection).unwrap_err();
            assert!(error.to_string().contains("a number that none has"));
        }
        assert_eq!(begin(COUNT_MAX), Ok(()));
        assert_eq!(flows.next_connection(), COUNT_MAX + 1);
    }
}
