//! Frames, in buffers that a network card reads and fills by itself.

use alloc::boxed::Box;

/// Longest frame, in bytes: Ethernet header and 1500 bytes.
pub const FRAME_BYTES_MAX: usize = 1514;
/// Bytes before each frame that a driver may use for a header of its own.
pub const HEADROOM_BYTES: usize = 12;

#[repr(C, align(64))]
struct Buffer([u8; HEADROOM_BYTES + FRAME_BYTES_MAX]);

/// A frame, or an empty buffer for one. Its bytes stay at their address when it is moved, because the card may know it.
pub struct Frame {
    buffer: Box<Buffer>,
    bytes: usize,
}

impl Frame {
    /// Makes an empty buffer.
    pub fn new() -> Self {
        Self {
            buffer: Box::new(Buffer([0; HEADROOM_BYTES + FRAME_BYTES_MAX])),
            bytes: 0,
        }
    }

    /// Sets the frame's length, in bytes; what does not fit is cut off.
    pub fn set_len(&mut self, bytes: usize) {
        self.bytes = bytes.min(FRAME_BYTES_MAX);
    }

    /// Returns the frame.
    pub fn bytes(&self) -> &[u8] {
        &self.with_headroom()[HEADROOM_BYTES..]
    }

    /// Returns the frame, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.0[HEADROOM_BYTES..HEADROOM_BYTES + self.bytes]
    }

    /// Returns the headroom and the frame, as a card sends them.
    pub fn with_headroom(&self) -> &[u8] {
        &self.buffer.0[..HEADROOM_BYTES + self.bytes]
    }

    /// Returns the headroom.
    pub fn headroom_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.0[..HEADROOM_BYTES]
    }

    /// Returns the headroom and room for the longest frame, as a card fills them.
    pub fn buffer_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.0
    }
}
