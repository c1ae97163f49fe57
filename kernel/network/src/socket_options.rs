//! How sockets are made.

use alloc::vec;

use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::Duration;

/// Buffer sizes and time-outs of a socket.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// Receive buffer, in bytes; below 64 KiB, so that the window needs no scale.
    pub receive_bytes: usize,
    /// Send buffer, in bytes.
    pub send_bytes: usize,
    /// A silent peer is probed after this time.
    pub keep_alive: Option<Duration>,
    /// The connection to a peer that does not answer is aborted after this time.
    pub timeout: Duration,
}

/// Options of the service's sockets. There is a socket for every client, so the buffers are small: on a network with
/// a round trip of 100 us they suffice for some 80 MB/s in and 160 MB/s out, for each client.
pub(crate) const SERVICE: SocketOptions = SocketOptions {
    receive_bytes: 8 << 10,
    send_bytes: 16 << 10,
    keep_alive: Some(Duration::from_secs(30)),
    timeout: Duration::from_secs(90),
};

/// Memory of a connection, in bytes, without its unacknowledged replies: its socket and its flow.
pub const CONNECTION_BYTES: usize = SERVICE.receive_bytes + SERVICE.send_bytes + (2 << 10);

impl SocketOptions {
    /// Makes a socket that listens on `port`, which is not 0.
    pub fn listening(&self, port: u16) -> Socket<'static> {
        let mut socket = self.closed();
        // A new socket can listen on any port but 0.
        let _ = socket.listen(port);
        socket
    }

    /// Makes a closed socket.
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
