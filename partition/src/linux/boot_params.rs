//! The boot parameters, Linux' "zero page" (Documentation/arch/x86/zero-page.rst), and what is linked to it.

use alloc::vec::Vec;

use super::{BzImage, E820, LinuxError};
use crate::range::Range;

/// Entries the zero page's own memory map has room for (E820_MAX_ENTRIES_ZEROPAGE).
const E820_IN_PAGE_MAX: usize = 128;

/// Entries that a kernel is given at most. More than 128 are in a list of their own (SETUP_E820_EXT), for which there
/// is room between the page and the ACPI tables.
pub const E820_MAX: usize = 2048;

/// Size of the list.
pub const MAP_REST_BYTES_MAX: usize =
    SETUP_DATA_BYTES + (E820_MAX - E820_IN_PAGE_MAX) * E820_ENTRY_BYTES;

/// Size of the boot parameters.
pub const BOOT_PARAMS_BYTES: usize = 4096;

const ACPI_RSDP_ADDR: usize = 0x070;
const E820_ENTRIES: usize = 0x1e8;
const TYPE_OF_LOADER: usize = 0x210;
const LOADFLAGS: usize = 0x211;
const RAMDISK_IMAGE: usize = 0x218;
const RAMDISK_SIZE: usize = 0x21c;
const CMD_LINE_PTR: usize = 0x228;
const SETUP_DATA: usize = 0x250;
const E820_TABLE: usize = 0x2d0;
const E820_ENTRY_BYTES: usize = 20;

/// `struct setup_data` (Documentation/arch/x86/boot.rst): address of the next, type, length.
const SETUP_DATA_BYTES: usize = 16;
const SETUP_E820_EXT: u32 = 1;

/// A boot loader without a number of its own.
const UNDEFINED_LOADER: u8 = 0xff;

/// The protected-mode code is loaded high; no heap for the real-mode code, which does not run.
const LOADED_HIGH: u8 = 1;

/// What a Linux is told at its entry.
#[derive(Clone, Copy, Debug)]
pub struct BootParams<'a> {
    /// The kernel.
    pub image: &'a BzImage<'a>,
    /// Physical address of its command line, below 4 GiB.
    pub command_line: u64,
    /// Its initrd, below 4 GiB; empty if there is none.
    pub initrd: Range,
    /// Physical address of its ACPI root pointer.
    pub rsdp: u64,
    /// Its memory.
    pub map: &'a [E820],
    /// Physical address of the list with what the page has no room for.
    pub map_rest: u64,
}

impl BootParams<'_> {
    /// Returns the page.
    ///
    /// # Errors
    /// [`LinuxError::MapTooLong`].
    pub fn page(&self) -> Result<[u8; BOOT_PARAMS_BYTES], LinuxError> {
        if self.map.len() > E820_MAX {
            return Err(LinuxError::MapTooLong(self.map.len()));
        }
        let mut page = [0; BOOT_PARAMS_BYTES];
        let mut put =
            |offset: usize, bytes: &[u8]| page[offset..offset + bytes.len()].copy_from_slice(bytes);
        let (offset, header) = self.image.setup_header();
        put(offset, &header[..header.len().min(E820_TABLE - offset)]);
        put(TYPE_OF_LOADER, &[UNDEFINED_LOADER]);
        put(LOADFLAGS, &[LOADED_HIGH]);
        let low = |value: u64| (value as u32).to_le_bytes();
        if !self.initrd.is_empty() {
            put(RAMDISK_IMAGE, &low(self.initrd.start));
            put(RAMDISK_SIZE, &low(self.initrd.len()));
        }
        put(CMD_LINE_PTR, &low(self.command_line));
        put(ACPI_RSDP_ADDR, &self.rsdp.to_le_bytes());
        let (in_page, rest) = self.split_map();
        put(E820_ENTRIES, &[in_page.len() as u8]);
        put(E820_TABLE, &e820_bytes(in_page));
        let rest_address = if rest.is_empty() { 0 } else { self.map_rest };
        put(SETUP_DATA, &rest_address.to_le_bytes());
        Ok(page)
    }

    /// Returns the list of the entries that the page has no room for; empty if there are none.
    pub fn map_rest(&self) -> Vec<u8> {
        let (_, rest) = self.split_map();
        if rest.is_empty() {
            return Vec::new();
        }
        let entries = e820_bytes(rest);
        let (next, length) = (0_u64, entries.len() as u32);
        let mut list = next.to_le_bytes().to_vec();
        list.extend(SETUP_E820_EXT.to_le_bytes());
        list.extend(length.to_le_bytes());
        list.extend(entries);
        list
    }

    fn split_map(&self) -> (&[E820], &[E820]) {
        self.map.split_at(self.map.len().min(E820_IN_PAGE_MAX))
    }
}

/// Returns entries as the kernel reads them (`struct boot_e820_entry`).
fn e820_bytes(entries: &[E820]) -> Vec<u8> {
    let bytes = |entry: &E820| {
        let (start, length) = (
            entry.range.start.to_le_bytes(),
            entry.range.len().to_le_bytes(),
        );
        [&start[..], &length, &(entry.kind as u32).to_le_bytes()].concat()
    };
    entries.iter().flat_map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::super::MapKind;
    use super::super::bzimage::tests::synthetic;
    use super::*;

    #[test]
    fn everything_is_in_its_place() {
        let bytes = synthetic();
        let image = BzImage::parse(&bytes).unwrap();
        let map = [E820 {
            range: Range::new(0x1000, 0x3000),
            kind: MapKind::Pram,
        }];
        let params = BootParams {
            image: &image,
            command_line: 0x800_1000,
            initrd: Range::new(0xf00_0000, 0xf00_1234),
            rsdp: 0x801_0000,
            map: &map,
            map_rest: 0x800_2000,
        };
        let page = params.page().unwrap();
        assert_eq!(page[0x202..0x206], *b"HdrS");
        assert_eq!(page[0x260..0x264], 0x10_0000_u32.to_le_bytes());
        assert_eq!((page[0x210], page[0x211], page[0x1e8]), (0xff, 1, 1));
        assert_eq!(page[0x218..0x220], [0, 0, 0, 0x0f, 0x34, 0x12, 0, 0]);
        assert_eq!(page[0x228..0x22c], [0, 0x10, 0, 8]);
        assert_eq!(page[0x70..0x78], 0x801_0000_u64.to_le_bytes());
        assert_eq!(page[0x2d0..0x2d8], 0x1000_u64.to_le_bytes());
        assert_eq!(page[0x2d8..0x2e0], 0x2000_u64.to_le_bytes());
        assert_eq!(page[0x2e0..0x2e4], 12_u32.to_le_bytes());
        // Nothing of the real-mode code came along.
        assert!(
            page[..0x70]
                .iter()
                .chain(&page[0x2e4..])
                .all(|byte| *byte == 0)
        );
    }

    #[test]
    fn what_the_page_has_no_room_for_is_in_a_list() {
        let bytes = synthetic();
        let image = BzImage::parse(&bytes).unwrap();
        let entry = |number: u64| E820 {
            range: Range::new(number << 12, (number << 12) + 100),
            kind: if number.is_multiple_of(2) {
                MapKind::Usable
            } else {
                MapKind::Reserved
            },
        };
        let map: Vec<E820> = (0..E820_MAX as u64 + 1).map(entry).collect();
        let params = |entries: usize| BootParams {
            image: &image,
            command_line: 0,
            initrd: Range::new(0, 0),
            rsdp: 0,
            map: &map[..entries],
            map_rest: 0x800_2000,
        };
        for entries in [0, 1, 127, 128, 129, 300, E820_MAX] {
            let (page, list) = (params(entries).page().unwrap(), params(entries).map_rest());
            let mut seen = page[0x2d0..][..usize::from(page[0x1e8]) * 20].to_vec();
            let link = u64::from_le_bytes(page[0x250..0x258].try_into().unwrap());
            match entries {
                ..=128 => assert_eq!((link, list.len()), (0, 0)),
                _ => {
                    let length = 20 * (entries as u32 - 128);
                    let head = [&[0; 8][..], &[1, 0, 0, 0], &length.to_le_bytes()].concat();
                    assert_eq!((link, &list[..16]), (0x800_2000, &head[..]));
                    assert_eq!(list.len(), 16 + length as usize);
                    assert!(list.len() <= MAP_REST_BYTES_MAX);
                    seen.extend(&list[16..]);
                }
            }
            assert_eq!(seen, e820_bytes(&map[..entries]));
        }
        let too_long = params(E820_MAX + 1).page();
        assert_eq!(too_long, Err(LinuxError::MapTooLong(E820_MAX + 1)));
    }
}
