//! What the boot loader hands over: command line, memory map, ACPI root pointer, boot archive.

mod framebuffer;
mod multiboot2;
mod pvh;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;

pub use framebuffer::{Framebuffer, NoScreen, PixelFormat};
pub use multiboot2::MAGIC as MULTIBOOT2_MAGIC;
pub use pvh::MAGIC as PVH_MAGIC;

use crate::acpi::Rsdp;
use crate::memory::MemoryMap;
use crate::physical::{InputError, PhysicalMemory, Problem};
use crate::range::Range;

/// The longest command line, in bytes, without its closing zero; what the hand-off to an instance has room for. It may
/// hold those of two Linux kernels, each of 2,047 bytes (COMMAND_LINE_SIZE).
pub const COMMAND_LINE_BYTES_MAX: usize = 6143;

/// The most entries a memory map may have; a PC's has a few dozen.
pub const MEMORY_MAP_ENTRIES_MAX: usize = 1024;

/// The most modules a boot loader may give.
pub const MODULES_MAX: usize = 64;

/// A file the boot loader put into memory. The memory map calls that memory usable: it must be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Where it is.
    pub range: Range,
    /// What the boot loader's configuration calls it; empty if it has no name.
    pub name: String,
}

/// What was handed over, whichever way. It is a copy: nothing in it points into the boot loader's memory but the
/// modules' ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootInfo {
    /// The command line, or an empty one.
    pub command_line: String,
    /// The memory of the machine.
    pub memory_map: MemoryMap,
    /// Where the ACPI tables begin.
    pub rsdp: Rsdp,
    /// Files in memory: the boot archive, and with Multiboot2 any others.
    pub modules: Vec<Module>,
    /// The screen, or why nothing is drawn on one.
    pub screen: Result<Framebuffer, NoScreen>,
}

impl BootInfo {
    /// Reads the hand-off. `magic` is what tells the protocol ([`PVH_MAGIC`] or [`MULTIBOOT2_MAGIC`]), `address` where
    /// its information block is.
    ///
    /// # Errors
    /// Names the block and the field that cannot be used.
    pub fn read(magic: u32, address: u64, memory: &dyn PhysicalMemory) -> Result<Self, InputError> {
        match magic {
            PVH_MAGIC => pvh::read(address, memory),
            MULTIBOOT2_MAGIC => multiboot2::read(address, memory),
            _ => Err(InputError::new(
                "boot loader",
                "magic number",
                Problem::Value(magic.into(), "PVH's or Multiboot2's"),
            )),
        }
    }
}
