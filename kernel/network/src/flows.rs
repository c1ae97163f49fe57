//! All connections, and how facts change them.

use alloc::collections::BTreeMap;

use crate::ended::Ended;
use crate::fact::{Fact, Handshake};
use crate::flow::Flow;
use crate::flow_error::FlowError;
use crate::send_buffer::SendBuffer;
use crate::{ConnectionId, Peer};

/// The largest number of a connection, and the most bytes that one carries. Larger numbers in a record are refused,
/// so that counting on never overflows.
pub(crate) const COUNT_MAX: u64 = u64::MAX >> 1;

/// All connections, with a limit to their unacknowledged replies together. Beyond it, the largest debtor is aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flows {
    flows: BTreeMap<ConnectionId, Flow>,
    of_peer: BTreeMap<Peer, ConnectionId>,
    last_connection: ConnectionId,
    /// Key of the SYN cookies, if one was chosen.
    secret: Option<u64>,
    ended: Ended,
    unacked_bytes: usize,
    unacked_bytes_max: usize,
}

impl Flows {
    /// Makes an empty collection. All unacknowledged replies together take at most `unacked_bytes_max` bytes.
    /// If a reply does not fit, the connection with the most of them is aborted.
    pub fn new(unacked_bytes_max: usize) -> Self {
        Self {
            flows: BTreeMap::new(),
            of_peer: BTreeMap::new(),
            last_connection: 0,
            secret: None,
            ended: Ended::default(),
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

    /// Checks that a fact follows from those before it, so that it can be applied.
    ///
    /// # Errors
    /// It does not: see [`FlowError`].
    pub fn check(&self, fact: &Fact) -> Result<(), FlowError> {
        let flow = |connection| self.get(connection).ok_or(FlowError::NoFlow(connection));
        match *fact {
            Fact::Begun {
                connection, peer, ..
            } => {
                if connection > COUNT_MAX {
                    return Err(FlowError::NoNumber(connection));
                }
                if self.flows.contains_key(&connection) || self.of_peer.contains_key(&peer) {
                    return Err(FlowError::BegunTwice(connection));
                }
            }
            Fact::Acknowledged {
                connection, bytes, ..
            } => {
                flow(connection)?
                    .news_of(bytes)
                    .ok_or(FlowError::Acknowledged { connection, bytes })?;
            }
            Fact::PeerClosed { connection }
            | Fact::Gone { connection }
            | Fact::PathMtu { connection, .. } => {
                flow(connection)?;
            }
            Fact::Secret { .. } => {}
        }
        Ok(())
    }

    /// Applies a fact.
    ///
    /// # Errors
    /// It does not follow from those before it: see [`FlowError`]. Nothing has changed then.
    pub fn apply(&mut self, fact: &Fact) -> Result<(), FlowError> {
        self.check(fact)?;
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
            } => self.acknowledge(connection, bytes, end)?,
            Fact::PeerClosed { connection } => self.known(connection)?.peer_has_closed = true,
            Fact::Gone { connection } => {
                let flow = self
                    .flows
                    .remove(&connection)
                    .ok_or(FlowError::NoFlow(connection))?;
                self.of_peer.remove(&flow.peer);
                self.ended.push(flow.peer, &flow.handshake);
                self.unacked_bytes -= flow.unacked.len();
            }
            Fact::PathMtu { connection, mtu } => self.known(connection)?.path_mtu = Some(mtu),
            Fact::Secret { secret } => self.secret = Some(secret),
        }
        Ok(())
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

    /// Appends a reply. While the unacknowledged replies of all connections are too many, the connection with the most
    /// of them is aborted. That may be this one.
    pub fn reply(&mut self, connection: ConnectionId, bytes: &[u8]) {
        if self.get(connection).is_none_or(|flow| flow.is_aborted) {
            return;
        }
        while self.unacked_bytes.saturating_add(bytes.len()) > self.unacked_bytes_max {
            let Some(debtor) = self.largest_debtor(Some((connection, bytes.len()))) else {
                return;
            };
            self.abort(debtor);
            if debtor == connection {
                return;
            }
        }
        if let Some(flow) = self.flows.get_mut(&connection) {
            self.unacked_bytes += bytes.len();
            flow.unacked.push(bytes);
        }
    }

    /// Returns the connection that would owe most if one owed so many bytes `more`; of several, the oldest. Primary and
    /// backup have the same replies at the same record, so they agree.
    fn largest_debtor(&self, more: Option<(ConnectionId, usize)>) -> Option<ConnectionId> {
        let owes = |(number, flow): (&ConnectionId, &Flow)| {
            let more = more.filter(|(debtor, _)| debtor == number);
            let owed = flow.unacked.len() + more.map_or(0, |(_, bytes)| bytes);
            (owed, core::cmp::Reverse(*number))
        };
        let flows = self.flows.iter().filter(|(_, flow)| !flow.is_aborted);
        let (_, core::cmp::Reverse(debtor)) = flows.map(owes).max()?;
        Some(debtor)
    }

    fn abort(&mut self, connection: ConnectionId) {
        if let Some(flow) = self.flows.get_mut(&connection) {
            self.unacked_bytes -= flow.unacked.len();
            flow.unacked.clear();
            flow.is_aborted = true;
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

    /// Returns the key of the SYN cookies, if one was chosen.
    pub(crate) fn secret(&self) -> Option<u64> {
        self.secret
    }

    /// Returns the connections that ended last.
    pub(crate) fn ended(&self) -> &Ended {
        &self.ended
    }

    /// Sets what belongs to no single connection, from a checkpoint.
    pub(crate) fn restore_rest(
        &mut self,
        last_connection: ConnectionId,
        secret: Option<u64>,
        ended: Ended,
    ) {
        self.last_connection = last_connection;
        self.secret = secret;
        self.ended = ended;
    }

    /// Brings a connection up to date, from a checkpoint: its client has acknowledged all below `acknowledged_bytes`.
    /// `complete` sets everything else, and returns whether the connection was aborted. Returns the position at which
    /// the next reply has to begin; `None` if there is no such connection, or an acknowledgement was taken back.
    pub(crate) fn restore(
        &mut self,
        connection: ConnectionId,
        acknowledged_bytes: u64,
        complete: impl FnOnce(&mut Flow) -> bool,
    ) -> Option<u64> {
        let flow = self.flows.get_mut(&connection)?;
        let news = acknowledged_bytes.checked_sub(flow.acknowledged_bytes)?;
        let gone = flow.unacked.len().min(usize::try_from(news).ok()?);
        flow.unacked.take(gone);
        self.unacked_bytes -= gone;
        flow.acknowledged_bytes = acknowledged_bytes;
        if complete(flow) {
            self.abort(connection);
        }
        let flow = self.flows.get(&connection)?;
        Some(acknowledged_bytes + flow.unacked.len() as u64)
    }

    /// Sets the limit of all unacknowledged replies together, and aborts the largest debtors until it is kept.
    pub(crate) fn limit_unacked(&mut self, bytes_max: usize) {
        self.unacked_bytes_max = bytes_max;
        while self.unacked_bytes > bytes_max {
            let Some(debtor) = self.largest_debtor(None) else {
                return;
            };
            self.abort(debtor);
        }
    }

    /// Returns the number of unacknowledged bytes of all connections.
    pub(crate) fn unacked_bytes(&self) -> usize {
        self.unacked_bytes
    }

    fn known(&mut self, connection: ConnectionId) -> Result<&mut Flow, FlowError> {
        self.flows
            .get_mut(&connection)
            .ok_or(FlowError::NoFlow(connection))
    }

    fn begin(&mut self, connection: ConnectionId, peer: Peer, handshake: Handshake) {
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
            path_mtu: None,
        };
        self.flows.insert(connection, flow);
    }

    fn acknowledge(
        &mut self,
        connection: ConnectionId,
        bytes: u64,
        end: bool,
    ) -> Result<(), FlowError> {
        let flow = self.known(connection)?;
        let news = flow
            .news_of(bytes)
            .ok_or(FlowError::Acknowledged { connection, bytes })?;
        flow.unacked.take(news as usize);
        flow.acknowledged_bytes = bytes;
        flow.is_end_acknowledged |= end;
        self.unacked_bytes -= news as usize;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
