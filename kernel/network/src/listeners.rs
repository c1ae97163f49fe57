//! Listening sockets. Each serves a new client until its SYN is answered.

use alloc::vec::Vec;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::Socket as AnySocket;
use smoltcp::socket::tcp::{Socket, State};

use crate::Peer;
use crate::fact::Handshake;
use crate::segment::{Syn, address_of};
use crate::socket_options;

/// Number of clients that can connect in one round.
const LISTENERS: usize = 32;

/// The listening sockets. Their set also holds the sockets of others, who serve clients whose connections are not
/// journaled.
pub(crate) struct Listeners {
    pub(crate) sockets: SocketSet<'static>,
    port: u16,
    listeners: Vec<SocketHandle>,
    /// Clients whose SYN is not answered yet, at most one for each listener.
    half_open: Vec<(Peer, Syn)>,
}

impl Listeners {
    /// Makes sockets that listen on `port`.
    pub(crate) fn open(port: u16) -> Self {
        let mut listeners = Self {
            sockets: SocketSet::new(Vec::with_capacity(LISTENERS)),
            port,
            listeners: Vec::with_capacity(LISTENERS),
            half_open: Vec::with_capacity(LISTENERS),
        };
        listeners.keep_listening(LISTENERS);
        listeners
    }

    /// Notes a client's SYN. Returns false if the segment is to be dropped: the client's first SYN is still to be
    /// answered, or too many clients wait. In both cases the client sends its SYN again.
    pub(crate) fn syn_received(&mut self, peer: Peer, syn: Syn) -> bool {
        if self.half_open.len() >= LISTENERS
            || self.half_open.iter().any(|(other, _)| *other == peer)
        {
            return false;
        }
        self.half_open.push((peer, syn));
        true
    }

    /// Removes the socket of a client whose SYN was answered with `local_seq`, and returns it with what was agreed.
    pub(crate) fn accept(
        &mut self,
        peer: Peer,
        local_seq: u32,
    ) -> Option<(Handshake, Socket<'static>)> {
        let index = self.half_open.iter().position(|(it, _)| *it == peer)?;
        let (_, syn) = self.half_open.swap_remove(index);
        let listener = self
            .listeners
            .iter()
            .position(|handle| is_receiving(self.sockets.get(*handle), peer))?;
        let AnySocket::Tcp(socket) = self.sockets.remove(self.listeners.swap_remove(listener));
        let handshake = Handshake {
            peer_mac: syn.mac,
            peer_seq: syn.seq,
            local_seq,
            mss: syn.mss,
            window_scale: syn.window_scale,
            sack_permitted: syn.sack_permitted,
        };
        Some((handshake, socket))
    }

    /// Replaces the listeners that were accepted, as far as `room` allows for more connections, and those whose
    /// client gave up.
    pub(crate) fn keep_listening(&mut self, room: usize) {
        let Self {
            sockets,
            listeners,
            half_open,
            port,
        } = self;
        for handle in listeners.iter() {
            let socket = sockets.get_mut::<Socket<'_>>(*handle);
            if socket.state() == State::Closed {
                // A closed socket can listen.
                let _ = socket.listen(*port);
            }
        }
        half_open.retain(|(peer, _)| {
            let mut waiting = listeners.iter();
            waiting.any(|handle| is_receiving(sockets.get(*handle), *peer))
        });
        while listeners.len() < LISTENERS.min(room) {
            listeners.push(sockets.add(socket_options::SERVICE.listening(*port)));
        }
    }
}

fn is_receiving(socket: &Socket<'_>, peer: Peer) -> bool {
    let (address, port) = address_of(peer);
    socket.state() == State::SynReceived
        && socket
            .remote_endpoint()
            .is_some_and(|remote| remote.addr == address.into() && remote.port == port)
}
