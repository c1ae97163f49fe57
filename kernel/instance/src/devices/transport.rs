//! A virtio PCI transport with what the driver library leaves out: a reset that is waited for, and MSI-X.

use core::ptr;

use arch::pci::{self, COMMAND_BUS_MASTER, ConfigSpace, REGISTER_COMMAND};
use ipi::MsiMessage;
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::{ConfigurationAccess, DeviceFunction, PciRoot};
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::dma::SliceDma;
use crate::memory;

/// Command: the function answers in memory space.
const COMMAND_MEMORY: u32 = 1 << 1;

/// Offsets in the common configuration structure (virtio 1.2, 4.1.4.3).
const COMMON_CONFIG_VECTOR: usize = 0x10;
const COMMON_QUEUE_SELECT: usize = 0x16;
const COMMON_QUEUE_VECTOR: usize = 0x1a;
/// No interrupt (virtio 1.2, 4.1.5.1.2).
const NO_VECTOR: u16 = 0xffff;

/// Reads of a status that does not become zero, before the device is given up.
const RESET_READS_MAX: u32 = 1_000_000;

/// The configuration ports, as the driver library wants them.
struct Ports;

impl ConfigurationAccess for Ports {
    fn read_word(&self, function: DeviceFunction, offset: u8) -> u32 {
        // SAFETY: devices are adopted on the lead alone, which owns the configuration ports.
        unsafe { super::config_space() }.read(address_of(function), offset)
    }

    fn write_word(&mut self, function: DeviceFunction, offset: u8, value: u32) {
        // SAFETY: as above.
        unsafe { super::config_space() }.write(address_of(function), offset, value);
    }

    unsafe fn unsafe_clone(&self) -> Self {
        Self
    }
}

fn address_of(function: DeviceFunction) -> u32 {
    u32::from(function.bus) << 8 | u32::from(function.device) << 3 | u32::from(function.function)
}

fn function_of(address: u32) -> DeviceFunction {
    DeviceFunction {
        bus: (address >> 8) as u8,
        device: (address >> 3 & 31) as u8,
        function: (address & 7) as u8,
    }
}

/// The transport.
pub struct MsixTransport {
    inner: PciTransport,
    /// The common configuration structure.
    common: *mut u8,
    /// The queue that interrupts by table entry 0; the others do not interrupt.
    interrupting_queue: Option<u16>,
}

// SAFETY: the registers behind `common` may be used from any core, by one at a time, as `&mut self` sees to.
unsafe impl Send for MsixTransport {}

impl MsixTransport {
    /// Adopts the function at `address`: memory space and bus mastering on, device reset, and queue `interrupting_queue` sending `message`.
    ///
    /// # Errors
    /// What the device lacks or does not do.
    pub fn adopt(
        address: u32,
        interrupting_queue: Option<(u16, MsiMessage)>,
    ) -> core::result::Result<Self, &'static str> {
        // SAFETY: devices are adopted on the lead alone, which owns the configuration ports.
        let mut space = unsafe { super::config_space() };
        let command = space.read(address, REGISTER_COMMAND) & 0xffff;
        space.write(address, REGISTER_COMMAND, command | COMMAND_MEMORY);
        let common = common_config(&mut space, address)?;
        let mut root = PciRoot::new(Ports);
        let inner = PciTransport::new::<SliceDma, _>(&mut root, function_of(address))
            .map_err(|_| "its registers are not where virtio wants them")?;
        let mut transport = Self {
            inner,
            common,
            interrupting_queue: None,
        };
        transport.reset()?;
        // Only now: before its reset the device could still work off what the last owner left in its queues.
        let command = space.read(address, REGISTER_COMMAND) & 0xffff;
        space.write(address, REGISTER_COMMAND, command | COMMAND_BUS_MASTER);
        if let Some((queue, message)) = interrupting_queue {
            route(&mut space, address, message)?;
            transport.interrupting_queue = Some(queue);
        }
        Ok(transport)
    }

    /// Resets the device and waits until it says that it is done (virtio 1.2, 4.1.4.3.1).
    fn reset(&mut self) -> core::result::Result<(), &'static str> {
        self.inner.set_status(DeviceStatus::empty());
        (0..RESET_READS_MAX)
            .any(|_| self.inner.get_status().is_empty())
            .then_some(())
            .ok_or("it does not end its reset")
    }

    fn write_common(&mut self, offset: usize, value: u16) {
        // SAFETY: `common` points to the mapped structure, which is longer than any offset used here; registers are written whole.
        unsafe { ptr::write_volatile(self.common.add(offset).cast::<u16>(), value) };
    }
}

/// Maps the common configuration structure (virtio 1.2, 4.1.4: capability type 1).
fn common_config(
    space: &mut impl ConfigSpace,
    address: u32,
) -> core::result::Result<*mut u8, &'static str> {
    const LENGTH: u64 = 0x38;
    let capability =
        pci::virtio_capability(space, address, 1).ok_or("it has no virtio common configuration")?;
    let base =
        pci::memory_bar(space, address, capability.bar).ok_or("its registers are not in memory")?;
    // SAFETY: registers of a device this instance owns.
    let virt = unsafe { memory::map_device(base + u64::from(capability.offset), LENGTH) };
    virt.map(|virt| virt as *mut u8)
        .map_err(|_| "its registers cannot be mapped")
}

/// Lets table entry 0 send `message`, masks the others, and switches MSI-X on.
fn route(
    space: &mut impl ConfigSpace,
    address: u32,
    message: MsiMessage,
) -> core::result::Result<(), &'static str> {
    let capability = pci::msix_capability(space, address).ok_or("it has no MSI-X")?;
    let (bar, offset, entries) = pci::msix_table(space, address, capability);
    let base = pci::memory_bar(space, address, bar).ok_or("its MSI-X table is not in memory")?;
    // SAFETY: the table of a device this instance owns.
    let virt = unsafe { memory::map_device(base + u64::from(offset), u64::from(entries) * 16) };
    let virt = virt.map_err(|_| "its MSI-X table cannot be mapped")?;
    // SAFETY: `entries` entries of 16 bytes are mapped there, and nobody else drives the device.
    let mut table = unsafe { ipi::MsixTable::new(virt as *mut u8, entries) };
    table.mask_all();
    table
        .set(0, message)
        .and_then(|()| table.unmask(0))
        .map_err(|_| "its MSI-X table has no entry")?;
    pci::enable_msix(space, address, capability);
    Ok(())
}

impl Transport for MsixTransport {
    fn device_type(&self) -> DeviceType {
        self.inner.device_type()
    }

    fn read_device_features(&mut self) -> u64 {
        self.inner.read_device_features()
    }

    fn write_driver_features(&mut self, driver_features: u64) {
        self.inner.write_driver_features(driver_features);
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.inner.max_queue_size(queue)
    }

    fn notify(&mut self, queue: u16) {
        self.inner.notify(queue);
    }

    fn get_status(&self) -> DeviceStatus {
        self.inner.get_status()
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.inner.set_status(status);
    }

    fn set_guest_page_size(&mut self, guest_page_size: u32) {
        self.inner.set_guest_page_size(guest_page_size);
    }

    fn requires_legacy_layout(&self) -> bool {
        self.inner.requires_legacy_layout()
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: PhysAddr,
        driver_area: PhysAddr,
        device_area: PhysAddr,
    ) {
        let vector = if self.interrupting_queue == Some(queue) {
            0
        } else {
            NO_VECTOR
        };
        self.write_common(COMMON_CONFIG_VECTOR, NO_VECTOR);
        self.write_common(COMMON_QUEUE_SELECT, queue);
        self.write_common(COMMON_QUEUE_VECTOR, vector);
        self.inner
            .queue_set(queue, size, descriptors, driver_area, device_area);
    }

    fn queue_unset(&mut self, queue: u16) {
        self.inner.queue_unset(queue);
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        self.inner.queue_used(queue)
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        self.inner.ack_interrupt()
    }

    fn read_config_generation(&self) -> u32 {
        self.inner.read_config_generation()
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        self.inner.read_config_space(offset)
    }

    fn write_config_space<T: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        value: T,
    ) -> Result<()> {
        self.inner.write_config_space(offset, value)
    }
}
