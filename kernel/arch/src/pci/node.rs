//! What is known of a function once it was found.

use core::fmt;

use sharedmem::hand_off::PciFunction;

use super::capability;
use super::config::{ConfigSpace, REGISTER_CLASS, REGISTER_HEADER, REGISTER_ID};
use super::reset::ResetMethod;

const CLASS_HOST_BRIDGE: u32 = 0x0600;
const CLASS_ISA_BRIDGE: u32 = 0x0601;

const HEADER_MULTI_FUNCTION: u8 = 0x80;
const HEADER_BRIDGE: u8 = 1;
const HEADER_CARDBUS: u8 = 2;

/// Types of PCI Express ports behind which one device is (PCI Express 5.0, 7.5.3.2).
const PORT_ROOT: u32 = 4;
const PORT_DOWNSTREAM: u32 = 6;

/// An address, as people write it: `0000:03:00.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub u32);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(at) = *self;
        let (segment, bus) = (at >> 16, at >> 8 & 0xff);
        write!(
            f,
            "{segment:04x}:{bus:02x}:{:02x}.{}",
            at >> 3 & 0x1f,
            at & 7
        )
    }
}

/// A function that was found. Offsets of capabilities are read once, because a dead kernel cannot move them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// What instances are told of it.
    pub function: PciFunction,
    /// Its place in the list of all functions.
    pub number: u32,
    /// Address of the bridge above it; `None` on a root bus.
    pub above: Option<u32>,
    /// The walk that met it last.
    pub(super) round: u32,
    header: u8,
    is_single_port: bool,
    pub(super) msi: Option<u8>,
    pub(super) msix: Option<u8>,
    pub(super) power: Option<u8>,
    pub(super) express: Option<u8>,
    pub(super) reset: Option<ResetMethod>,
    pub(super) ari: Option<u16>,
    pub(super) sr_iov: Option<u16>,
}

impl Node {
    /// Reads what is to be known of the function at `address`; `None` if there is none.
    pub(super) fn read(space: &mut impl ConfigSpace, address: u32) -> Option<Self> {
        let id = identity(space, address)?;
        let mut node = Self {
            function: PciFunction {
                address,
                id,
                class: space.read(address, REGISTER_CLASS),
                number: 0,
            },
            number: 0,
            above: None,
            round: 0,
            header: (space.read(address, REGISTER_HEADER) >> 16) as u8,
            is_single_port: false,
            msi: None,
            msix: None,
            power: None,
            express: None,
            reset: None,
            ari: None,
            sr_iov: None,
        };
        let mut port = None;
        capability::find_map(space, address, |space, found| {
            match found.id() {
                capability::MSI => node.msi = Some(found.offset),
                capability::MSIX => node.msix = Some(found.offset),
                capability::POWER => node.power = Some(found.offset),
                capability::EXPRESS => {
                    node.express = Some(found.offset);
                    port = Some(found.header >> 20 & 0xf);
                    node.reset = ResetMethod::of_express(space, address, found.offset);
                }
                capability::ADVANCED => {
                    node.reset = ResetMethod::of_advanced(found.header, found.offset);
                }
                _ => {}
            }
            None::<()>
        });
        node.is_single_port = matches!(port, Some(PORT_ROOT | PORT_DOWNSTREAM));
        if node.express.is_some() {
            capability::extended(space, address, |id, offset| match id {
                capability::EXTENDED_ARI => node.ari = Some(offset),
                capability::EXTENDED_SR_IOV => node.sr_iov = Some(offset),
                _ => {}
            });
        }
        Some(node)
    }

    /// Returns its address.
    pub fn address(&self) -> u32 {
        self.function.address
    }

    /// Returns the base and sub-class.
    fn class(&self) -> u32 {
        self.function.class >> 16
    }

    /// Returns whether buses are behind it.
    pub fn is_bridge(&self) -> bool {
        matches!(self.header & 0x7f, HEADER_BRIDGE | HEADER_CARDBUS)
    }

    /// Returns whether it is a part of the machine that must stay as it is, because memory itself may be behind it, or
    /// the controllers of a PC.
    pub fn is_fixed(&self) -> bool {
        !self.is_bridge() && matches!(self.class(), CLASS_HOST_BRIDGE | CLASS_ISA_BRIDGE)
    }

    /// Returns whether the device may have more functions than this, its first.
    pub(super) fn is_multi_function(&self) -> bool {
        self.header & HEADER_MULTI_FUNCTION != 0 && self.header != u8::MAX
    }

    /// Returns whether one device at most is on the bus behind it: it is a port with a link.
    pub(super) fn is_single_port(&self) -> bool {
        self.is_single_port && self.is_bridge()
    }

    /// Returns whether somebody may take it away while the machine runs. What is built into the root complex stays.
    pub(super) fn may_be_removed(&self) -> bool {
        self.above.is_some() || self.express.is_none()
    }
}

/// Returns vendor and device; `None` if nobody answers.
pub(super) fn identity(space: &mut impl ConfigSpace, address: u32) -> Option<u32> {
    let id = space.read(address, REGISTER_ID);
    (!matches!(id & 0xffff, 0 | 0xffff)).then_some(id)
}
