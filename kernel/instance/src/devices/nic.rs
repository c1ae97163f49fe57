//! The network card: virtio-net under `smoltcp`, with a gate that holds every outgoing frame until its owner opens it.
//!
//! The gate is how "nothing leaves before the commit" is kept: the TCP stack may emit acknowledgements and replies when it likes, but they
//! reach the device only in [`Nic::release`].

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use smoltcp::phy::{self, ChecksumCapabilities, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::EthernetAddress;
use virtio_drivers::device::net::VirtIONetRaw;

use super::dma::SliceDma;
use super::transport::MsixTransport;

/// Descriptors in each queue; a power of two that every implementation offers.
const QUEUE_SIZE: usize = 256;
/// Receive buffers the device may fill before the driver comes round.
const RECEIVE_BUFFERS: usize = QUEUE_SIZE;
/// So many of them are given to it when it is adopted: in a takeover, each delays the first reply.
const RECEIVE_BUFFERS_AT_FIRST: usize = 32;
/// Frames that may wait at the gate; when it is full, the TCP stack keeps its data.
const GATE_FRAMES_MAX: usize = 512;
/// Longest frame: Ethernet header and 1500 bytes.
const FRAME_BYTES: usize = 1514;
/// virtio's header before each frame (virtio 1.2, 5.1.6).
const HEADER_BYTES: usize = 12;
/// The queue on which frames arrive (virtio 1.2, 5.1.2).
pub const RECEIVE_QUEUE: u16 = 0;

/// A frame with virtio's header before it.
#[repr(C, align(64))]
struct Buffer([u8; HEADER_BYTES + FRAME_BYTES]);

/// A buffer's place never changes, as the device may know it.
type PinnedBuffer = Box<Buffer>;

/// A frame at the gate or on its way out.
struct Outgoing {
    buffer: PinnedBuffer,
    bytes: usize,
}

/// Buffers and queues, made while the instance waits, and the device, once it is adopted.
pub struct Nic {
    device: Option<Device>,
    spare: Vec<PinnedBuffer>,
    gate: VecDeque<Outgoing>,
}

/// The driver and who has which buffer, by the queue's token. On the heap: queues are too large to be moved about on a kernel stack.
struct Device {
    driver: Box<VirtIONetRaw<SliceDma, MsixTransport, QUEUE_SIZE>>,
    receiving: Vec<Option<PinnedBuffer>>,
    sending: Vec<Option<Outgoing>>,
}

fn new_buffer() -> PinnedBuffer {
    Box::new(Buffer([0; HEADER_BYTES + FRAME_BYTES]))
}

impl Nic {
    /// Everything but the device, so that adopting it costs no allocation of buffers.
    pub fn prepare() -> Self {
        Self {
            device: None,
            spare: (0..RECEIVE_BUFFERS + QUEUE_SIZE)
                .map(|_| new_buffer())
                .collect(),
            gate: VecDeque::with_capacity(GATE_FRAMES_MAX),
        }
    }

    /// Brings the device up. Returns its address.
    ///
    /// # Errors
    /// What it does not do.
    pub fn adopt(&mut self, transport: MsixTransport) -> Result<EthernetAddress, &'static str> {
        let driver = VirtIONetRaw::new(transport)
            .map_err(|_| "the network card's queues cannot be set up")?;
        let mac = EthernetAddress(driver.mac_address());
        let device = self.device.insert(Device {
            driver: Box::new(driver),
            receiving: (0..QUEUE_SIZE).map(|_| None).collect(),
            sending: (0..QUEUE_SIZE).map(|_| None).collect(),
        });
        for _ in 0..RECEIVE_BUFFERS_AT_FIRST {
            device.receive_into(self.spare.pop().unwrap_or_else(new_buffer));
        }
        Ok(mac)
    }

    /// Gives the device the rest of the buffers, when nobody waits. Once.
    pub fn deepen(&mut self) {
        let Some(device) = &mut self.device else {
            return;
        };
        for _ in RECEIVE_BUFFERS_AT_FIRST..RECEIVE_BUFFERS {
            device.receive_into(self.spare.pop().unwrap_or_else(new_buffer));
        }
    }

    /// Whether a frame has arrived.
    pub fn has_received(&self) -> bool {
        self.device
            .as_ref()
            .is_some_and(|device| device.driver.poll_receive().is_some())
    }

    /// Opens the gate: hands every frame that waits to the device, as far as its queue takes them. Returns how many left.
    pub fn release(&mut self) -> usize {
        let Some(device) = &mut self.device else {
            return 0;
        };
        while let Some(sent) = device.reap() {
            self.spare.push(sent.buffer);
        }
        let mut released = 0;
        while device.driver.can_send() {
            let Some(outgoing) = self.gate.pop_front() else {
                break;
            };
            device.send(outgoing);
            released += 1;
        }
        released
    }

    /// Whether no frame waits at the gate.
    pub fn is_gate_empty(&self) -> bool {
        self.gate.is_empty()
    }

    /// Throws away what waits at the gate: nothing leaves any more.
    pub fn discard(&mut self) {
        self.gate.clear();
    }
}

impl Device {
    /// Gives the device a buffer to fill.
    fn receive_into(&mut self, mut buffer: PinnedBuffer) {
        // SAFETY: the buffer is kept untouched in `receiving` until the device has returned it.
        if let Ok(token) = unsafe { self.driver.receive_begin(&mut buffer.0) } {
            self.receiving[usize::from(token) % QUEUE_SIZE] = Some(buffer);
        }
    }

    /// Takes a frame that has arrived.
    fn received(&mut self) -> Option<(PinnedBuffer, usize)> {
        let token = self.driver.poll_receive()?;
        let mut buffer = self.receiving[usize::from(token) % QUEUE_SIZE].take()?;
        // SAFETY: this is the buffer that `receive_begin` got when it returned the token.
        let (_, bytes) =
            unsafe { self.driver.receive_complete(token, &mut buffer.0) }.unwrap_or((0, 0));
        Some((buffer, bytes.min(FRAME_BYTES)))
    }

    /// Gives the device a frame to send. There is room, as the caller has seen.
    fn send(&mut self, outgoing: Outgoing) {
        // SAFETY: the buffer is kept untouched in `sending` until the device has returned it.
        if let Ok(token) = unsafe {
            self.driver
                .transmit_begin(&outgoing.buffer.0[..HEADER_BYTES + outgoing.bytes])
        } {
            self.sending[usize::from(token) % QUEUE_SIZE] = Some(outgoing);
        }
    }

    /// Takes back a frame that was sent.
    fn reap(&mut self) -> Option<Outgoing> {
        let token = self.driver.poll_transmit()?;
        let outgoing = self.sending[usize::from(token) % QUEUE_SIZE].take()?;
        // SAFETY: this is the buffer that `transmit_begin` got when it returned the token.
        let _ = unsafe {
            self.driver
                .transmit_complete(token, &outgoing.buffer.0[..HEADER_BYTES + outgoing.bytes])
        };
        Some(outgoing)
    }
}

/// A frame that has arrived; its buffer goes back to the device when the stack has seen it.
pub struct Received<'a> {
    buffer: PinnedBuffer,
    bytes: usize,
    device: &'a mut Device,
}

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, work: F) -> R {
        let result = work(&self.buffer.0[HEADER_BYTES..HEADER_BYTES + self.bytes]);
        self.device.receive_into(self.buffer);
        result
    }
}

/// Room for a frame at the gate.
pub struct TxToken<'a> {
    spare: &'a mut Vec<PinnedBuffer>,
    gate: &'a mut VecDeque<Outgoing>,
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, work: F) -> R {
        let mut buffer = self.spare.pop().unwrap_or_else(new_buffer);
        // A header of zeros asks the device for nothing: no checksum, no segmentation.
        buffer.0[..HEADER_BYTES].fill(0);
        let bytes = length.min(FRAME_BYTES);
        let result = work(&mut buffer.0[HEADER_BYTES..HEADER_BYTES + bytes]);
        self.gate.push_back(Outgoing { buffer, bytes });
        result
    }
}

impl phy::Device for Nic {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Received<'_>, TxToken<'_>)> {
        if self.gate.len() >= GATE_FRAMES_MAX {
            return None;
        }
        let device = self.device.as_mut()?;
        let (buffer, bytes) = device.received()?;
        Some((
            Received {
                buffer,
                bytes,
                device,
            },
            TxToken {
                spare: &mut self.spare,
                gate: &mut self.gate,
            },
        ))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_>> {
        (self.gate.len() < GATE_FRAMES_MAX).then_some(TxToken {
            spare: &mut self.spare,
            gate: &mut self.gate,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES;
        capabilities.checksum = ChecksumCapabilities::default();
        capabilities
    }
}
