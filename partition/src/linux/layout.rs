//! Where things go in a Linux' slot.

use super::boot_params::MAP_REST_BYTES_MAX;
use super::{BzImage, LinuxError};
use crate::range::Range;

/// At the start of the slot: boot parameters, command line, ACPI tables. A large page, so that what follows can be
/// loaded on one.
pub const BOOT_AREA_BYTES: u64 = 2 << 20;

/// The command line, from the start of the boot area.
const COMMAND_LINE_OFFSET: u64 = 0x1000;

/// What the boot parameters have no room for of the memory map, from the start of the boot area.
const MAP_REST_OFFSET: u64 = 0x2000;
const _: () = assert!(MAP_REST_OFFSET + MAP_REST_BYTES_MAX as u64 <= TABLES_OFFSET);

/// The ACPI tables, from the start of the boot area.
const TABLES_OFFSET: u64 = 0x1_0000;

/// Room for the ACPI tables, in bytes.
pub const TABLES_BYTES: u64 = 512 << 10;

/// A kernel that is loaded below would move itself up to here (LOAD_PHYSICAL_ADDR).
const LOAD_MIN: u64 = 16 << 20;

/// Boot parameters give addresses in 32 bits.
const END: u64 = 1 << 32;

/// What a kernel and its userspace need to come up beside the image and the initrd itself, in bytes.
const WORKING_BYTES: u64 = 32 << 20;

const PAGE_BYTES: u64 = 4096;

/// Where things go; physical addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Kept from the kernel's own memory.
    pub boot_area: Range,
    /// One page.
    pub boot_params: u64,
    /// The command line.
    pub command_line: u64,
    /// What the boot parameters have no room for of the memory map.
    pub map_rest: u64,
    /// The ACPI tables, [`TABLES_BYTES`] at most.
    pub tables: u64,
    /// The protected-mode code.
    pub kernel: u64,
    /// The initrd; empty if there is none.
    pub initrd: Range,
    /// The piece of the slot all this is in.
    pub piece: Range,
}

impl Layout {
    /// Lays `image` and an initrd of `initrd_bytes` out in the largest of `ranges` that lies below 4 GiB.
    ///
    /// # Errors
    /// [`LinuxError::TooSmall`], with the bytes that would do.
    pub fn of(
        image: &BzImage<'_>,
        initrd_bytes: u64,
        ranges: &[Range],
    ) -> Result<Self, LinuxError> {
        let low = ranges
            .iter()
            .map(|range| range.intersection(Range::new(0, END)));
        let piece = low.max_by_key(Range::len).unwrap_or(Range::new(0, 0));
        Self::in_piece(image, initrd_bytes, piece).ok_or(LinuxError::TooSmall {
            needed_bytes: needed_bytes(image, initrd_bytes),
            there_bytes: piece.len(),
        })
    }

    fn in_piece(image: &BzImage<'_>, initrd_bytes: u64, piece: Range) -> Option<Self> {
        if piece.len() < needed_bytes(image, initrd_bytes) {
            return None;
        }
        let start = piece.start.checked_next_multiple_of(PAGE_BYTES)?;
        let boot_area = Range::new(start, start.checked_add(BOOT_AREA_BYTES)?);
        let align = image.alignment_bytes.max(2 << 20);
        let kernel = boot_area
            .end
            .max(LOAD_MIN)
            .checked_next_multiple_of(align)?;
        let initrd_end = piece.end.min(image.initrd_last.checked_add(1)?) & !(PAGE_BYTES - 1);
        let initrd_start = initrd_end.checked_sub(initrd_bytes)? & !(PAGE_BYTES - 1);
        let initrd = Range::new(initrd_start, initrd_start + initrd_bytes);
        (kernel.checked_add(image.init_size_bytes)? <= initrd_start).then_some(Self {
            boot_area,
            boot_params: start,
            command_line: start + COMMAND_LINE_OFFSET,
            map_rest: start + MAP_REST_OFFSET,
            tables: start + TABLES_OFFSET,
            kernel,
            initrd,
            piece,
        })
    }
}

/// Returns the memory a Linux needs in one piece below 4 GiB: a multiple of 2 MiB.
pub fn needed_bytes(image: &BzImage<'_>, initrd_bytes: u64) -> u64 {
    let alignment_loss = image.alignment_bytes.max(2 << 20);
    // An initrd is there twice for a while: packed, and unpacked.
    let initrd = initrd_bytes.saturating_mul(2);
    (BOOT_AREA_BYTES + alignment_loss + image.init_size_bytes + WORKING_BYTES)
        .saturating_add(initrd)
        .checked_next_multiple_of(2 << 20)
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::bzimage::tests::synthetic;
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn nothing_overlaps_and_all_is_aligned() {
        let bytes = synthetic();
        let image = BzImage::parse(&bytes).unwrap();
        let ranges = [
            Range::new(4 * MIB, 20 * MIB),
            Range::new(129 * MIB, 257 * MIB),
        ];
        let layout = Layout::of(&image, 3 * MIB + 5, &ranges).unwrap();
        assert_eq!(layout.boot_area, Range::new(129 * MIB, 131 * MIB));
        assert_eq!(layout.kernel, 132 * MIB);
        assert_eq!(
            layout.initrd,
            Range::new(254 * MIB - 4096, 257 * MIB - 4096 + 5)
        );
        assert_eq!(layout.piece, ranges[1]);
    }

    #[test]
    fn a_slot_too_small_is_told_what_would_do_and_that_does() {
        let bytes = synthetic();
        let image = BzImage::parse(&bytes).unwrap();
        let error = Layout::of(&image, 4 * MIB, &[Range::new(64 * MIB, 96 * MIB)]).unwrap_err();
        let LinuxError::TooSmall {
            needed_bytes,
            there_bytes,
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(there_bytes, 32 * MIB);
        assert!(
            error.to_string().contains("failover_mem=46M would work"),
            "{error}"
        );
        let fitting = Range::new(64 * MIB, 64 * MIB + needed_bytes);
        assert!(Layout::of(&image, 4 * MIB, &[fitting]).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_laid_out_is_inside_and_apart(
            start in 0_u64..5000, length in 0_u64..400, initrd_bytes in 0_u64..200 << 20,
        ) {
            let bytes = synthetic();
            let image = BzImage::parse(&bytes).unwrap();
            let range = Range::new(start * MIB, (start + length) * MIB);
            if let Ok(layout) = Layout::of(&image, initrd_bytes, &[range]) {
                let kernel = Range::new(layout.kernel, layout.kernel + image.init_size_bytes);
                for part in [layout.boot_area, kernel, layout.initrd] {
                    prop_assert!(range.start <= part.start && part.end <= range.end && part.end <= 1 << 32);
                }
                prop_assert!(layout.boot_area.end <= kernel.start && kernel.end <= layout.initrd.start);
                prop_assert!(layout.tables + TABLES_BYTES <= layout.boot_area.end);
                prop_assert!(kernel.start >= 16 * MIB && kernel.start.is_multiple_of(2 * MIB));
            }
        }
    }
}
