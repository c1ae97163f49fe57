//! Sockets of connections: events on them go to the sink, replies of the flows go into them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use smoltcp::iface::SocketSet;
use smoltcp::phy::Device;
use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;
use smoltcp::wire::EthernetAddress;

use crate::answer::Answer;
use crate::event_sink::{ConnectionEvent, EventSink};
use crate::fact::Fact;
use crate::flow::Flow;
use crate::flows::Flows;
use crate::segment::Local;
use crate::single::Single;
use crate::tcp_repair::SocketRebuilder;
use crate::{ConnectionId, socket_options};

/// How long a client may take to close its side, when the service has closed its own, in ns.
const CLOSING_NS_MAX: u64 = 60_000_000_000;
/// Acknowledged bytes are journaled in steps of this size. A successor may send that many in vain.
const ACKNOWLEDGED_BYTES_STEP: u64 = socket_options::SERVICE.send_bytes as u64 / 4;
/// The most that a kernel can have sent beyond what the journal knows to be acknowledged.
const SENT_BYTES_MAX: u64 = socket_options::SERVICE.send_bytes as u64 + ACKNOWLEDGED_BYTES_STEP;
/// Number of duplicate acknowledgements that make a sender send again (RFC 5681, 3.2).
///
/// A request that had reached the dead kernel's memory but not its journal was received by nobody. Its client would
/// send it again after its retransmission time-out, which is a fifth of a second or more. The acknowledgements make it
/// do so at once. A client that misses nothing ignores them.
const DUP_ACKS: u8 = 3;

/// The connections that have a socket.
#[derive(Default)]
pub(crate) struct AttachedSockets {
    attached: BTreeMap<ConnectionId, Attached>,
}

/// A flow's socket.
pub(crate) struct Attached {
    pub(crate) single: Single,
    /// Bytes of the replies that were put into it, or that the client had before.
    pub(crate) enqueued_bytes: u64,
    /// Position among the replies up to which an earlier socket of this connection may have sent.
    pub(crate) inherited_end: u64,
    /// Position up to which this socket or an earlier one may have sent. The end behind the replies counts as a byte.
    pub(crate) sent_end: u64,
    /// When a segment was challenged last, in ns.
    pub(crate) challenged_ns: Option<u64>,
    /// Since when only the client's end is missing, in ns.
    closing_since_ns: Option<u64>,
    /// Duplicate acknowledgements still to be sent, in case that the client waits for an acknowledgement.
    dup_acks_left: u8,
}

impl AttachedSockets {
    /// Returns the number of sockets.
    pub(crate) fn len(&self) -> usize {
        self.attached.len()
    }

    /// Returns whether a connection has a socket.
    pub(crate) fn is_attached(&self, connection: ConnectionId) -> bool {
        self.attached.contains_key(&connection)
    }

    /// Returns each socket, as a set.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &SocketSet<'static>> {
        self.attached.values().map(|attached| attached.single.set())
    }

    /// Returns each connection and its socket.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (ConnectionId, &mut Attached)> {
        let attached = self.attached.iter_mut();
        attached.map(|(connection, attached)| (*connection, attached))
    }

    /// Returns the socket of a connection.
    pub(crate) fn get_mut(&mut self, connection: ConnectionId) -> Option<&mut Attached> {
        self.attached.get_mut(&connection)
    }

    /// Attaches the socket of a client that has just connected.
    pub(crate) fn attach_new(&mut self, connection: ConnectionId, single: Single) {
        self.attached.insert(connection, Attached::new(single));
    }

    /// Makes the socket of `connection` anew, from what the journal knows of it. What came in has to be in the journal.
    ///
    /// # Errors
    /// See [`SocketRebuilder::rebuild`]. The connection has no socket then.
    pub(crate) fn rebuild(
        &mut self,
        connection: ConnectionId,
        rebuilder: &mut SocketRebuilder,
        flows: &Flows,
        now: Instant,
    ) -> Result<(), &'static str> {
        let found = self
            .attached
            .get_mut(&connection)
            .zip(flows.get(connection));
        let Some((attached, flow)) = found else {
            return Ok(());
        };
        attached.enqueued_bytes = flow.acknowledged_bytes;
        attached.inherited_end = attached.sent_end;
        let rebuilt = rebuilder.rebuild(flow, &mut attached.single, now);
        if rebuilt.is_err() {
            self.detach(connection);
        }
        rebuilt
    }

    /// Attaches a socket that was rebuilt from `flow`.
    pub(crate) fn attach_rebuilt(&mut self, connection: ConnectionId, single: Single, flow: &Flow) {
        self.attached
            .insert(connection, Attached::rebuilt(single, flow));
    }

    /// Attaches prebuilt sockets, sorted by connection, before there are any others.
    pub(crate) fn attach_prebuilt(&mut self, made: Vec<(ConnectionId, Single, &Flow)>) {
        let attached = made.into_iter();
        self.attached = attached
            .map(|(connection, single, flow)| (connection, Attached::rebuilt(single, flow)))
            .collect();
    }

    /// Returns whether a connection is over and only waits for late segments.
    pub(crate) fn is_in_time_wait(&self, connection: ConnectionId) -> bool {
        self.attached
            .get(&connection)
            .is_some_and(|attached| attached.single.get().state() == State::TimeWait)
    }

    /// Discards the socket of a connection.
    pub(crate) fn detach(&mut self, connection: ConnectionId) {
        self.attached.remove(&connection);
    }

    /// Commits what happened on one socket. Returns whether the connection has a socket afterwards.
    pub(crate) fn report_one(
        &mut self,
        connection: ConnectionId,
        now_ns: u64,
        sink: &mut impl EventSink,
    ) -> bool {
        let Some(attached) = self.attached.get_mut(&connection) else {
            return false;
        };
        let is_left = attached.report(connection, now_ns, false, sink);
        if !is_left {
            self.detach(connection);
        }
        is_left
    }

    /// Commits what happened on every socket. If `is_crowded`, connections in TIME-WAIT make room.
    pub(crate) fn report(&mut self, now_ns: u64, is_crowded: bool, sink: &mut impl EventSink) {
        let mut next = 0;
        while let Some((&connection, attached)) = self.attached.range_mut(next..).next() {
            next = connection + 1;
            if !attached.report(connection, now_ns, is_crowded, sink) {
                self.detach(connection);
            }
        }
    }

    /// Moves replies into the sockets. Returns whether any was moved.
    pub(crate) fn fill(&mut self, now_ns: u64, flows: &Flows) -> bool {
        let mut has_moved = false;
        for (connection, attached) in &mut self.attached {
            if let Some(flow) = flows.get(*connection) {
                has_moved |= attached.fill(flow, now_ns);
            }
        }
        has_moved
    }

    /// Sends duplicate acknowledgements to clients that may have sent something in vain, as far as `device` has room.
    pub(crate) fn send_dup_acks<D: Device>(
        &mut self,
        device: &mut D,
        mac: EthernetAddress,
        local: Local,
        flows: &Flows,
        now: Instant,
    ) {
        let window = socket_options::SERVICE.receive_bytes as u16;
        for (connection, attached) in &mut self.attached {
            let Some(flow) = flows
                .get(*connection)
                .filter(|_| attached.dup_acks_left > 0)
            else {
                continue;
            };
            let state = attached.single.get().state();
            if state != State::Established || flow.unacked.len() > 0 {
                continue;
            }
            let answer = Answer {
                peer: flow.peer,
                mac: flow.handshake.peer_mac,
                seq: flow.first_out(),
                ack: flow.next_in(),
                window,
                syn: None,
            };
            while attached.dup_acks_left > 0
                && let Some(token) = device.transmit(now)
            {
                answer.send(token, mac, local);
                attached.dup_acks_left -= 1;
            }
        }
    }
}

impl Attached {
    /// Makes an entry for the socket of a new connection.
    fn new(single: Single) -> Self {
        Self {
            single,
            enqueued_bytes: 0,
            inherited_end: 0,
            sent_end: 0,
            challenged_ns: None,
            closing_since_ns: None,
            dup_acks_left: 0,
        }
    }

    /// Makes an entry for a socket that was rebuilt from a predecessor's `flow`.
    fn rebuilt(single: Single, flow: &Flow) -> Self {
        let produced_end = flow.produced_bytes() + u64::from(flow.is_ending());
        let inherited_end = produced_end.min(flow.acknowledged_bytes + SENT_BYTES_MAX);
        Self {
            enqueued_bytes: flow.acknowledged_bytes,
            inherited_end,
            sent_end: inherited_end,
            dup_acks_left: DUP_ACKS,
            ..Self::new(single)
        }
    }

    /// Notes that segments up to the sequence number `end` left.
    pub(crate) fn sent_up_to(&mut self, flow: &Flow, end: u32) {
        self.sent_end = self.sent_end.max(flow.position_of(end));
    }

    /// Commits what happened. Returns false if the socket is not needed any more.
    fn report(
        &mut self,
        connection: ConnectionId,
        now_ns: u64,
        is_crowded: bool,
        sink: &mut impl EventSink,
    ) -> bool {
        let Some(flow) = sink.flows().get(connection) else {
            return false;
        };
        self.reset_unheard(flow);
        let state = self.single.get().state();
        if !flow.is_open {
            let peer = flow.peer;
            sink.commit_event(ConnectionEvent::Opened(connection, peer));
        }
        let has_received = self.report_bytes(connection, sink);
        self.report_acknowledged(connection, has_received, sink);
        let Some(flow) = sink.flows().get(connection) else {
            return false;
        };
        let peer_has_closed = matches!(
            state,
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait
        );
        let (is_known, is_open) = (flow.peer_has_closed, flow.is_open && !flow.is_closed);
        if peer_has_closed && !is_known {
            sink.commit_event(ConnectionEvent::Fact(Fact::PeerClosed { connection }));
        }
        if is_open && (peer_has_closed || state == State::Closed) {
            sink.commit_event(ConnectionEvent::Closed(connection));
        }
        let is_gone = match state {
            State::Closed => {
                // The reset of an aborted connection is sent first, if the client can be reached.
                let endpoint = self.single.get().remote_endpoint();
                endpoint.is_none() || self.is_overdue(now_ns)
            }
            State::TimeWait => is_crowded,
            _ => false,
        };
        if is_gone {
            sink.commit_event(ConnectionEvent::Fact(Fact::Gone { connection }));
        }
        !is_gone
    }

    /// Resets a connection that the service has closed if its client goes on sending, as other servers do. The client
    /// has all replies and the end behind them; only a reset tells it that nobody listens.
    fn reset_unheard(&mut self, flow: &Flow) {
        let socket = self.single.get_mut();
        if flow.is_hung_up && socket.state() == State::FinWait2 && socket.can_recv() {
            socket.abort();
        }
    }

    /// Commits what came in. Returns whether anything did.
    fn report_bytes(&mut self, connection: ConnectionId, sink: &mut impl EventSink) -> bool {
        let socket = self.single.get_mut();
        let mut has_received = false;
        while socket.can_recv() {
            let taken = socket.recv(|bytes| {
                sink.commit_event(ConnectionEvent::Bytes(connection, bytes));
                (bytes.len(), bytes.len())
            });
            if !taken.is_ok_and(|bytes| bytes > 0) {
                break;
            }
            has_received = true;
            self.dup_acks_left = 0;
        }
        has_received
    }

    /// Commits what was acknowledged, if it is worth a record: a client that sends requests will soon acknowledge more.
    fn report_acknowledged(
        &self,
        connection: ConnectionId,
        has_received: bool,
        sink: &mut impl EventSink,
    ) {
        let socket = self.single.get();
        let Some(flow) = sink.flows().get(connection) else {
            return;
        };
        let bytes = self.enqueued_bytes - socket.send_queue() as u64;
        let news = bytes.saturating_sub(flow.acknowledged_bytes);
        let is_all = news == flow.unacked.len() as u64;
        let end = matches!(socket.state(), State::FinWait2 | State::TimeWait);
        let is_worth_it = news >= ACKNOWLEDGED_BYTES_STEP
            || (news > 0 && is_all && !has_received)
            || (end && !flow.is_end_acknowledged);
        if is_worth_it && !flow.is_aborted {
            sink.commit_event(ConnectionEvent::Fact(Fact::Acknowledged {
                connection,
                bytes,
                end,
            }));
        }
    }

    /// Moves as much of the replies into the socket as it takes. Returns whether that is anything.
    fn fill(&mut self, flow: &Flow, now_ns: u64) -> bool {
        let socket = self.single.get_mut();
        if flow.is_aborted {
            socket.abort();
            return false;
        }
        let produced = flow.produced_bytes();
        let before = self.enqueued_bytes;
        while self.enqueued_bytes < produced && socket.can_send() {
            let offset = self.enqueued_bytes - flow.acknowledged_bytes;
            match socket.send_slice(flow.unacked.from(offset as usize)) {
                Ok(sent) if sent > 0 => self.enqueued_bytes += sent as u64,
                _ => break,
            }
        }
        // Close only when everything is acknowledged: once its end is sent, smoltcp 0.14 ignores a window that opens
        // (`LastAck` in `process`).
        if flow.is_ending() && self.enqueued_bytes == produced && socket.send_queue() == 0 {
            socket.close();
            // A client that never closes its side would keep the socket for ever.
            if flow.is_hung_up && self.is_overdue(now_ns) {
                self.single.get_mut().abort();
            }
        }
        self.enqueued_bytes > before
    }

    /// Returns whether closing takes too long, counted from the first call.
    fn is_overdue(&mut self, now_ns: u64) -> bool {
        let since_ns = *self.closing_since_ns.get_or_insert(now_ns);
        now_ns.saturating_sub(since_ns) > CLOSING_NS_MAX
    }
}
