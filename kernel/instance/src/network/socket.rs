//! How the sockets are made that clients connect to.

use alloc::vec;

use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::Duration;

/// Buffers of a socket, and its patience.
pub struct Shape {
    /// Receive buffer, in bytes.
    pub receive_bytes: usize,
    /// Send buffer, in bytes.
    pub send_bytes: usize,
    /// A peer that says nothing is asked after this time.
    pub keep_alive: Option<Duration>,
    /// A peer that does not answer is given up after this time.
    pub timeout: Duration,
}

impl Shape {
    /// A socket that listens on `port`.
    pub fn listening(&self, port: u16) -> Socket<'static> {
        let mut socket = Socket::new(
            SocketBuffer::new(vec![0; self.receive_bytes]),
            SocketBuffer::new(vec![0; self.send_bytes]),
        );
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        socket.set_keep_alive(self.keep_alive);
        socket.set_timeout(Some(self.timeout));
        // A new socket listens; the port is not 0, as the options were checked.
        let _ = socket.listen(port);
        socket
    }
}
