//! The PVH boot protocol: `hvm_start_info` (Xen's public/arch-x86/hvm/start_info.h), as QEMU's `-kernel` gives it.

use alloc::string::String;
use alloc::vec::Vec;

use super::{
    BootInfo, COMMAND_LINE_BYTES_MAX, MEMORY_MAP_ENTRIES_MAX, MODULES_MAX, Module, NoScreen,
};
use crate::acpi::Rsdp;
use crate::memory::{MemoryMap, Region, RegionKind};
use crate::physical::{Block, InputError, PhysicalMemory, Problem, read_text};
use crate::range::Range;

/// `XEN_HVM_START_MAGIC_VALUE`, the first field.
pub const MAGIC: u32 = 0x336e_c578;

const NAME: &str = "hvm_start_info";
const V0_BYTES: usize = 40;
const V1_BYTES: usize = 56;
const MODULE_BYTES: usize = 32;
const MEMORY_MAP_ENTRY_BYTES: usize = 24;

pub(super) fn read(address: u64, memory: &dyn PhysicalMemory) -> Result<BootInfo, InputError> {
    let short = Block::read(memory, address, V0_BYTES, NAME)?;
    let magic = short.u32(0, "magic")?;
    if magic != MAGIC {
        return Err(short.error("magic", Problem::Value(magic.into(), "0x336ec578")));
    }
    let version = short.u32(4, "version")?;
    // Version 0 has no memory map. Xen would have to be asked for it; there is none here.
    if version == 0 {
        return Err(short.error("version", Problem::Value(0, "at least 1")));
    }
    let info = Block::read(memory, address, V1_BYTES, NAME)?;
    Ok(BootInfo {
        command_line: text(
            info.u64(24, "cmdline_paddr")?,
            NAME,
            "cmdline_paddr",
            memory,
        )?,
        memory_map: memory_map(&info, memory)?,
        rsdp: match info.u64(32, "rsdp_paddr")? {
            0 => Rsdp::Search,
            address => Rsdp::Address(address),
        },
        modules: modules(&info, memory)?,
        screen: Err(NoScreen::NotNamed),
    })
}

/// Reads a text; one that is not there is empty.
fn text(
    address: u64,
    block: &'static str,
    field: &'static str,
    memory: &dyn PhysicalMemory,
) -> Result<String, InputError> {
    match address {
        0 => Ok(String::new()),
        _ => read_text(memory, address, COMMAND_LINE_BYTES_MAX, block, field),
    }
}

fn modules(info: &Block, memory: &dyn PhysicalMemory) -> Result<Vec<Module>, InputError> {
    let count = info.u32(12, "nr_modules")? as usize;
    if count > MODULES_MAX {
        return Err(info.error("nr_modules", Problem::TooLong(MODULES_MAX as u64)));
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    let address = info.u64(16, "modlist_paddr")?;
    let list = Block::read(memory, address, count * MODULE_BYTES, "hvm_modlist_entry")?;
    (0..count)
        .map(|index| {
            let entry = index * MODULE_BYTES;
            let (start, size) = (list.u64(entry, "paddr")?, list.u64(entry + 8, "size")?);
            let range = Range::sized(start, size).ok_or(list.error(
                "size",
                Problem::Value(size, "less than what would pass the end of memory"),
            ))?;
            let name = list.u64(entry + 16, "cmdline_paddr")?;
            Ok(Module {
                range,
                name: text(name, list.name, "cmdline_paddr", memory)?,
            })
        })
        .collect()
}

fn memory_map(info: &Block, memory: &dyn PhysicalMemory) -> Result<MemoryMap, InputError> {
    let count = info.u32(48, "memmap_entries")? as usize;
    if count == 0 {
        return Err(info.error("memmap_entries", Problem::Missing));
    }
    if count > MEMORY_MAP_ENTRIES_MAX {
        return Err(info.error(
            "memmap_entries",
            Problem::TooLong(MEMORY_MAP_ENTRIES_MAX as u64),
        ));
    }
    let address = info.u64(40, "memmap_paddr")?;
    let bytes = count * MEMORY_MAP_ENTRY_BYTES;
    let list = Block::read(memory, address, bytes, "hvm_memmap_table_entry")?;
    let regions: Result<Vec<Region>, InputError> = (0..count)
        .map(|index| {
            let entry = index * MEMORY_MAP_ENTRY_BYTES;
            Ok(Region::sized(
                list.u64(entry, "addr")?,
                list.u64(entry + 8, "size")?,
                RegionKind::from_e820(list.u32(entry + 16, "type")?),
            ))
        })
        .collect();
    Ok(MemoryMap::new(regions?))
}
