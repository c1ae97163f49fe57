//! A socket in a set of its own.
//!
//! For every segment, `smoltcp` searches the whole set it is given for the socket concerned. Here the socket is known
//! from the flow, so each one has a set of its own, and nothing is searched.

use alloc::vec::Vec;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::Socket;

/// A set of one socket.
pub(crate) struct Single {
    set: SocketSet<'static>,
    handle: SocketHandle,
}

impl Single {
    /// Puts `socket` into a set.
    pub(crate) fn new(socket: Socket<'static>) -> Self {
        let mut set = SocketSet::new(Vec::with_capacity(1));
        Self {
            handle: set.add(socket),
            set,
        }
    }

    /// Returns the socket.
    pub(crate) fn get(&self) -> &Socket<'static> {
        self.set.get(self.handle)
    }

    /// Returns the socket.
    pub(crate) fn get_mut(&mut self) -> &mut Socket<'static> {
        self.set.get_mut(self.handle)
    }

    /// Returns the set.
    pub(crate) fn set(&self) -> &SocketSet<'static> {
        &self.set
    }

    /// Returns the set.
    pub(crate) fn set_mut(&mut self) -> &mut SocketSet<'static> {
        &mut self.set
    }
}
