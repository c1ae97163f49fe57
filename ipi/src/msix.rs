//! The MSI-X table of a device (PCI 3.0, 6.8.2.6 to 6.8.2.9).

use core::error::Error;
use core::fmt;

use crate::mmio::{Mmio, MmioRegion};
use crate::msi::{MessageError, MsiMessage};

/// Size of an entry, and the byte offsets of its words.
const ENTRY_BYTES: usize = 16;
const ADDRESS_LOW: usize = 0;
const ADDRESS_HIGH: usize = 4;
const DATA: usize = 8;
const CONTROL: usize = 12;

/// The only bit of the control word that is not reserved.
const CONTROL_MASKED: u32 = 1;

/// Why an entry was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// There is no such entry.
    Entry {
        /// The entry that was given.
        entry: u16,
        /// Number of entries, from 0 on.
        entry_count: u16,
    },
    /// The message of the entry cannot go to that destination.
    Message {
        /// The entry that was given.
        entry: u16,
        /// The reason.
        error: MessageError,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { entry, entry_count } => {
                write!(
                    f,
                    "MSI-X table: there is no entry {entry}; it has {entry_count}, from 0 on"
                )
            }
            Self::Message { entry, error } => write!(f, "MSI-X table entry {entry}: {error}"),
        }
    }
}

impl Error for TableError {}

/// The MSI-X table of one device. The configuration space, which this crate does not touch, says whether the device
/// uses it.
#[derive(Debug)]
pub struct MsixTable<M: Mmio = MmioRegion> {
    words: M,
    entry_count: u16,
}

impl MsixTable {
    /// Makes a handle of the table of `entry_count` entries at `base`.
    ///
    /// # Safety
    /// While the value is used, `base` is where the table is mapped uncached, with 16 bytes for each entry, in every
    /// address space it is used from; and the caller owns the device.
    pub const unsafe fn new(base: *mut u8, entry_count: u16) -> Self {
        // SAFETY: the caller promises what `MmioRegion::new` demands.
        Self::with_words(
            unsafe { MmioRegion::new(base, entry_count as usize * ENTRY_BYTES) },
            entry_count,
        )
    }
}

impl<M: Mmio> MsixTable<M> {
    /// Makes a handle of a table in other words than a device's, such as a fake.
    pub const fn with_words(words: M, entry_count: u16) -> Self {
        Self { words, entry_count }
    }

    /// Returns the number of entries, from 0 on.
    pub const fn entry_count(&self) -> u16 {
        self.entry_count
    }

    /// Sets the message of `entry`, and leaves the entry masked.
    ///
    /// # Errors
    /// [`TableError::Entry`].
    pub fn set(&mut self, entry: u16, message: MsiMessage) -> Result<(), TableError> {
        self.mask(entry)?;
        self.put(entry, message);
        Ok(())
    }

    /// Masks `entry`. When it returns, the device sends nothing from it.
    ///
    /// # Errors
    /// [`TableError::Entry`].
    pub fn mask(&mut self, entry: u16) -> Result<(), TableError> {
        self.check(entry)?;
        let control = self.read(entry, CONTROL);
        self.put_control(entry, control | CONTROL_MASKED);
        Ok(())
    }

    /// Unmasks `entry`.
    ///
    /// # Errors
    /// [`TableError::Entry`].
    pub fn unmask(&mut self, entry: u16) -> Result<(), TableError> {
        self.check(entry)?;
        let control = self.read(entry, CONTROL);
        self.put_control(entry, control & !CONTROL_MASKED);
        Ok(())
    }

    /// Masks every entry.
    pub fn mask_all(&mut self) {
        for entry in 0..self.entry_count {
            let control = self.read(entry, CONTROL);
            self.put_control(entry, control | CONTROL_MASKED);
        }
    }

    /// Reads the message of `entry`.
    ///
    /// # Errors
    /// [`TableError::Entry`].
    pub fn message(&self, entry: u16) -> Result<MsiMessage, TableError> {
        self.check(entry)?;
        let (low, high) = (
            self.read(entry, ADDRESS_LOW),
            self.read(entry, ADDRESS_HIGH),
        );
        let address = u64::from(high) << 32 | u64::from(low);
        Ok(MsiMessage {
            address,
            data: self.read(entry, DATA),
        })
    }

    /// Sends the message of `entry` to the processor whose APIC id is `destination`. The entry is masked while it
    /// changes; its mask ends as it was.
    ///
    /// # Errors
    /// [`TableError`]; the entry was not changed.
    pub fn retarget(&mut self, entry: u16, destination: u32) -> Result<(), TableError> {
        let message = self.message(entry)?;
        let message = message
            .retarget(destination)
            .map_err(|error| TableError::Message { entry, error })?;
        let control = self.read(entry, CONTROL);
        self.put_control(entry, control | CONTROL_MASKED);
        self.put(entry, message);
        self.put_control(entry, control);
        Ok(())
    }

    /// Writes a message. The entry must be masked, because a device may otherwise send a mixture of the old and the new
    /// one.
    fn put(&mut self, entry: u16, message: MsiMessage) {
        self.write(entry, ADDRESS_LOW, message.address as u32);
        self.write(entry, ADDRESS_HIGH, (message.address >> 32) as u32);
        self.write(entry, DATA, message.data);
    }

    /// Writes the control word and reads it back. Writes may wait in bridges; the read makes this one, and all before
    /// it, arrive at the device.
    fn put_control(&mut self, entry: u16, control: u32) {
        self.write(entry, CONTROL, control);
        self.read(entry, CONTROL);
    }

    fn check(&self, entry: u16) -> Result<(), TableError> {
        if entry >= self.entry_count {
            return Err(TableError::Entry {
                entry,
                entry_count: self.entry_count,
            });
        }
        Ok(())
    }

    fn read(&self, entry: u16, word: usize) -> u32 {
        self.words.read(usize::from(entry) * ENTRY_BYTES + word)
    }

    fn write(&mut self, entry: u16, word: usize, value: u32) {
        self.words
            .write(usize::from(entry) * ENTRY_BYTES + word, value);
    }
}
