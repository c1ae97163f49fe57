//! What a driver of a network card does.

use alloc::boxed::Box;

use health::Fault;
use ipi::MsiMessage;
use sharedmem::hand_off::PciFunction;
use smoltcp::wire::EthernetAddress;

use super::error::DeviceError;
use super::frame::Frame;

/// An adopted network card. `docs/how-to/nic-driver.md` says how to write a driver.
///
/// A card has a queue of buffers that it fills, and a queue of frames that it sends. The driver moves frames between
/// memory and card; the [gate](super::gate) decides what may leave, and when. Once the driver is dropped, the card must
/// not reach memory any longer.
pub trait NicDriver: Send {
    /// Returns the card's address.
    fn mac(&self) -> EthernetAddress;

    /// Gives the card a buffer to fill.
    ///
    /// # Errors
    /// The buffer, if the card has as many as it can hold.
    fn give(&mut self, buffer: Frame) -> Result<(), Frame>;

    /// Returns whether a frame has arrived.
    fn has_received(&self) -> bool;

    /// Takes a frame that has arrived.
    fn receive(&mut self) -> Option<Frame>;

    /// Returns whether the card takes another frame to send.
    fn can_send(&self) -> bool;

    /// Gives the card a frame to send, if [`can_send`](Self::can_send).
    fn send(&mut self, frame: Frame);

    /// Takes back a frame that was sent.
    fn take_sent(&mut self) -> Option<Frame>;

    /// Checks everything that can be read of the card: that it answers, that it works, and that what it says of its
    /// queues can be. Called some 40 times a second.
    ///
    /// # Errors
    /// What is wrong. The card is not used any longer.
    fn check(&mut self) -> Result<(), Fault>;
}

/// A network card that was brought up, or why it was not.
pub type AdoptedNic = Result<Box<dyn NicDriver>, DeviceError>;

/// A model of network card: an entry in the list of drivers.
pub struct NicModel {
    /// Returns whether a function is a card of this model.
    pub is_model: fn(&PciFunction) -> bool,
    /// Resets the card, whatever the dead primary left in it, and brings it up. It sends the message when a frame has
    /// arrived.
    pub adopt: fn(&PciFunction, MsiMessage) -> AdoptedNic,
}
