//! Sockets of connections: what happens on them goes to the sink, what the sink owes goes into them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use smoltcp::iface::SocketSet;
use smoltcp::phy::Device;
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::Instant;
use smoltcp::wire::EthernetAddress;

use crate::event_sink::{ConnectionEvent, EventSink};
use crate::fact::Fact;
use crate::flow::{Flow, Flows};
use crate::segment::{Arriving, Local};
use crate::single::Single;
use crate::{ConnectionId, dup_ack, shape};

/// How long a client that was hung up on may take to close its side, in ns.
const CLOSING_NS_MAX: u64 = 60_000_000_000;
/// What is acknowledged is entered when it is so much: it is what a successor may send in vain.
const ACKNOWLEDGED_BYTES_STEP: u64 = shape::SERVICE.send_bytes as u64 / 4;

/// The sockets.
#[derive(Default)]
pub(crate) struct AttachedSockets {
    attached: BTreeMap<ConnectionId, Attached>,
}

/// A flow's socket.
struct Attached {
    single: Single,
    /// Bytes of the replies that were put into it, or that its client had before.
    enqueued_bytes: u64,
    /// Since when only the client's own end is missing, in ns.
    closing_since_ns: Option<u64>,
    /// Acknowledgements still to be sent, in case that its client waits for one.
    dup_acks_left: u8,
}

impl AttachedSockets {
    pub(crate) fn len(&self) -> usize {
        self.attached.len()
    }

    pub(crate) fn is_attached(&self, connection: ConnectionId) -> bool {
        self.attached.contains_key(&connection)
    }

    /// The socket of a connection, as a set.
    pub(crate) fn set_of(&mut self, connection: ConnectionId) -> Option<&mut SocketSet<'static>> {
        let attached = self.attached.get_mut(&connection)?;
        Some(attached.single.set_mut())
    }

    /// Each socket, as a set.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &SocketSet<'static>> {
        self.attached.values().map(|attached| attached.single.set())
    }

    /// Each socket, as a set.
    pub(crate) fn sets_mut(&mut self) -> impl Iterator<Item = &mut SocketSet<'static>> {
        let attached = self.attached.values_mut();
        attached.map(|attached| attached.single.set_mut())
    }

    /// Whether the socket of a connection, if it has one, takes notice of what `segment` acknowledges (RFC 9293, 3.10.7.4: not if the segment is
    /// old). One that was made from a flow may stand elsewhere than its client does.
    pub(crate) fn accepts(
        &self,
        connection: ConnectionId,
        flow: &Flow,
        segment: &Arriving,
    ) -> bool {
        let Some(attached) = self.attached.get(&connection) else {
            return false;
        };
        let under_way = attached.enqueued_bytes - flow.acknowledged_bytes;
        let fits = |ack: u32| u64::from(ack.wrapping_sub(flow.first_out())) <= under_way + 1;
        let distance = segment.seq.wrapping_sub(flow.next_in());
        distance <= shape::SERVICE.receive_bytes as u32 && segment.ack.is_none_or(fits)
    }

    /// Takes a socket that a client has begun to use.
    pub(crate) fn attach_new(&mut self, connection: ConnectionId, socket: Socket<'static>) {
        self.attached.insert(
            connection,
            Attached {
                single: Single::new(socket),
                enqueued_bytes: 0,
                closing_since_ns: None,
                dup_acks_left: 0,
            },
        );
    }

    /// Takes a socket that was made from `flow`.
    pub(crate) fn attach_rebuilt(&mut self, connection: ConnectionId, single: Single, flow: &Flow) {
        self.attached.insert(connection, Attached::to(single, flow));
    }

    /// Takes sockets that were made from flows, before there are any others. In the order of the connections' numbers.
    pub(crate) fn attach_prebuilt(&mut self, made: Vec<(ConnectionId, Single, &Flow)>) {
        let attached = made.into_iter();
        self.attached = attached
            .map(|(connection, single, flow)| (connection, Attached::to(single, flow)))
            .collect();
    }

    /// Whether a connection is over, but for segments that come late.
    pub(crate) fn is_only_waiting(&self, connection: ConnectionId) -> bool {
        self.attached
            .get(&connection)
            .is_some_and(|attached| attached.single.get().state() == State::TimeWait)
    }

    /// Throws the socket of a connection away.
    pub(crate) fn detach(&mut self, connection: ConnectionId) {
        self.attached.remove(&connection);
    }

    /// Enters what happened on every socket. When it is crowded, connections that are over make room.
    pub(crate) fn report(&mut self, now_ns: u64, is_crowded: bool, sink: &mut impl EventSink) {
        let mut next = 0;
        while let Some((&connection, attached)) = self.attached.range_mut(next..).next() {
            next = connection + 1;
            if !attached.report(connection, now_ns, is_crowded, sink) {
                self.detach(connection);
            }
        }
    }

    /// Moves what is owed into the sockets. True if something was.
    pub(crate) fn fill(&mut self, now_ns: u64, flows: &Flows) -> bool {
        let mut has_moved = false;
        for (connection, attached) in &mut self.attached {
            if let Some(flow) = flows.get(*connection) {
                has_moved |= attached.fill(flow, now_ns);
            }
        }
        has_moved
    }

    /// Reminds clients that may have sent something in vain, as far as `device` has room.
    pub(crate) fn send_dup_acks<D: Device>(
        &mut self,
        device: &mut D,
        mac: EthernetAddress,
        local: Local,
        flows: &Flows,
        now: Instant,
    ) {
        let window = shape::SERVICE.receive_bytes as u16;
        for (connection, attached) in &mut self.attached {
            let Some(flow) = flows
                .get(*connection)
                .filter(|_| attached.dup_acks_left > 0)
            else {
                continue;
            };
            let state = attached.single.get().state();
            let is_waiting = matches!(state, State::SynReceived | State::Established);
            if !is_waiting || flow.unacked.len() > 0 {
                continue;
            }
            while attached.dup_acks_left > 0 && dup_ack::send(device, mac, local, flow, window, now)
            {
                attached.dup_acks_left -= 1;
            }
        }
    }
}

impl Attached {
    /// The socket that was made from `flow`.
    fn to(single: Single, flow: &Flow) -> Self {
        Self {
            single,
            enqueued_bytes: flow.acknowledged_bytes,
            closing_since_ns: None,
            dup_acks_left: dup_ack::COUNT,
        }
    }

    /// Enters what happened. False if the socket is of no more use.
    fn report(
        &mut self,
        connection: ConnectionId,
        now_ns: u64,
        is_crowded: bool,
        sink: &mut impl EventSink,
    ) -> bool {
        let socket = self.single.get();
        let state = socket.state();
        let Some(flow) = sink.flows().get(connection) else {
            return false;
        };
        if !flow.is_open
            && (matches!(state, State::Established | State::CloseWait) || socket.can_recv())
        {
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
                // One that was given up is told so first, if it can be reached.
                let endpoint = self.single.get().remote_endpoint();
                endpoint.is_none() || self.is_overdue(now_ns)
            }
            // It went away before it was there.
            State::Listen => true,
            State::TimeWait => is_crowded,
            _ => false,
        };
        if is_gone {
            sink.commit_event(ConnectionEvent::Fact(Fact::Gone { connection }));
        }
        !is_gone
    }

    /// Enters what came in. True if anything did.
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

    /// Enters what was acknowledged, when it is worth it: a client that goes on asking will acknowledge more.
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
        if is_worth_it && !flow.is_doomed {
            sink.commit_event(ConnectionEvent::Fact(Fact::Acknowledged {
                connection,
                bytes,
                end,
            }));
        }
    }

    /// Moves as much of what is owed into the socket as it takes. True if that is anything.
    fn fill(&mut self, flow: &Flow, now_ns: u64) -> bool {
        let socket = self.single.get_mut();
        if flow.is_doomed {
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
        // Not before everything was acknowledged: behind the end, smoltcp 0.14 takes no notice of a window that opens (`LastAck` in `process`).
        if flow.is_ending() && self.enqueued_bytes == produced && socket.send_queue() == 0 {
            socket.close();
            // A client that never closes its side would keep the socket for ever.
            if flow.is_hung_up && self.is_overdue(now_ns) {
                self.single.get_mut().abort();
            }
        }
        self.enqueued_bytes > before
    }

    /// Whether the end takes too long, counted from the first call.
    fn is_overdue(&mut self, now_ns: u64) -> bool {
        let since_ns = *self.closing_since_ns.get_or_insert(now_ns);
        now_ns.saturating_sub(since_ns) > CLOSING_NS_MAX
    }
}
