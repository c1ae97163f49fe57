//! The sockets of all connections, and which of them a frame is for.

use alloc::vec::Vec;

use smoltcp::iface::SocketSet;
use smoltcp::time::Instant;
use smoltcp::wire::EthernetAddress;

use crate::answer::Answer;
use crate::attached::AttachedSockets;
use crate::event_sink::{ConnectionEvent, EventSink};
use crate::fact::{Fact, Handshake};
use crate::flow::Flow;
use crate::input::Input;
use crate::judge::{Verdict, judge};
use crate::path_mtu::TooLong;
use crate::prebuilt::{PrebuiltSockets, Unbuilt, instant};
use crate::segment::{Local, Segment, SynOptions};
use crate::syn_cookie::{self, Cookie};
use crate::tcp_repair::SocketRebuilder;
use crate::{ConnectionId, NetworkConfig};

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

/// What becomes of a frame.
pub(crate) enum Route<'c> {
    /// It is for one of these sockets; if it is for none, the stack refuses it.
    Sockets(&'c mut SocketSet<'static>),
    /// It is answered, and no socket sees it.
    Answer(Answer),
    /// It is dropped.
    Drop,
}

/// The sockets: one for each connection, and those of others.
pub(crate) struct Connections {
    local: Local,
    pub(crate) connections_max: usize,
    /// The key of the SYN cookies, if no predecessor has chosen one.
    seed: u64,
    /// The sockets of others, who serve clients whose connections are not journaled.
    pub(crate) others: SocketSet<'static>,
    pub(crate) attached: AttachedSockets,
    pub(crate) rebuilder: SocketRebuilder,
    unbuilt: Unbuilt,
    report: RebuildReport,
    /// Why a socket could not be rebuilt, if one could not.
    pub(crate) complaint: Option<&'static str>,
}

impl Connections {
    /// Makes everything that the service at `local` needs.
    pub(crate) fn new(local: Local, config: &NetworkConfig) -> Self {
        Self {
            local,
            connections_max: config.connections_max,
            seed: config.seed,
            others: SocketSet::new(Vec::new()),
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
        self.attached.sets().chain([&self.others])
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

    /// Decides what becomes of a frame. Makes the socket of its connection, if that has none.
    pub(crate) fn route(
        &mut self,
        frame: &[u8],
        mac: EthernetAddress,
        has_checksums: bool,
        now_ns: u64,
        sink: &mut impl EventSink,
    ) -> Route<'_> {
        match Input::of(frame, mac, self.local, has_checksums) {
            Input::Segment(segment) => self.route_segment(&segment, now_ns, sink),
            Input::TooLong(too_long) => {
                self.lower_path_mtu(too_long, now_ns, sink);
                Route::Drop
            }
            Input::Other => Route::Sockets(&mut self.others),
            Input::Invalid => Route::Drop,
        }
    }

    fn route_segment(
        &mut self,
        segment: &Segment,
        now_ns: u64,
        sink: &mut impl EventSink,
    ) -> Route<'_> {
        let connection = sink.flows().of_peer(segment.peer);
        if let Some(connection) = connection {
            self.attach(connection, instant(now_ns), sink);
            // A client may use its port again while the old connection waits for late segments (RFC 9293, 3.6.1).
            let may_begin = self.attached.is_in_time_wait(connection);
            if !may_begin || !self.is_of_new_connection(connection, segment, now_ns, sink) {
                return self.route_known(connection, segment, now_ns, sink);
            }
        }
        if segment.is_reset {
            return Route::Drop;
        }
        let has_room = connection.is_some() || sink.flows().len() < self.connections_max;
        match (segment.syn, segment.ack) {
            (Some(options), None) if has_room => {
                let secret = self.secret(sink);
                let seq = syn_cookie::issue(secret, segment.peer, segment.seq, options, now_ns);
                Route::Answer(Answer::syn_ack(segment, options, seq))
            }
            (None, Some(_)) => match opening(segment, now_ns, sink) {
                Cookie::First(options) if has_room => self.begin(segment, options, now_ns, sink),
                Cookie::Later => Route::Drop,
                _ => Route::Sockets(&mut self.others),
            },
            _ => Route::Sockets(&mut self.others),
        }
    }

    /// Returns whether a segment begins another connection of the client of `connection`.
    fn is_of_new_connection(
        &self,
        connection: ConnectionId,
        segment: &Segment,
        now_ns: u64,
        sink: &impl EventSink,
    ) -> bool {
        let asks = segment.syn.is_some() && segment.ack.is_none();
        let begins = || {
            let flow = sink.flows().get(connection);
            let seqs = (
                segment.seq.wrapping_sub(1),
                segment.ack.unwrap_or(0).wrapping_sub(1),
            );
            let is_old = flow
                .is_some_and(|flow| (flow.handshake.peer_seq, flow.handshake.local_seq) == seqs);
            segment.syn.is_none()
                && !segment.is_reset
                && !is_old
                && matches!(opening(segment, now_ns, sink), Cookie::First(_))
        };
        asks || begins()
    }

    /// Returns the key of the SYN cookies. The first kernel that needs one commits it for all its successors.
    fn secret(&self, sink: &mut impl EventSink) -> u64 {
        if let Some(secret) = sink.flows().secret() {
            return secret;
        }
        let secret = self.seed;
        sink.commit_event(ConnectionEvent::Fact(Fact::Secret { secret }));
        secret
    }

    /// Begins the connection of a client that has proven its address.
    fn begin(
        &mut self,
        segment: &Segment,
        options: SynOptions,
        now_ns: u64,
        sink: &mut impl EventSink,
    ) -> Route<'_> {
        if let Some(old) = sink.flows().of_peer(segment.peer) {
            self.attached.detach(old);
            sink.commit_event(ConnectionEvent::Fact(Fact::Gone { connection: old }));
        }
        let connection = sink.flows().next_connection();
        let handshake = Handshake {
            peer_mac: segment.mac,
            peer_seq: segment.seq.wrapping_sub(1),
            local_seq: segment.ack.unwrap_or(0).wrapping_sub(1),
            mss: options.mss,
            window_scale: options.window_scale,
            sack_permitted: options.sack_permitted,
        };
        sink.commit_event(ConnectionEvent::Fact(Fact::Begun {
            connection,
            peer: segment.peer,
            handshake,
        }));
        let mut single = self.unbuilt.socket();
        let Some(flow) = sink.flows().get(connection) else {
            return Route::Drop;
        };
        match (self.rebuilder).rebuild(flow, &mut single, instant(now_ns)) {
            Ok(()) => self.attached.attach_new(connection, single),
            Err(reason) => self.complaint = Some(reason),
        }
        self.sockets_of(connection)
    }

    /// Decides what becomes of a segment of a known connection.
    fn route_known(
        &mut self,
        connection: ConnectionId,
        segment: &Segment,
        now_ns: u64,
        sink: &mut impl EventSink,
    ) -> Route<'_> {
        let found = self
            .attached
            .get_mut(connection)
            .zip(sink.flows().get(connection));
        let Some((attached, flow)) = found else {
            // The connection's socket could not be rebuilt: the client gets a reset.
            return Route::Sockets(&mut self.others);
        };
        match judge(attached, connection, flow, segment, now_ns) {
            Verdict::Take => self.sockets_of(connection),
            Verdict::Believe { ack } => {
                let fact = |flow: &Flow| flow.newer_acknowledgement(connection, segment.seq, ack);
                self.rebuild_with(connection, fact, now_ns, sink);
                self.sockets_of(connection)
            }
            Verdict::Challenge(answer) => Route::Answer(answer),
            Verdict::Drop => Route::Drop,
        }
    }

    fn sockets_of(&mut self, connection: ConnectionId) -> Route<'_> {
        match self.attached.get_mut(connection) {
            Some(attached) => Route::Sockets(attached.single.set_mut()),
            None => Route::Sockets(&mut self.others),
        }
    }

    /// Takes note of a path's MTU, if the message is about a segment that is under way and names a lower one.
    ///
    /// `smoltcp` cannot send shorter segments on an established connection. So the socket is made anew, as after a
    /// takeover, and sends what is unacknowledged again.
    fn lower_path_mtu(&mut self, too_long: TooLong, now_ns: u64, sink: &mut impl EventSink) {
        let Some(connection) = sink.flows().of_peer(too_long.peer) else {
            return;
        };
        self.attach(connection, instant(now_ns), sink);
        let found = self
            .attached
            .get_mut(connection)
            .zip(sink.flows().get(connection));
        let Some((attached, flow)) = found else {
            return;
        };
        let ahead = u64::from(too_long.seq.wrapping_sub(flow.first_out()));
        let is_under_way = ahead < attached.sent_end - flow.acknowledged_bytes;
        if is_under_way {
            let mtu = too_long.mtu;
            let fact = |flow: &Flow| {
                let is_news = flow.is_lowered_by(mtu);
                is_news.then_some(Fact::PathMtu { connection, mtu })
            };
            self.rebuild_with(connection, fact, now_ns, sink);
        }
    }

    /// Commits what came in, then the fact that `fact` returns, if it is still one. Makes the socket anew from both.
    fn rebuild_with(
        &mut self,
        connection: ConnectionId,
        fact: impl FnOnce(&Flow) -> Option<Fact>,
        now_ns: u64,
        sink: &mut impl EventSink,
    ) {
        if !self.attached.report_one(connection, now_ns, sink) {
            return;
        }
        let Some(fact) = sink.flows().get(connection).and_then(fact) else {
            return;
        };
        sink.commit_event(ConnectionEvent::Fact(fact));
        let Self {
            attached,
            rebuilder,
            ..
        } = self;
        let rebuilt = attached.rebuild(connection, rebuilder, sink.flows(), instant(now_ns));
        if let Err(reason) = rebuilt {
            self.complaint = Some(reason);
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

/// Returns what the acknowledgement in a segment says of a connection that we agreed to, if that did not end already.
fn opening(segment: &Segment, now_ns: u64, sink: &impl EventSink) -> Cookie {
    let found = segment.ack.zip(sink.flows().secret());
    found.map_or(Cookie::Foreign, |(ack, secret)| {
        let (peer_seq, local_seq) = (segment.seq.wrapping_sub(1), ack.wrapping_sub(1));
        let cookie = syn_cookie::check(secret, segment.peer, peer_seq, local_seq, now_ns);
        let ended = sink.flows().ended();
        let has_ended = match cookie {
            Cookie::First(_) => ended.contains(segment.peer, peer_seq, local_seq),
            Cookie::Later => ended.contains_local(segment.peer, local_seq),
            Cookie::Foreign => false,
        };
        match has_ended {
            true => Cookie::Foreign,
            false => cookie,
        }
    })
}
