//! An accepted image of Linux has all its parts inside the file, and is laid out in a slot without an overlap.
//!
//! An input is 12 bytes for the slot and the initrd, and the image. If its first bit is set, the fields that must fit
//! the image's length are made right.

use partition::linux::boot_params::{BOOT_PARAMS_BYTES, BootParams};
use partition::linux::command_line::Facts;
use partition::linux::layout::{BOOT_AREA_BYTES, TABLES_BYTES};
use partition::linux::{BzImage, CommandLine, E820, Layout, MapKind};
use partition::tenant::LINUX;
use partition::{Kind, Range};
use sharedmem::Role;

const SETUP_SECTS: usize = 0x1f1;
const SYSSIZE: usize = 0x1f4;

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let Some((head, image)) = data.split_first_chunk::<12>() else {
        return;
    };
    let mut image = image.to_vec();
    if head[0] & 1 != 0 {
        fit(&mut image);
    }
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let slot = Range::new(
        u64::from(word(0) & 0x000f_ff00) << 12,
        u64::from(word(4)) << 8,
    );
    match BzImage::parse(&image) {
        Ok(parsed) => {
            assert_eq!(Kind::of(&image), &LINUX);
            is_sound(&parsed, &image);
            can_be_laid_out(&parsed, slot, word(8).into());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Sets the size of the protected-mode code to that of the file.
fn fit(image: &mut [u8]) {
    let sectors = image.get(SETUP_SECTS).map_or(0, |sectors| match sectors {
        0 => 4,
        sectors => usize::from(*sectors),
    });
    let there = image.len().saturating_sub((sectors + 1) * 512);
    if let Some(field) = image.get_mut(SYSSIZE..SYSSIZE + 4) {
        field.copy_from_slice(&((there / 16) as u32).to_le_bytes());
    }
}

fn is_sound(parsed: &BzImage<'_>, image: &[u8]) {
    assert!(!parsed.kernel().is_empty() && parsed.kernel().len() <= image.len());
    assert!(parsed.kernel().len() as u64 <= parsed.init_size_bytes);
    assert!(parsed.alignment_bytes.is_power_of_two());
    let (offset, header) = parsed.setup_header();
    assert_eq!(image.get(offset..offset + header.len()), Some(header));
    assert!(!parsed.version.is_empty() && parsed.version.len() <= 128);
}

fn can_be_laid_out(image: &BzImage<'_>, slot: Range, initrd_bytes: u64) {
    let layout = match Layout::of(image, initrd_bytes, &[slot]) {
        Ok(layout) => layout,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let kernel = Range::new(layout.kernel, layout.kernel + image.init_size_bytes);
    let parts = [layout.boot_area, kernel, layout.initrd];
    for part in parts {
        assert!(slot.start <= part.start && part.end <= slot.end && part.end <= 1 << 32);
    }
    assert!(layout.boot_area.end <= kernel.start && kernel.end <= layout.initrd.start);
    assert_eq!(layout.boot_area.len(), BOOT_AREA_BYTES);
    assert!(layout.tables + TABLES_BYTES <= layout.boot_area.end);
    assert!(layout.kernel.is_multiple_of(image.alignment_bytes));
    assert_eq!(layout.initrd.len(), initrd_bytes);
    let page = BootParams {
        image,
        command_line: layout.command_line,
        initrd: layout.initrd,
        rsdp: layout.tables,
        map: &[E820 {
            range: slot,
            kind: MapKind::Usable,
        }],
        map_rest: layout.map_rest,
    };
    assert_eq!(
        page.page().expect("a map of one entry").len(),
        BOOT_PARAMS_BYTES
    );
    let facts = Facts {
        seat_apic_id: 0,
        tsc_khz: 2_000_000,
    };
    for role in [Role::Primary, Role::Backup] {
        if let Ok(line) = CommandLine::complete(role, &image.version, facts, image) {
            assert!(line.text.len() <= image.cmdline_max);
        }
    }
}
