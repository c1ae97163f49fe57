//! The sockets of all connections, and which of them a frame is for.

use alloc::vec::Drain;

use smoltcp::iface::SocketSet;
use smoltcp::time::Instant;

use crate::attached::AttachedSockets;
use crate::event_sink::{ConnectionEvent, EventSink};
use crate::fact::Fact;
use crate::listeners::Listeners;
use crate::prebuilt::{PrebuiltSockets, Unbuilt};
use crate::segment::{Arriving, Local, arriving};
use crate::tcp_repair::SocketRebuilder;
use crate::{ConnectionId, Peer};

/// What it took to make sockets for the connections of a predecessor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RebuildReport {
    /// Number of sockets. A connection needs another one if its client acknowledges more than the journal knows.
    pub connections: usize,
    /// Number of those that were not made before the takeover.
    pub made: usize,
    /// Total time, in ns.
    pub took_ns: u64,
}

/// The sockets: those that listen, and one for each connection.
pub(crate) struct Connections {
    local: Local,
    pub(crate) listeners: Listeners,
    pub(crate) attached: AttachedSockets,
    pub(crate) rebuilder: SocketRebuilder,
    unbuilt: Unbuilt,
    report: RebuildReport,
    /// Why a socket could not be rebuilt, if one could not.
    pub(crate) complaint: Option<&'static str>,
}

impl Connections {
    /// Makes sockets that listen at `local`.
    pub(crate) fn new(local: Local) -> Self {
        Self {
            local,
            listeners: Listeners::open(local.port),
            attached: AttachedSockets::default(),
            rebuilder: SocketRebuilder::new(local),
            unbuilt: Unbuilt::default(),
            report: RebuildReport::default(),
            complaint: None,
        }
    }

    /// Takes over the connections of a predecessor.
    pub(crate) fn take_over(&mut self, prebuilt: PrebuiltSockets, sink: &impl EventSink) {
        let start_ns = sink.now_ns();
        self.unbuilt = prebuilt.hand_over(&mut self.attached, sink.flows(), start_ns);
        self.report.connections = self.attached.len();
        self.report.took_ns = sink.now_ns() - start_ns;
    }

    /// Returns every set of sockets.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &SocketSet<'static>> {
        self.attached.sets().chain([&self.listeners.sockets])
    }

    /// Returns every set of sockets.
    pub(crate) fn sets_mut(&mut self) -> impl Iterator<Item = &mut SocketSet<'static>> {
        let listeners = &mut self.listeners.sockets;
        self.attached.sets_mut().chain([listeners])
    }

    /// Returns whether every connection of a predecessor has its socket.
    pub(crate) fn are_rebuilt(&self) -> bool {
        self.unbuilt.is_empty()
    }

    /// Returns the report, once it is complete and has something to say; only once.
    pub(crate) fn take_rebuild_report(&mut self) -> Option<RebuildReport> {
        let is_done = self.unbuilt.is_empty() && self.report.connections > 0;
        is_done.then(|| {
            self.unbuilt = Unbuilt::default();
            core::mem::take(&mut self.report)
        })
    }

    /// Makes the sockets of up to `count` connections that have none.
    pub(crate) fn rebuild(&mut self, count: usize, now: Instant, sink: &impl EventSink) {
        for _ in 0..count {
            let Some(connection) = self.unbuilt.next() else {
                return;
            };
            self.attach(connection, now, sink);
        }
    }

    /// Commits the connections of clients whose SYN was answered, with our initial sequence number. An answer that
    /// was sent again is of a connection that is known already.
    pub(crate) fn accept(&mut self, answered: Drain<'_, (Peer, u32)>, sink: &mut impl EventSink) {
        for (peer, local_seq) in answered {
            if sink.flows().of_peer(peer).is_some() {
                continue;
            }
            let Some((handshake, socket)) = self.listeners.accept(peer, local_seq) else {
                continue;
            };
            let connection = sink.flows().next_connection();
            sink.commit_event(ConnectionEvent::Fact(Fact::Begun {
                connection,
                peer,
                handshake,
            }));
            self.attached.attach_new(connection, socket);
        }
    }

    /// Returns the sockets that a frame may be for; `None` if it is to be dropped. Makes the socket of its
    /// connection, if that has none.
    ///
    /// A frame of a connected client must not reach the listeners: its SYN, sent again, would begin a second
    /// connection.
    pub(crate) fn sockets_for(
        &mut self,
        frame: &[u8],
        now: Instant,
        sink: &mut impl EventSink,
    ) -> Option<&mut SocketSet<'static>> {
        let Some(segment) = arriving(frame, self.local) else {
            return Some(&mut self.listeners.sockets);
        };
        let mut connection = sink.flows().of_peer(segment.peer);
        if let (Some(old), Some(_)) = (connection, segment.syn)
            && self.attached.is_in_time_wait(old)
        {
            // The client uses its port again, for a new connection (RFC 9293, 3.6.1).
            self.attached.detach(old);
            sink.commit_event(ConnectionEvent::Fact(Fact::Gone { connection: old }));
            connection = None;
        }
        if let Some(connection) = connection {
            self.catch_up(connection, segment, sink);
            self.attach(connection, now, sink);
            if let Some(set) = self.attached.set_of(connection) {
                return Some(set);
            }
        }
        match segment.syn {
            // The connection's socket could not be rebuilt: the client's next segment is answered with a reset.
            Some(_) if connection.is_some() => None,
            Some(syn) if !self.listeners.syn_received(segment.peer, syn) => None,
            _ => Some(&mut self.listeners.sockets),
        }
    }

    /// Commits the client's acknowledgement if it is beyond what the journal knows, because a predecessor had sent
    /// more. The socket is rebuilt then.
    ///
    /// Otherwise the segments of the socket would be old to the client; and if the client has to send something again
    /// as well, neither side would accept a segment of the other.
    fn catch_up(&mut self, connection: ConnectionId, segment: Arriving, sink: &mut impl EventSink) {
        let acknowledged = sink
            .flows()
            .get(connection)
            .filter(|flow| !self.attached.accepts(connection, flow, &segment))
            .and_then(|flow| flow.newer_acknowledgement(connection, segment.seq, segment.ack?));
        if let Some(fact) = acknowledged {
            self.attached.detach(connection);
            sink.commit_event(ConnectionEvent::Fact(fact));
        }
    }

    /// Makes the socket of a connection that has none.
    fn attach(&mut self, connection: ConnectionId, now: Instant, sink: &impl EventSink) {
        let Some(flow) = sink
            .flows()
            .get(connection)
            .filter(|_| !self.attached.is_attached(connection))
        else {
            return;
        };
        let start_ns = sink.now_ns();
        let mut single = self.unbuilt.socket();
        match self.rebuilder.rebuild(flow, &mut single, now) {
            Ok(()) => self.attached.attach_rebuilt(connection, single, flow),
            Err(reason) => self.complaint = Some(reason),
        }
        self.report.connections += 1;
        self.report.made += 1;
        self.report.took_ns += sink.now_ns() - start_ns;
    }
}
