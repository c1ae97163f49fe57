//! A socket in a set of its own. `smoltcp` looks through a whole set for every segment that comes in; whose it is, is known here.

use alloc::vec::Vec;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::Socket;

/// One socket.
pub(crate) struct Single {
    set: SocketSet<'static>,
    handle: SocketHandle,
}

impl Single {
    pub(crate) fn new(socket: Socket<'static>) -> Self {
        let mut set = SocketSet::new(Vec::with_capacity(1));
        Self {
            handle: set.add(socket),
            set,
        }
    }

    pub(crate) fn get(&self) -> &Socket<'static> {
        self.set.get(self.handle)
    }

    pub(crate) fn get_mut(&mut self) -> &mut Socket<'static> {
        self.set.get_mut(self.handle)
    }

    /// As a set.
    pub(crate) fn set(&self) -> &SocketSet<'static> {
        &self.set
    }

    /// As a set.
    pub(crate) fn set_mut(&mut self) -> &mut SocketSet<'static> {
        &mut self.set
    }
}
