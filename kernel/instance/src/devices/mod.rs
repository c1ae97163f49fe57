//! The devices of a primary. They are adopted when the instance becomes the primary, in the same way cold or by
//! promotion: reset, and brought up anew. A waiting backup touches none.

mod dma;
mod frame;
mod function;
mod msix;
mod nic;
mod virtio;
mod virtio_net;

pub mod debug;
pub mod disk;
pub mod error;
pub mod gate;

use ipi::MsiMessage;
use sharedmem::hand_off::PciFunction;
use smoltcp::wire::EthernetAddress;

use self::disk::IncidentDisk;
use self::error::DeviceError;
use self::gate::Gate;
use self::nic::NicModel;
use crate::context::Context;
use crate::vectors;

/// The models of network cards that this image drives. A new driver is a new file and an entry here.
const NIC_MODELS: &[NicModel] = &[virtio_net::MODEL];

/// Adopts the machine's network card, which interrupts the lead when a frame has arrived, and puts the gate before it.
/// Returns its address.
///
/// # Errors
/// What is missing or does not work.
pub fn adopt_network(context: &Context, gate: &mut Gate) -> Result<EthernetAddress, DeviceError> {
    let (function, model) = find_network(context).ok_or(DeviceError::Missing)?;
    let message = MsiMessage::fixed(context.hand_off.cores()[0], vectors::NETWORK)
        .map_err(|_| DeviceError::Destination)?;
    let card = (model.adopt)(function, message)?;
    let mac = card.mac();
    gate.attach(card);
    Ok(mac)
}

/// Returns the PCI function of the machine's network card.
pub fn network_function(context: &Context) -> Option<&PciFunction> {
    find_network(context).map(|(function, _)| function)
}

/// Finds the first card that a driver here drives.
fn find_network(context: &Context) -> Option<(&PciFunction, &'static NicModel)> {
    usable(context).find_map(|function| {
        let model = NIC_MODELS.iter().find(|model| (model.is_model)(function))?;
        Some((function, model))
    })
}

/// Adopts the machine's disk, if it is one for incidents.
pub fn adopt_disk(context: &Context) -> Option<IncidentDisk> {
    let mut functions = usable(context);
    let function = functions.find(|function| disk::is_disk(function))?;
    match IncidentDisk::adopt(function) {
        Ok(disk) => Some(disk),
        Err(reason) => {
            log::info!("the disk is not used: {reason}");
            None
        }
    }
}

/// Returns the functions that may be used: all but those that the takeover has cut off; none while the machine is
/// qualified.
fn usable(context: &Context) -> impl Iterator<Item = &PciFunction> {
    let withheld = &context.region.control.withheld;
    let functions = context.hand_off.pci_functions().iter();
    let may_use = context.options.qualify_takeovers == 0;
    functions.filter(move |function| may_use && !withheld.contains(function.number))
}
