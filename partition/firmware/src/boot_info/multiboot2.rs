//! The Multiboot2 information block (specification 2.0, section 3.6), as GRUB gives it.

use alloc::string::String;
use alloc::vec::Vec;

use super::framebuffer::{self, Framebuffer, NoScreen};
use super::{BootInfo, COMMAND_LINE_BYTES_MAX, MEMORY_MAP_ENTRIES_MAX, MODULES_MAX, Module};
use crate::acpi::Rsdp;
use crate::memory::{MemoryMap, Region, RegionKind};
use crate::physical::{Block, InputError, PhysicalMemory, Problem};
use crate::range::Range;

/// What EAX holds at the entry.
pub const MAGIC: u32 = 0x36d7_6289;

/// No block is longer. It can hold the EFI memory map and the image's section headers, which are not read here.
const BLOCK_BYTES_MAX: u32 = 1 << 20;

const NAME: &str = "Multiboot2 information";
const TAG_HEADER_BYTES: usize = 8;

const END: u32 = 0;
const COMMAND_LINE: u32 = 1;
const MODULE: u32 = 3;
const MEMORY_MAP: u32 = 6;
const FRAMEBUFFER: u32 = 8;
const OLD_RSDP: u32 = 14;
const NEW_RSDP: u32 = 15;

#[derive(Default)]
struct Found {
    command_line: Option<String>,
    memory_map: Option<MemoryMap>,
    old_rsdp: Option<Vec<u8>>,
    new_rsdp: Option<Vec<u8>>,
    modules: Vec<Module>,
    screen: Option<Result<Framebuffer, NoScreen>>,
}

pub(super) fn read(address: u64, memory: &dyn PhysicalMemory) -> Result<BootInfo, InputError> {
    let head = Block::read(memory, address, TAG_HEADER_BYTES, NAME)?;
    let total_bytes = head.u32(0, "total_size")?;
    if total_bytes > BLOCK_BYTES_MAX {
        return Err(head.error("total_size", Problem::TooLong(BLOCK_BYTES_MAX.into())));
    }
    let block = Block::read(memory, address, total_bytes as usize, NAME)?;
    let mut found = Found::default();
    let mut offset = TAG_HEADER_BYTES;
    loop {
        let kind = block.u32(offset, "tag type")?;
        let size = block.u32(offset + 4, "tag size")? as usize;
        // A tag shorter than its own header would be read for ever.
        if size < TAG_HEADER_BYTES {
            return Err(block.error("tag size", Problem::Value(size as u64, "at least 8")));
        }
        if kind == END {
            break;
        }
        let Some(bytes) = block.bytes.get(offset..offset + size) else {
            let left = block.bytes.len() - offset;
            return Err(block.error("tag size", Problem::TooShort(left as u64)));
        };
        found.take(kind, bytes)?;
        offset += size.next_multiple_of(8);
    }
    found.finish()
}

impl Found {
    fn take(&mut self, kind: u32, bytes: &[u8]) -> Result<(), InputError> {
        let tag = |name| Block {
            name,
            bytes: bytes.to_vec(),
        };
        match kind {
            COMMAND_LINE => {
                let tag = tag("Multiboot2 command line");
                let line = text(&tag, TAG_HEADER_BYTES)?;
                put(&mut self.command_line, line, &tag)
            }
            MODULE => {
                if self.modules.len() == MODULES_MAX {
                    let limit = Problem::TooLong(MODULES_MAX as u64);
                    return Err(InputError::new(NAME, "number of modules", limit));
                }
                self.modules.push(module(&tag("Multiboot2 module"))?);
                Ok(())
            }
            MEMORY_MAP => {
                let tag = tag("Multiboot2 memory map");
                let map = memory_map(&tag)?;
                put(&mut self.memory_map, map, &tag)
            }
            FRAMEBUFFER => {
                let tag = tag("Multiboot2 framebuffer");
                let screen = framebuffer::read(&tag)?;
                put(&mut self.screen, screen, &tag)
            }
            OLD_RSDP | NEW_RSDP => {
                let tag = tag("Multiboot2 RSDP");
                let copy = tag.bytes[TAG_HEADER_BYTES..].to_vec();
                let slot = match kind {
                    OLD_RSDP => &mut self.old_rsdp,
                    _ => &mut self.new_rsdp,
                };
                put(slot, copy, &tag)
            }
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<BootInfo, InputError> {
        let missing = InputError::new(NAME, "memory map tag", Problem::Missing);
        Ok(BootInfo {
            command_line: self.command_line.unwrap_or_default(),
            memory_map: self.memory_map.ok_or(missing)?,
            rsdp: match self.new_rsdp.or(self.old_rsdp) {
                Some(copy) => Rsdp::Copy(copy),
                None => Rsdp::Search,
            },
            modules: self.modules,
            screen: self.screen.unwrap_or(Err(NoScreen::NotNamed)),
        })
    }
}

/// Puts the value of a tag that may be there once.
fn put<T>(slot: &mut Option<T>, value: T, tag: &Block) -> Result<(), InputError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(tag.error("tag", Problem::Duplicate(0))),
    }
}

fn text(tag: &Block, offset: usize) -> Result<String, InputError> {
    let bytes = tag.bytes.get(offset..).unwrap_or_default();
    let Some(length) = bytes.iter().position(|byte| *byte == 0) else {
        return Err(tag.error("string", Problem::TooShort(bytes.len() as u64)));
    };
    if length > COMMAND_LINE_BYTES_MAX {
        let limit = Problem::TooLong(COMMAND_LINE_BYTES_MAX as u64);
        return Err(tag.error("string", limit));
    }
    String::from_utf8(bytes[..length].to_vec()).map_err(|_| tag.error("string", Problem::NotUtf8))
}

fn module(tag: &Block) -> Result<Module, InputError> {
    let (start, end) = (tag.u32(8, "mod_start")?, tag.u32(12, "mod_end")?);
    if end < start {
        let expected = "at least mod_start";
        return Err(tag.error("mod_end", Problem::Value(end.into(), expected)));
    }
    Ok(Module {
        range: Range::new(start.into(), end.into()),
        name: text(tag, 16)?,
    })
}

fn memory_map(tag: &Block) -> Result<MemoryMap, InputError> {
    // Later versions may append fields to an entry; its size is therefore told.
    let entry_bytes = tag.u32(8, "entry_size")? as usize;
    if entry_bytes < 24 {
        let problem = Problem::Value(entry_bytes as u64, "at least 24");
        return Err(tag.error("entry_size", problem));
    }
    let entries = tag.bytes.get(16..).unwrap_or_default();
    let count = entries.len() / entry_bytes;
    if count == 0 {
        return Err(tag.error("entries", Problem::Missing));
    }
    if count > MEMORY_MAP_ENTRIES_MAX {
        let limit = Problem::TooLong(MEMORY_MAP_ENTRIES_MAX as u64);
        return Err(tag.error("entries", limit));
    }
    let regions: Result<Vec<Region>, InputError> = (0..count)
        .map(|index| {
            let entry = 16 + index * entry_bytes;
            Ok(Region::sized(
                tag.u64(entry, "base_addr")?,
                tag.u64(entry + 8, "length")?,
                RegionKind::from_e820(tag.u32(entry + 16, "type")?),
            ))
        })
        .collect();
    Ok(MemoryMap::new(regions?))
}
