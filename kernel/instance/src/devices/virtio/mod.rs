//! A virtio device on PCI (virtio 1.2, 4.1), as a transport for the driver library.
//!
//! The library has a PCI transport of its own. This one differs where a failover kernel must: it finds the registers by
//! the one walk of [`arch::pci`], which ends even if a device's list of capabilities loops; it does not wait for a
//! reset for ever; it uses MSI-X; and it does not switch address decoding off, as the library does to size base address
//! registers.

pub mod structures;
mod watch;

use alloc::sync::Arc;
use core::mem::size_of;
use core::ptr::NonNull;
use core::result::Result as CoreResult;
use core::sync::atomic::Ordering;

use ipi::MsiMessage;
use safe_mmio::{SharedMmioPointer, UniqueMmioPointer, field, field_shared};
use sharedmem::hand_off::PciFunction;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{Error, PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use self::structures::Registers;
use self::watch::DeviceAreas;
pub use self::watch::DeviceWatch;
use super::error::DeviceError;
use super::function::Function;
use super::msix;

/// Vendor of virtio devices.
const VENDOR: u32 = 0x1af4;
/// A modern device ID is this and the device type (virtio 1.2, 4.1.2.1).
const MODERN_ID: u32 = 0x1040;
/// Feature VIRTIO_F_ACCESS_PLATFORM (virtio 1.2, 6).
const ACCESS_PLATFORM: u64 = 1 << 33;
/// No interrupt (virtio 1.2, 4.1.5.1.2).
const NO_VECTOR: u16 = 0xffff;
/// What every register of a device reads that does not answer.
const GONE: u8 = 0xff;
/// Reads of a status that does not become zero, before the device is given up.
const RESET_READS_MAX: u32 = 1_000_000;

/// Returns whether the function is a virtio device of this type, by its modern or transitional ID (virtio 1.2, 4.1.2).
pub fn is_virtio(function: &PciFunction, device_type: DeviceType) -> bool {
    let transitional = match device_type {
        DeviceType::Network => Some(0x1000),
        DeviceType::Block => Some(0x1001),
        _ => None,
    };
    let id = function.id >> 16;
    function.id & 0xffff == VENDOR
        && (id == MODERN_ID + device_type as u32 || Some(id) == transitional)
}

/// The transport. Once it is dropped, the device reaches memory no longer.
pub struct VirtioTransport {
    device_type: DeviceType,
    function: Function,
    registers: Registers,
    /// The queue that interrupts by entry 0 of the MSI-X table; the others do not interrupt.
    interrupting_queue: Option<u16>,
    /// Where the device says what it has used.
    areas: Arc<DeviceAreas>,
}

impl VirtioTransport {
    /// Adopts a virtio device: resets it, lets it reach memory, and lets a queue send a message.
    ///
    /// # Errors
    /// What the device lacks or does not do.
    pub fn adopt(
        function: &PciFunction,
        device_type: DeviceType,
        interrupt: Option<(u16, MsiMessage)>,
    ) -> CoreResult<Self, DeviceError> {
        let mut function = Function::adopt(function);
        let registers = Registers::map(&mut function)?;
        let mut transport = Self {
            device_type,
            function,
            registers,
            interrupting_queue: None,
            areas: Arc::default(),
        };
        transport.reset()?;
        transport.function.enable_bus_mastering();
        if let Some((queue, message)) = interrupt {
            msix::route(&mut transport.function, message)?;
            transport.interrupting_queue = Some(queue);
        }
        Ok(transport)
    }

    /// Returns a watch over the device. It works as long as the driver that gets this transport.
    pub fn watch(&self) -> DeviceWatch {
        let common = self.registers.common.ptr();
        DeviceWatch::new(self.function.address, common, Arc::clone(&self.areas))
    }

    /// Resets the device and waits until it says that it is done (virtio 1.2, 4.1.4.3.1). Does not wait for a device
    /// that is gone.
    fn reset(&mut self) -> CoreResult<(), DeviceError> {
        self.set_status(DeviceStatus::empty());
        (0..RESET_READS_MAX)
            .map(|_| field_shared!(self.registers.common, device_status).read())
            .find(|status| matches!(*status, 0 | GONE))
            .filter(|status| *status == 0)
            .map(|_| ())
            .ok_or(DeviceError::Reset)
    }

    fn select(&mut self, queue: u16) {
        field!(self.registers.common, queue_select).write(queue);
    }

    /// Returns the device's own configuration, and the pointer to a field of type `T` that lies `offset` bytes in.
    fn config_field<T>(
        &self,
        offset: usize,
    ) -> Result<(&UniqueMmioPointer<'static, [u32]>, NonNull<T>)> {
        let device = self.registers.device.as_ref();
        let device = device.ok_or(Error::ConfigSpaceMissing)?;
        let size_bytes = device.len() * size_of::<u32>();
        if offset + size_of::<T>() > size_bytes {
            return Err(Error::ConfigSpaceTooSmall);
        }
        let field = device.ptr().cast::<T>().wrapping_byte_add(offset);
        let field = NonNull::new(field.cast_mut()).filter(|field| field.is_aligned());
        Ok((device, field.ok_or(Error::InvalidParam)?))
    }
}

impl Drop for VirtioTransport {
    fn drop(&mut self) {
        // Even if the reset fails, the device can no longer write to memory that is given to somebody else.
        self.function.disable_bus_mastering();
        self.function.enable_memory();
        let _ = self.reset();
    }
}

impl Transport for VirtioTransport {
    fn device_type(&self) -> DeviceType {
        self.device_type
    }

    fn read_device_features(&mut self) -> u64 {
        field!(self.registers.common, device_feature_select).write(0);
        let low = field_shared!(self.registers.common, device_feature).read();
        field!(self.registers.common, device_feature_select).write(1);
        let high = field_shared!(self.registers.common, device_feature).read();
        u64::from(high) << 32 | u64::from(low)
    }

    /// Accepts, beside what the driver asks for, that addresses are those of the platform: the driver's are, and a
    /// device behind an IOMMU works with no other driver (virtio 1.2, 6.1).
    fn write_driver_features(&mut self, driver_features: u64) {
        let driver_features = driver_features | self.read_device_features() & ACCESS_PLATFORM;
        field!(self.registers.common, driver_feature_select).write(0);
        field!(self.registers.common, driver_feature).write(driver_features as u32);
        field!(self.registers.common, driver_feature_select).write(1);
        field!(self.registers.common, driver_feature).write((driver_features >> 32) as u32);
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.select(queue);
        field_shared!(self.registers.common, queue_size)
            .read()
            .into()
    }

    fn notify(&mut self, queue: u16) {
        self.select(queue);
        let offset = field_shared!(self.registers.common, queue_notify_offset).read();
        let step_bytes = self.registers.notify_step_bytes as usize;
        let index = usize::from(offset) * step_bytes / size_of::<u16>();
        // A device that names a word beyond its registers gets no notification: it looks at the queue late, or never.
        if let Some(mut word) = self.registers.notify.get(index) {
            word.write(queue);
        }
    }

    fn get_status(&self) -> DeviceStatus {
        let status = field_shared!(self.registers.common, device_status).read();
        DeviceStatus::from_bits_truncate(status.into())
    }

    fn set_status(&mut self, status: DeviceStatus) {
        field!(self.registers.common, device_status).write(status.bits() as u8);
    }

    fn set_guest_page_size(&mut self, _guest_page_size: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        false
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: PhysAddr,
        driver_area: PhysAddr,
        device_area: PhysAddr,
    ) {
        let interrupts = self.interrupting_queue == Some(queue);
        let vector = if interrupts { 0 } else { NO_VECTOR };
        if let Some(area) = self.areas.get(usize::from(queue)) {
            area.store(device_area, Ordering::Relaxed);
        }
        field!(self.registers.common, config_vector).write(NO_VECTOR);
        field!(self.registers.common, queue_select).write(queue);
        field!(self.registers.common, queue_vector).write(vector);
        field!(self.registers.common, queue_size).write(size as u16);
        field!(self.registers.common, queue_descriptors).write(descriptors);
        field!(self.registers.common, queue_driver).write(driver_area);
        field!(self.registers.common, queue_device).write(device_area);
        field!(self.registers.common, queue_enable).write(1);
    }

    /// Does nothing: a queue on PCI is in use until the device is reset.
    fn queue_unset(&mut self, _queue: u16) {}

    fn queue_used(&mut self, queue: u16) -> bool {
        self.select(queue);
        field_shared!(self.registers.common, queue_enable).read() == 1
    }

    /// Returns nothing: the ISR status is for interrupt lines, which are not used (virtio 1.2, 4.1.4.5).
    fn ack_interrupt(&mut self) -> InterruptStatus {
        InterruptStatus::empty()
    }

    fn read_config_generation(&self) -> u32 {
        field_shared!(self.registers.common, config_generation)
            .read()
            .into()
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        let (device, field) = self.config_field::<T>(offset)?;
        let device = SharedMmioPointer::from(device);
        // SAFETY: the field lies inside the configuration and is aligned; reading it has no effect (virtio 1.2,
        // 4.1.3.1).
        Ok(unsafe { device.child(field).read_unsafe() })
    }

    fn write_config_space<T: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        value: T,
    ) -> Result<()> {
        let (_, field) = self.config_field::<T>(offset)?;
        let device = self.registers.device.as_mut();
        let device = device.ok_or(Error::ConfigSpaceMissing)?;
        // SAFETY: the field lies inside the configuration and is aligned.
        unsafe { device.child(field).write_unsafe(value) };
        Ok(())
    }
}
