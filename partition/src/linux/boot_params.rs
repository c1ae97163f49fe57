//! The boot parameters, Linux' "zero page" (Documentation/arch/x86/zero-page.rst).

use super::{BzImage, E820, LinuxError};
use crate::range::Range;

/// Entries the zero page's own memory map has room for (E820_MAX_ENTRIES_ZEROPAGE).
pub const E820_MAX: usize = 128;

/// Size of the boot parameters.
pub const BOOT_PARAMS_BYTES: usize = 4096;

const ACPI_RSDP_ADDR: usize = 0x070;
const E820_ENTRIES: usize = 0x1e8;
const TYPE_OF_LOADER: usize = 0x210;
const LOADFLAGS: usize = 0x211;
const RAMDISK_IMAGE: usize = 0x218;
const RAMDISK_SIZE: usize = 0x21c;
const CMD_LINE_PTR: usize = 0x228;
const E820_TABLE: usize = 0x2d0;
const E820_ENTRY_BYTES: usize = 20;

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
        put(E820_ENTRIES, &[self.map.len() as u8]);
        for (index, entry) in self.map.iter().enumerate() {
            let place = E820_TABLE + index * E820_ENTRY_BYTES;
            put(place, &entry.range.start.to_le_bytes());
            put(place + 8, &entry.range.len().to_le_bytes());
            put(place + 16, &(entry.kind as u32).to_le_bytes());
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::super::MapKind;
    use super::super::bzimage::tests::synthetic;
    use super::*;
    use alloc::vec;

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
    fn a_map_too_long_is_refused() {
        let bytes = synthetic();
        let image = BzImage::parse(&bytes).unwrap();
        let map = vec![
            E820 {
                range: Range::new(0, 1),
                kind: MapKind::Usable
            };
            129
        ];
        let params = BootParams {
            image: &image,
            command_line: 0,
            initrd: Range::new(0, 0),
            rsdp: 0,
            map: &map,
        };
        assert_eq!(params.page(), Err(LinuxError::MapTooLong(129)));
        let fitting = BootParams {
            map: &map[..128],
            ..params
        };
        assert!(fitting.page().is_ok());
    }
}
