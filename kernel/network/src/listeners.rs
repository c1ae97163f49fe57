//! Where clients arrive: sockets that listen, until a client's SYN is answered.

use alloc::vec::Vec;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::Socket as AnySocket;
use smoltcp::socket::tcp::{Socket, State};

use crate::Peer;
use crate::fact::Handshake;
use crate::segment::{Syn, address_of};
use crate::shape;

/// So many clients can arrive before the next look at them.
const LISTENERS: usize = 32;

/// Sockets that listen, and those of others who serve clients for whom no journal is kept.
pub(crate) struct Listeners {
    pub(crate) sockets: SocketSet<'static>,
    port: u16,
    listeners: Vec<SocketHandle>,
    /// Clients whose SYN is not answered yet, at most one for each listener.
    half_open: Vec<(Peer, Syn)>,
}

impl Listeners {
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

    /// A client asks for a connection. False if it has done so already and is to wait for the answer, or if there are too many: it will ask
    /// again.
    pub(crate) fn syn_received(&mut self, peer: Peer, syn: Syn) -> bool {
        if self.half_open.len() >= LISTENERS
            || self
                .half_open
                .iter()
                .any(|(half_open, _)| *half_open == peer)
        {
            return false;
        }
        self.half_open.push((peer, syn));
        true
    }

    /// A client is answered with our `local_seq`: takes its socket away, and says what was agreed.
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

    /// Makes up for listeners that left, as far as there is room for more connections, and for those whose client gave up.
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
            listeners.push(sockets.add(shape::SERVICE.listening(*port)));
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
