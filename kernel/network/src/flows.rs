//! All connections, and how facts change them.

use alloc::collections::BTreeMap;
use core::fmt;

use crate::fact::{Fact, Handshake};
use crate::flow::Flow;
use crate::send_buffer::SendBuffer;
use crate::{ConnectionId, Peer};

/// The largest number of a connection, and the most bytes that one carries. Larger numbers in a record are refused,
/// so that counting on never overflows.
pub(crate) const COUNT_MAX: u64 = u64::MAX >> 1;

/// All connections, with a limit to their unacknowledged replies together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flows {
    flows: BTreeMap<ConnectionId, Flow>,
    of_peer: BTreeMap<Peer, ConnectionId>,
    last_connection: ConnectionId,
    unacked_bytes: usize,
    unacked_bytes_max: usize,
}

/// Why a fact does not follow from those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowError {
    /// The connection is not open.
    NoFlow(ConnectionId),
    /// The connection, or another one of the same client, has begun already.
    BegunTwice(ConnectionId),
    /// No connection has a number as large as this.
    NoNumber(ConnectionId),
    /// The acknowledgement is beyond what was sent, or behind an earlier one.
    Acknowledged {
        /// The connection.
        connection: ConnectionId,
        /// Number of bytes in the acknowledgement.
        bytes: u64,
    },
}

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFlow(connection) => {
                write!(
                    f,
                    "a record is about connection {connection}, which is not open"
                )
            }
            Self::BegunTwice(connection) => {
                write!(
                    f,
                    "connection {connection}, or another one of its client, begins a second time"
                )
            }
            Self::NoNumber(connection) => {
                write!(
                    f,
                    "connection {connection} begins, but no connection has a number that large"
                )
            }
            Self::Acknowledged { connection, bytes } => write!(
                f,
                "connection {connection} has an impossible acknowledgement of {bytes} bytes of replies"
            ),
        }
    }
}

impl core::error::Error for FlowError {}

impl Flows {
    /// Makes an empty collection. All unacknowledged replies together take at most `unacked_bytes_max` bytes; a
    /// connection whose replies do not fit is aborted.
    pub fn new(unacked_bytes_max: usize) -> Self {
        Self {
            flows: BTreeMap::new(),
            of_peer: BTreeMap::new(),
            last_connection: 0,
            unacked_bytes: 0,
            unacked_bytes_max,
        }
    }

    /// Returns a connection.
    pub fn get(&self, connection: ConnectionId) -> Option<&Flow> {
        self.flows.get(&connection)
    }

    /// Returns the connection of a client.
    pub(crate) fn of_peer(&self, peer: Peer) -> Option<ConnectionId> {
        self.of_peer.get(&peer).copied()
    }

    /// Returns all connections, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Flow)> {
        self.flows
            .iter()
            .map(|(connection, flow)| (*connection, flow))
    }

    /// Returns the connections from number `first` on.
    pub(crate) fn from(&self, first: ConnectionId) -> impl Iterator<Item = (ConnectionId, &Flow)> {
        self.flows
            .range(first..)
            .map(|(connection, flow)| (*connection, flow))
    }

    /// Returns the number of connections.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Returns whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Returns a number that no connection had.
    pub fn next_connection(&self) -> ConnectionId {
        self.last_connection + 1
    }

    /// Applies a fact.
    ///
    /// # Errors
    /// It does not follow from those before it: see [`FlowError`]. Nothing has changed then.
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

    /// Notes that the service was told that a connection is open.
    pub fn opened(&mut self, connection: ConnectionId) {
        if let Some(flow) = self.flows.get_mut(&connection) {
            flow.is_open = true;
        }
    }

    /// Notes that the service was told that a connection is closed.
    pub fn closed(&mut self, connection: ConnectionId) {
        if let Some(flow) = self.flows.get_mut(&connection) {
            flow.is_closed = true;
        }
    }

    /// Notes that `bytes` bytes came in.
    pub fn received(&mut self, connection: ConnectionId, bytes: usize) {
        if let Some(flow) = self.flows.get_mut(&connection) {
            flow.received_bytes += bytes as u64;
        }
    }

    /// Appends a reply. If the unacknowledged replies of all connections become too many, this connection is aborted.
    pub fn reply(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let Some(flow) = self.flows.get_mut(&connection) else {
            return;
        };
        if flow.is_aborted {
            return;
        }
        if self.unacked_bytes + bytes.len() > self.unacked_bytes_max {
            self.unacked_bytes -= flow.unacked.len();
            flow.unacked.clear();
            flow.is_aborted = true;
        } else {
            self.unacked_bytes += bytes.len();
            flow.unacked.push(bytes);
        }
    }

    /// Closes a connection, once all replies are sent.
    pub fn hang_up(&mut self, connection: ConnectionId) {
        if let Some(flow) = self.flows.get_mut(&connection) {
            flow.is_hung_up = true;
        }
    }

    /// Returns the largest number that a connection had.
    pub(crate) fn last_connection(&self) -> ConnectionId {
        self.last_connection
    }

    /// Sets the largest number that a connection had, from a checkpoint.
    pub(crate) fn restore_last_connection(&mut self, last_connection: ConnectionId) {
        self.last_connection = last_connection;
    }

    /// Completes a connection from a checkpoint: `complete` sets everything but the unacknowledged replies.
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
            is_aborted: false,
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
            assert!(error.to_string().contains("a number that large"));
        }
        assert_eq!(begin(COUNT_MAX), Ok(()));
        assert_eq!(flows.next_connection(), COUNT_MAX + 1);
    }
}
