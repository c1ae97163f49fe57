//! The driver of virtio network cards (virtio 1.2, 5.1).

use alloc::boxed::Box;
use alloc::vec::Vec;

use health::{Fault, Queue, UsedRing};
use ipi::MsiMessage;
use sharedmem::hand_off::PciFunction;
use smoltcp::wire::EthernetAddress;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::DeviceType;

use super::dma::SliceDma;
use super::error::DeviceError;
use super::frame::{FRAME_BYTES_MAX, Frame, HEADROOM_BYTES};
use super::nic::{NicDriver, NicModel};
use super::virtio::{DeviceWatch, VirtioTransport, is_virtio};

/// Descriptors in each queue; a power of two that every implementation offers.
const QUEUE_SIZE: usize = 256;
/// The queue on which frames arrive (virtio 1.2, 5.1.2).
const RECEIVE_QUEUE: u16 = 0;
/// The queue on which frames leave.
const TRANSMIT_QUEUE: u16 = 1;
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
    watch: DeviceWatch,
    receive_used: UsedRing,
    transmit_used: UsedRing,
    /// What is wrong with what the card returned. From then on nothing is taken from it.
    fault: Option<Fault>,
}

impl VirtioNet {
    fn adopt(function: &PciFunction, message: MsiMessage) -> Result<Self, DeviceError> {
        let interrupt = Some((RECEIVE_QUEUE, message));
        let transport = VirtioTransport::adopt(function, DeviceType::Network, interrupt)?;
        let watch = transport.watch();
        let driver = VirtIONetRaw::new(transport).map_err(|_| DeviceError::Queues)?;
        Ok(Self {
            driver: Box::new(driver),
            receiving: (0..QUEUE_SIZE).map(|_| None).collect(),
            sending: (0..QUEUE_SIZE).map(|_| None).collect(),
            watch,
            receive_used: UsedRing::new(Queue::Receive),
            transmit_used: UsedRing::new(Queue::Transmit),
            fault: None,
        })
    }

    /// Checks what the card says that it has used of both queues, before any of it is believed.
    fn check_used(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let rings = [
            (RECEIVE_QUEUE, &mut self.receive_used),
            (TRANSMIT_QUEUE, &mut self.transmit_used),
        ];
        for (queue, ring) in rings {
            if let Some(found) = self.watch.used_index(queue) {
                ring.check(found)
                    .inspect_err(|fault| self.fault = Some(*fault))?;
            }
        }
        Ok(())
    }

    /// Notes that the card returned what it cannot return.
    fn refuse<T>(&mut self, queue: Queue) -> Option<T> {
        self.fault = Some(Fault::UsedEntry { queue });
        None
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
                self.receive_used.gave();
                Ok(())
            }
            Err(_) => Err(buffer),
        }
    }

    fn has_received(&self) -> bool {
        self.fault.is_none() && self.driver.poll_receive().is_some()
    }

    fn receive(&mut self) -> Option<Frame> {
        self.check_used().ok()?;
        let token = self.driver.poll_receive()?;
        let Some(mut frame) = self
            .receiving
            .get_mut(usize::from(token))
            .and_then(Option::take)
        else {
            return self.refuse(Queue::Receive);
        };
        // SAFETY: this is the buffer that `receive_begin` got when it returned the token.
        match unsafe { self.driver.receive_complete(token, frame.buffer_mut()) } {
            Ok((_, bytes)) if bytes <= FRAME_BYTES_MAX => {
                frame.set_len(bytes);
                Some(frame)
            }
            _ => {
                // The card may still have it.
                self.receiving[usize::from(token)] = Some(frame);
                self.refuse(Queue::Receive)
            }
        }
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
            self.transmit_used.gave();
        }
    }

    fn take_sent(&mut self) -> Option<Frame> {
        self.check_used().ok()?;
        let token = self.driver.poll_transmit()?;
        let Some(frame) = self
            .sending
            .get_mut(usize::from(token))
            .and_then(Option::take)
        else {
            return self.refuse(Queue::Transmit);
        };
        // SAFETY: this is the buffer that `transmit_begin` got when it returned the token.
        match unsafe { self.driver.transmit_complete(token, frame.with_headroom()) } {
            Ok(_) => Some(frame),
            Err(_) => {
                self.sending[usize::from(token)] = Some(frame);
                self.refuse(Queue::Transmit)
            }
        }
    }

    fn check(&mut self) -> Result<(), Fault> {
        self.watch.check()?;
        self.check_used()
    }
}
