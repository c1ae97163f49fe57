//! Where a virtio device's registers are: structures that its capabilities point to (virtio 1.2, 4.1.4).

use core::mem::size_of;
use core::ptr::NonNull;

use arch::pci::capability::{self, Capability};
use safe_mmio::UniqueMmioPointer;
use safe_mmio::fields::{ReadPure, ReadPureWrite, WriteOnly};

use super::super::error::DeviceError;
use super::super::function::Function;

/// Types of structures.
const COMMON: u32 = 1;
const NOTIFY: u32 = 2;
const DEVICE: u32 = 4;

/// The common configuration structure (virtio 1.2, 4.1.4.3).
#[repr(C)]
pub struct CommonConfig {
    pub device_feature_select: ReadPureWrite<u32>,
    pub device_feature: ReadPure<u32>,
    pub driver_feature_select: ReadPureWrite<u32>,
    pub driver_feature: ReadPureWrite<u32>,
    pub config_vector: ReadPureWrite<u16>,
    pub queue_count: ReadPure<u16>,
    pub device_status: ReadPureWrite<u8>,
    pub config_generation: ReadPure<u8>,
    pub queue_select: ReadPureWrite<u16>,
    pub queue_size: ReadPureWrite<u16>,
    pub queue_vector: ReadPureWrite<u16>,
    pub queue_enable: ReadPureWrite<u16>,
    pub queue_notify_offset: ReadPure<u16>,
    pub queue_descriptors: ReadPureWrite<u64>,
    pub queue_driver: ReadPureWrite<u64>,
    pub queue_device: ReadPureWrite<u64>,
}

/// The registers of a device, mapped.
pub struct Registers {
    /// The common configuration.
    pub common: UniqueMmioPointer<'static, CommonConfig>,
    /// The words that tell the device of new buffers in a queue.
    pub notify: UniqueMmioPointer<'static, [WriteOnly<u16>]>,
    /// Bytes from the word of one notification offset to that of the next.
    pub notify_step_bytes: u32,
    /// The configuration of the device's own type, if it has one.
    pub device: Option<UniqueMmioPointer<'static, [u32]>>,
}

impl Registers {
    /// Finds and maps the registers of a virtio device.
    ///
    /// # Errors
    /// [`DeviceError::NoStructure`], or a structure cannot be mapped.
    pub fn map(function: &mut Function) -> Result<Self, DeviceError> {
        let found = Found::of(function);
        let common = found.common.ok_or(DeviceError::NoStructure)?;
        let notify = found.notify.ok_or(DeviceError::NoStructure)?;
        if (common.bytes as usize) < size_of::<CommonConfig>() {
            return Err(DeviceError::NoStructure);
        }
        let registers = function.map(common.bar, common.offset, common.bytes)?;
        // SAFETY: mapped for good, at least as long as the structure, and the only pointer to it: a driver adopts its
        // function once.
        let common = unsafe { UniqueMmioPointer::new(aligned(registers)?) };
        // SAFETY: as above; `slice` looks after the length.
        let words = unsafe { UniqueMmioPointer::new(slice(function, notify)?) };
        let device = match found.device {
            // SAFETY: as above.
            Some(structure) => Some(unsafe { UniqueMmioPointer::new(slice(function, structure)?) }),
            None => None,
        };
        Ok(Self {
            common,
            notify: words,
            notify_step_bytes: notify.step_bytes,
            device,
        })
    }
}

/// Where a structure is.
#[derive(Clone, Copy)]
struct Structure {
    bar: u8,
    offset: u32,
    bytes: u32,
    /// Only of [`NOTIFY`]: bytes between the words of two offsets.
    step_bytes: u32,
}

/// The first structure of each type.
#[derive(Default)]
struct Found {
    common: Option<Structure>,
    notify: Option<Structure>,
    device: Option<Structure>,
}

impl Found {
    /// Walks the capabilities of a function.
    fn of(function: &mut Function) -> Self {
        let mut found = Self::default();
        let address = function.address;
        capability::find_map(&mut function.space, address, |space, capability| {
            let place = found.place_of(capability)?;
            if place.is_none() {
                let mut word = |number| capability.read(space, address, number);
                *place = Some(Structure {
                    bar: word(1) as u8,
                    offset: word(2),
                    bytes: word(3),
                    step_bytes: word(4),
                });
            }
            // Goes on to the end of the list.
            None::<()>
        });
        found
    }

    fn place_of(&mut self, capability: Capability) -> Option<&mut Option<Structure>> {
        match (capability.id(), capability.header >> 24) {
            (capability::VENDOR, COMMON) => Some(&mut self.common),
            (capability::VENDOR, NOTIFY) => Some(&mut self.notify),
            (capability::VENDOR, DEVICE) => Some(&mut self.device),
            _ => None,
        }
    }
}

/// Maps a structure as a slice, as long as the structure says.
fn slice<T>(function: &mut Function, structure: Structure) -> Result<NonNull<[T]>, DeviceError> {
    let registers = function.map(structure.bar, structure.offset, structure.bytes)?;
    let length = structure.bytes as usize / size_of::<T>();
    Ok(NonNull::slice_from_raw_parts(aligned(registers)?, length))
}

/// Returns the pointer to registers as one of type `T`, if it is aligned for that.
fn aligned<T>(registers: NonNull<u8>) -> Result<NonNull<T>, DeviceError> {
    let registers = registers.cast::<T>();
    registers
        .is_aligned()
        .then_some(registers)
        .ok_or(DeviceError::NotInMemory)
}
