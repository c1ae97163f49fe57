//! What travels between clients and the network card.
//!
//! The transport is the simplest that can stand for TCP: each frame names the position of its first byte, and the
//! number of bytes that its sender has received. What TCP itself does when a kernel dies is tested in `network`.

/// A frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The client that it comes from or goes to.
    pub client: usize,
    /// Position of its first byte in the sender's stream.
    pub from: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Number of bytes that the sender has received.
    pub ack: u64,
    /// Epoch of the primary that sends it, for the checks; 0 from a client.
    pub epoch: u64,
}
