//! How a device's interrupt is routed: MSI-X, entry 0 of its table.

use arch::pci::msix::Msix;
use ipi::{MsiMessage, MsixTable};

use super::error::DeviceError;
use super::function::Function;

/// Bytes of an entry of the table.
const ENTRY_BYTES: u32 = 16;

/// Lets entry 0 of the table send `message`, masks the others, and switches MSI-X on.
///
/// # Errors
/// [`DeviceError::NoMsix`], [`DeviceError::MsixEntry`], or the table cannot be mapped.
pub fn route(function: &mut Function, message: MsiMessage) -> Result<(), DeviceError> {
    let msix = Msix::find(&mut function.space, function.address).ok_or(DeviceError::NoMsix)?;
    let bytes = u32::from(msix.entry_count) * ENTRY_BYTES;
    let registers = function.map(msix.bar, msix.offset, bytes)?;
    // SAFETY: the whole table is mapped there, and nobody else drives the device.
    let mut table = unsafe { MsixTable::new(registers.as_ptr(), msix.entry_count) };
    table.mask_all();
    table
        .set(0, message)
        .and_then(|()| table.unmask(0))
        .map_err(|_| DeviceError::MsixEntry)?;
    msix.enable(&mut function.space, function.address);
    Ok(())
}
