//! How sockets are made.

use alloc::vec;

use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::Duration;

/// Buffers of a socket, and its patience.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Receive buffer, in bytes; below 64 KiB, so that the window needs no scale.
    pub receive_bytes: usize,
    /// Send buffer, in bytes.
    pub send_bytes: usize,
    /// A peer that says nothing is asked after this time.
    pub keep_alive: Option<Duration>,
    /// A peer that does not answer is given up after this time.
    pub timeout: Duration,
}

/// The sockets of the service. There is one for every client, so their buffers are small: on a network with a round trip of 100 us they are good for
/// some 80 MB/s in and 160 MB/s out, each.
pub(crate) const SERVICE: Shape = Shape {
    receive_bytes: 8 << 10,
    send_bytes: 16 << 10,
    keep_alive: Some(Duration::from_secs(30)),
    timeout: Duration::from_secs(90),
};

/// Memory of a connection, in bytes, beside what its client is owed: its socket, and what is known of it.
pub const CONNECTION_BYTES: usize = SERVICE.receive_bytes + SERVICE.send_bytes + (2 << 10);

impl Shape {
    /// A socket that listens on `port`, which is not 0.
    pub fn listening(&self, port: u16) -> Socket<'static> {
        let mut socket = self.closed();
        // A new socket can listen on any port but 0.
        let _ = socket.listen(port);
        socket
    }

    /// A socket that does nothing yet.
    pub(crate) fn closed(&self) -> Socket<'static> {
        let mut socket = Socket::new(
            SocketBuffer::new(vec![0; self.receive_bytes]),
            SocketBuffer::new(vec![0; self.send_bytes]),
        );
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        socket.set_keep_alive(self.keep_alive);
        socket.set_timeout(Some(self.timeout));
        socket
    }
}
