//! The driver of virtio network cards (virtio 1.2, 5.1).

use alloc::boxed::Box;
use alloc::vec::Vec;

use ipi::MsiMessage;
use sharedmem::hand_off::PciFunction;
use smoltcp::wire::EthernetAddress;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::DeviceType;

use super::dma::SliceDma;
use super::error::DeviceError;
use super::frame::{Frame, HEADROOM_BYTES};
use super::nic::{NicDriver, NicModel};
use super::virtio::{VirtioTransport, is_virtio};

/// Descriptors in each queue; a power of two that every implementation offers.
const QUEUE_SIZE: usize = 256;
/// The queue on which frames arrive (virtio 1.2, 5.1.2).
const RECEIVE_QUEUE: u16 = 0;
/// virtio's header before each frame (virtio 1.2, 5.1.6): it is the headroom.
const HEADER_BYTES: usize = 12;
const _: () = assert!(HEADER_BYTES == HEADROOM_BYTES);

/// The entry in the list of drivers.
pub const MODEL: NicModel = NicModel {
    is_model: |function| is_virtio(function, DeviceType::Network),
    adopt: |function, message| Ok(Box::new(VirtioNet::adopt(function, message)?)),
};

/// The card, and who has which buffer, by the queue's token. On the heap, because the queues are too large for a kernel
/// stack.
struct VirtioNet {
    driver: Box<VirtIONetRaw<SliceDma, VirtioTransport, QUEUE_SIZE>>,
    receiving: Vec<Option<Frame>>,
    sending: Vec<Option<Frame>>,
}

impl VirtioNet {
    fn adopt(function: &PciFunction, message: MsiMessage) -> Result<Self, DeviceError> {
        let interrupt = Some((RECEIVE_QUEUE, message));
        let transport = VirtioTransport::adopt(function, DeviceType::Network, interrupt)?;
        let driver = VirtIONetRaw::new(transport).map_err(|_| DeviceError::Queues)?;
        Ok(Self {
            driver: Box::new(driver),
            receiving: (0..QUEUE_SIZE).map(|_| None).collect(),
            sending: (0..QUEUE_SIZE).map(|_| None).collect(),
        })
    }
}

impl NicDriver for VirtioNet {
    fn mac(&self) -> EthernetAddress {
        EthernetAddress(self.driver.mac_address())
    }

    fn give(&mut self, mut buffer: Frame) -> Result<(), Frame> {
        // SAFETY: the buffer is kept untouched in `receiving` until the card has returned it.
        match unsafe { self.driver.receive_begin(buffer.buffer_mut()) } {
            Ok(token) => {
                self.receiving[usize::from(token) % QUEUE_SIZE] = Some(buffer);
                Ok(())
            }
            Err(_) => Err(buffer),
        }
    }

    fn has_received(&self) -> bool {
        self.driver.poll_receive().is_some()
    }

    fn receive(&mut self) -> Option<Frame> {
        let token = self.driver.poll_receive()?;
        let mut frame = self.receiving[usize::from(token) % QUEUE_SIZE].take()?;
        // SAFETY: this is the buffer that `receive_begin` got when it returned the token.
        let received = unsafe { self.driver.receive_complete(token, frame.buffer_mut()) };
        let (_, bytes) = received.unwrap_or((0, 0));
        frame.set_len(bytes);
        Some(frame)
    }

    fn can_send(&self) -> bool {
        self.driver.can_send()
    }

    fn send(&mut self, mut frame: Frame) {
        // A header of zeros asks the card for nothing: no checksum, no segmentation.
        frame.headroom_mut().fill(0);
        // SAFETY: the buffer is kept untouched in `sending` until the card has returned it.
        if let Ok(token) = unsafe { self.driver.transmit_begin(frame.with_headroom()) } {
            self.sending[usize::from(token) % QUEUE_SIZE] = Some(frame);
        }
    }

    fn take_sent(&mut self) -> Option<Frame> {
        let token = self.driver.poll_transmit()?;
        let frame = self.sending[usize::from(token) % QUEUE_SIZE].take()?;
        // SAFETY: this is the buffer that `transmit_begin` got when it returned the token.
        let _ = unsafe { self.driver.transmit_complete(token, frame.with_headroom()) };
        Some(frame)
    }
}
