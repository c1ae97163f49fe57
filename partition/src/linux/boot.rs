//! A Linux that is ready to be put into its memory: from the plan and its files to what goes where. Only the ACPI
//! tables are missing, as their body is made by the monitor.

use alloc::vec::Vec;

use super::command_line::Facts;
use super::{
    BootParams, BzImage, CommandLine, E820, Layout, LinuxError, bzimage::ENTRY_64, memory_map,
};
use sharedmem::Role;

use crate::cmdline::ImageOptions;
use crate::files::BootFiles;
use crate::instance_memory::InstanceMemory;
use crate::memory::MemoryMap;

/// The files of a Linux, as bytes.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The bzImage.
    pub kernel: &'a [u8],
    /// The initrd; empty if there is none.
    pub initrd: &'a [u8],
    /// The operator's command line.
    pub line: &'a str,
}

impl<'a> Files<'a> {
    /// Finds what the boot line names for one of the instances.
    ///
    /// # Errors
    /// A file is missing.
    pub fn find(options: ImageOptions<'a>, files: &BootFiles<'a>) -> Result<Self, LinuxError> {
        let find = |path: &str| files.find(path);
        Ok(Self {
            kernel: find(options.kernel).map_err(LinuxError::NoKernel)?,
            initrd: match options.initrd.is_empty() {
                true => &[],
                false => find(options.initrd).map_err(LinuxError::NoInitrd)?,
            },
            line: options.cmdline,
        })
    }
}

/// A Linux that can be booted: everything but its ACPI tables.
#[derive(Clone, Debug)]
pub struct LinuxBoot<'a> {
    /// The kernel.
    pub image: BzImage<'a>,
    /// Its initrd; empty if there is none.
    pub initrd: &'a [u8],
    /// Where things go.
    pub layout: Layout,
    /// Its command line.
    pub line: CommandLine,
    map: Vec<E820>,
}

impl<'a> LinuxBoot<'a> {
    /// Prepares the boot of `files` in `memory` as `role`. `machine` is the firmware's memory map.
    ///
    /// # Errors
    /// Why it cannot be booted.
    pub fn prepare(
        files: Files<'a>,
        memory: &InstanceMemory,
        role: Role,
        machine: &MemoryMap,
        facts: Facts,
    ) -> Result<Self, LinuxError> {
        if memory.low.is_empty() {
            return Err(LinuxError::NoLowMemory);
        }
        let image = BzImage::parse(files.kernel)?;
        let layout = Layout::of(&image, files.initrd.len() as u64, &memory.main)?;
        let line = CommandLine::complete(role, files.line, facts, &image)?;
        let own = memory_map::Own {
            ranges: &memory.all(),
            boot_area: layout.boot_area,
            pmem: memory.pmem,
        };
        let map = match role {
            Role::Primary => memory_map::of_primary(machine, own),
            Role::Backup => memory_map::of_backup(own),
        };
        let boot = Self {
            image,
            initrd: files.initrd,
            layout,
            line,
            map,
        };
        // A map too long is found now, not when everything else is in its place.
        boot.params(0).page()?;
        Ok(boot)
    }

    /// Returns its boot parameters, given the physical address of its ACPI root pointer.
    pub fn params(&self, rsdp: u64) -> BootParams<'_> {
        BootParams {
            image: &self.image,
            command_line: self.layout.command_line,
            initrd: self.layout.initrd,
            rsdp,
            map: &self.map,
            map_rest: self.layout.map_rest,
        }
    }

    /// Returns the physical address of its 64-bit entry.
    pub fn entry(&self) -> u64 {
        self.layout.kernel + ENTRY_64
    }

    /// Returns the end of the memory that the kernel itself takes. Below it is a stack for its first instructions,
    /// which do not use one.
    pub fn kernel_end(&self) -> u64 {
        self.layout.kernel + self.image.init_size_bytes
    }
}
