//! The devices of an owner. They are adopted when the instance becomes the primary, cold or by promotion, and in the same way: reset,
//! and brought up anew. A waiting backup touches none.

pub mod disk;
pub mod dma;
pub mod nic;
pub mod transport;

use arch::pci::{ConfigSpace, PortConfigSpace};
use ipi::MsiMessage;
use sharedmem::hand_off::PciFunction;
use smoltcp::wire::EthernetAddress;

use self::disk::IncidentDisk;
use self::nic::{Nic, RECEIVE_QUEUE};
use self::transport::MsixTransport;
use crate::context::Context;
use crate::vectors;

/// Vendor of virtio devices.
const VIRTIO_VENDOR: u32 = 0x1af4;

/// Kinds of virtio device used here, by modern and transitional device ID (virtio 1.2, 4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Network card.
    Network,
    /// Disk.
    Block,
}

impl Kind {
    fn has_id(self, id: u32) -> bool {
        let (modern, transitional) = match self {
            Self::Network => (0x1041, 0x1000),
            Self::Block => (0x1042, 0x1001),
        };
        id & 0xffff == VIRTIO_VENDOR && (id >> 16 == modern || id >> 16 == transitional)
    }
}

/// The first device of a kind that the monitor found at boot.
pub fn find(context: &Context, kind: Kind) -> Option<PciFunction> {
    context
        .hand_off
        .pci_functions()
        .iter()
        .copied()
        .find(|function| kind.has_id(function.id))
}

/// PCI configuration space, for the owner of the devices.
///
/// # Safety
/// This instance owns the devices, and this core uses the configuration ports alone.
pub unsafe fn config_space() -> impl ConfigSpace {
    // SAFETY: the caller's promise.
    unsafe { PortConfigSpace::take() }
}

/// Adopts the machine's network card; it interrupts the lead when frames have arrived.
///
/// # Errors
/// What is missing or does not work.
pub fn adopt_network(context: &Context, nic: &mut Nic) -> Result<EthernetAddress, &'static str> {
    let function = find(context, Kind::Network).ok_or("there is no virtio network card")?;
    let message = MsiMessage::fixed(context.hand_off.cores()[0], vectors::NETWORK)
        .map_err(|_| "the first core's APIC id does not fit a message")?;
    nic.adopt(MsixTransport::adopt(
        function.address,
        Some((RECEIVE_QUEUE, message)),
    )?)
}

/// Adopts the machine's disk, if it is one for incidents.
pub fn adopt_disk(context: &Context) -> Option<IncidentDisk> {
    let function = find(context, Kind::Block)?;
    match MsixTransport::adopt(function.address, None).and_then(IncidentDisk::adopt) {
        Ok(disk) => Some(disk),
        Err(reason) => {
            log::info!("the disk is not used: {reason}");
            None
        }
    }
}
