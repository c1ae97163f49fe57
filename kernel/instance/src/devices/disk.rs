//! The incident disk: a virtio disk with a label of ours, to which each takeover appends a record, to be read when the
//! machine is gone.
//!
//! A disk without the label belongs to somebody else, and is not written to.

use alloc::boxed::Box;

use sharedmem::hand_off::PciFunction;
use virtio_drivers::device::blk::{SECTOR_SIZE, VirtIOBlk};
use virtio_drivers::transport::DeviceType;

use super::dma::SliceDma;
use super::error::DeviceError;
use super::virtio::{VirtioTransport, is_virtio};
use crate::cores::{self, LEAD};

/// The first bytes of an incident disk.
const LABEL: &[u8] = b"UNDERSTUDY-INCIDENTS-1\n";

/// The incident disk, and where its next record goes.
pub struct IncidentDisk {
    driver: Box<VirtIOBlk<SliceDma, VirtioTransport>>,
    next_sector: usize,
}

/// Returns whether the function is a disk that may be an incident disk.
pub fn is_disk(function: &PciFunction) -> bool {
    is_virtio(function, DeviceType::Block)
}

impl IncidentDisk {
    /// Brings the disk up, checks the label, and looks for the first free sector.
    ///
    /// # Errors
    /// Why the disk is not used.
    pub fn adopt(function: &PciFunction) -> Result<Self, DeviceError> {
        let transport = VirtioTransport::adopt(function, DeviceType::Block, None)?;
        let driver = VirtIOBlk::new(transport).map_err(|_| DeviceError::Queues)?;
        let mut disk = Self {
            driver: Box::new(driver),
            next_sector: 1,
        };
        if !disk.read(0)?.starts_with(LABEL) {
            return Err(DeviceError::NoLabel);
        }
        while disk.next_sector < disk.driver.capacity() as usize
            && disk.read(disk.next_sector)?[0] != 0
        {
            disk.next_sector += 1;
        }
        Ok(disk)
    }

    /// Appends text, in sectors of its own.
    ///
    /// # Errors
    /// [`DeviceError::Full`], [`DeviceError::Write`].
    pub fn append(&mut self, text: &str) -> Result<(), DeviceError> {
        for chunk in text.as_bytes().chunks(SECTOR_SIZE) {
            if self.next_sector >= self.driver.capacity() as usize {
                return Err(DeviceError::Full);
            }
            let mut sector = [0; SECTOR_SIZE];
            sector[..chunk.len()].copy_from_slice(chunk);
            self.driver
                .write_blocks(self.next_sector, &sector)
                .map_err(|_| DeviceError::Write)?;
            self.next_sector += 1;
        }
        Ok(())
    }

    /// Reads a sector, and counts it as progress, because the device may be slow.
    fn read(&mut self, sector: usize) -> Result<[u8; SECTOR_SIZE], DeviceError> {
        let mut bytes = [0; SECTOR_SIZE];
        cores::core(LEAD).advance();
        self.driver
            .read_blocks(sector, &mut bytes)
            .map_err(|_| DeviceError::Read)?;
        Ok(bytes)
    }
}
