//! A PCI function that a driver adopts.

use core::ptr::NonNull;

use arch::pci::config::{
    COMMAND_BUS_MASTER, COMMAND_MEMORY, ConfigSpace, REGISTER_COMMAND, clear_command, set_command,
};
use arch::pci::{PortConfigSpace, bars};
use sharedmem::hand_off::PciFunction;

use super::error::DeviceError;
use crate::memory::{self, DIRECT_BYTES};

/// A PCI function of a device that this instance owns.
pub struct Function {
    /// Its address in configuration space.
    pub address: u32,
    /// Configuration space.
    pub space: PortConfigSpace,
}

impl Function {
    /// Adopts the function: from here on it answers at its memory addresses.
    pub fn adopt(function: &PciFunction) -> Self {
        // SAFETY: devices are adopted and given up on the lead alone, which owns the configuration ports.
        let space = unsafe { PortConfigSpace::take() };
        let address = function.address;
        let mut function = Self { address, space };
        function.enable_memory();
        function
    }

    /// Lets the device answer at its memory addresses.
    pub fn enable_memory(&mut self) {
        set_command(&mut self.space, self.address, COMMAND_MEMORY);
    }

    /// Maps `bytes` bytes of registers at `offset` behind base address register `bar`, and returns where.
    ///
    /// # Errors
    /// [`DeviceError::NotInMemory`], [`DeviceError::NotMapped`].
    pub fn map(&mut self, bar: u8, offset: u32, bytes: u32) -> Result<NonNull<u8>, DeviceError> {
        let base =
            bars::memory_bar(&mut self.space, self.address, bar).ok_or(DeviceError::NotInMemory)?;
        let phys = base.saturating_add(u64::from(offset));
        if phys.saturating_add(u64::from(bytes)) > DIRECT_BYTES {
            return Err(DeviceError::NotInMemory);
        }
        // SAFETY: these are registers of a device this instance owns.
        let virt = unsafe { memory::map_device(phys, u64::from(bytes)) };
        let virt = virt.map_err(|_| DeviceError::NotMapped)?;
        NonNull::new(virt as *mut u8).ok_or(DeviceError::NotMapped)
    }

    /// Lets the device reach memory. To be called after its reset: before, it could still process the queues of the
    /// dead primary.
    pub fn enable_bus_mastering(&mut self) {
        set_command(&mut self.space, self.address, COMMAND_BUS_MASTER);
    }

    /// Keeps the device from reaching memory.
    pub fn disable_bus_mastering(&mut self) {
        clear_command(&mut self.space, self.address, COMMAND_BUS_MASTER);
    }
}

/// Reads the command register of the function at `address`. To be called by the lead.
pub fn command(address: u32) -> u16 {
    // SAFETY: the lead alone uses the configuration ports.
    let mut space = unsafe { PortConfigSpace::take() };
    space.read(address, REGISTER_COMMAND) as u16
}
