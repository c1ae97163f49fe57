//! What is known of an image before it is loaded.

use sharedmem::{Revisions, Role};

use crate::acpi::ApicId;
use crate::cmdline::{ImageOptions, Options};
use crate::files::BootFiles;
use crate::instance_memory::InstanceMemory;
use crate::memory::MemoryMap;

/// An image that is to be checked as the boot would check it, and what the answer depends on.
#[derive(Clone, Debug)]
pub struct ImageCheck<'a> {
    /// The boot line.
    pub options: &'a Options,
    /// What the image is to be loaded for.
    pub role: Role,
    /// The memory that the plan gives to the instance; `None` if there is no slot for it.
    pub memory: Option<InstanceMemory>,
    /// The firmware's memory map.
    pub memory_map: &'a MemoryMap,
    /// The seat.
    pub seat: ApicId,
    /// The boot archive and the other modules.
    pub files: &'a BootFiles<'a>,
    /// Revisions that the monitor speaks.
    pub revisions: Revisions,
}

impl<'a> ImageCheck<'a> {
    /// Returns what the boot line says of the image.
    pub fn image(&self) -> ImageOptions<'a> {
        self.options.image(self.role)
    }
}
