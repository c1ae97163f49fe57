//! What can be read from a virtio device beside the library that drives it.

use alloc::sync::Arc;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

use health::{Fault, check_command, check_virtio_status};

use super::super::function;
use super::structures::CommonConfig;
use crate::memory::virt_of;

/// Queues that are watched.
const QUEUES: usize = 2;
/// Bytes from the beginning of a queue's device area to the used index (virtio 1.2, 2.7.8).
const USED_INDEX_OFFSET: u64 = 2;

/// Physical addresses of the queues' device areas; 0 while a queue is not set up.
pub type DeviceAreas = [AtomicU64; QUEUES];

/// Watches a device that is driven through a transport.
pub struct DeviceWatch {
    /// The function's address in configuration space.
    address: u32,
    /// Address of the status register.
    status: usize,
    areas: Arc<DeviceAreas>,
}

impl DeviceWatch {
    /// Watches the function at `address`, whose common configuration is mapped at `common`.
    pub fn new(address: u32, common: *const CommonConfig, areas: Arc<DeviceAreas>) -> Self {
        let status = common.addr() + core::mem::offset_of!(CommonConfig, device_status);
        common.expose_provenance();
        Self {
            address,
            status,
            areas,
        }
    }

    /// Checks the function's command register and the device's status register.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), Fault> {
        check_command(function::command(self.address))?;
        let status = ptr::with_exposed_provenance::<u8>(self.status);
        // SAFETY: the registers are mapped for good, and reading the status has no effect (virtio 1.2, 4.1.4.3).
        check_virtio_status(unsafe { status.read_volatile() })
    }

    /// Returns the used index that the device gives for a queue, if the queue is set up.
    pub fn used_index(&self, queue: u16) -> Option<u16> {
        let area = self.areas.get(usize::from(queue))?.load(Ordering::Relaxed);
        if area == 0 {
            return None;
        }
        let index = ptr::with_exposed_provenance::<u16>(virt_of(area + USED_INDEX_OFFSET) as usize);
        // SAFETY: the library allocated the area for the queue, from memory that is mapped for good, and frees it only
        // when the driver is dropped, of which this watch is a part. The device writes the aligned word as a whole.
        Some(unsafe { index.read_volatile() })
    }
}
