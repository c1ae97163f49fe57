//! Changes to built ELF files: leaving out what a boot does not need, and spoiling an image for a test.

use std::ops::Range;

use elf::ElfBytes;
use elf::abi::PT_LOAD;
use elf::endian::LittleEndian;
use elf::segment::ProgramHeader;

use crate::problem::Problem;

/// Offsets of fields in the header of a 64-bit ELF file (ELF-64 Object File Format, 2: ELF Header).
const SECTION_TABLE_OFFSET: Range<usize> = 0x28..0x30;
const SECTION_TABLE_SHAPE: Range<usize> = 0x3a..0x40;

/// `cli; 1: jmp 1b`
const HANG: [u8; 3] = [0xfa, 0xeb, 0xfe];

/// Strips sections, symbols and debug information: what is left is what a loader reads.
///
/// # Errors
/// It is no ELF file with program headers.
pub fn stripped(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let elf = parse(bytes)?;
    let header = &elf.ehdr;
    let table_end = header.e_phoff + u64::from(header.e_phnum) * u64::from(header.e_phentsize);
    let ends = program_headers(&elf)?
        .into_iter()
        .map(|segment| segment.p_offset + segment.p_filesz);
    let end = ends.chain([table_end]).max().unwrap_or(table_end);
    let kept = usize::try_from(end).ok().and_then(|end| bytes.get(..end));
    let mut kept = kept
        .ok_or_else(|| broken("a segment passes the end of the file"))?
        .to_vec();
    for field in [SECTION_TABLE_OFFSET, SECTION_TABLE_SHAPE] {
        kept[field].fill(0);
    }
    Ok(kept)
}

/// Replaces the first instructions by an endless loop with interrupts off: the image is whole and does not boot.
///
/// # Errors
/// It is no ELF file whose entry point lies in a segment.
pub fn hanging_at_entry(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let elf = parse(bytes)?;
    let entry = elf.ehdr.e_entry;
    let offset = program_headers(&elf)?
        .into_iter()
        .filter(|segment| segment.p_type == PT_LOAD)
        .find_map(|segment| {
            let offset = entry
                .checked_sub(segment.p_vaddr)
                .filter(|offset| *offset < segment.p_filesz)?;
            usize::try_from(segment.p_offset + offset).ok()
        });
    let mut hanging = bytes.to_vec();
    let place = offset.and_then(|offset| hanging.get_mut(offset..offset + HANG.len()));
    place
        .ok_or_else(|| broken("its entry point is in no segment"))?
        .copy_from_slice(&HANG);
    Ok(hanging)
}

/// Returns the physical memory that a boot loader gives to the file, in whole pages.
///
/// # Errors
/// It is no ELF file with something to load.
pub fn physical_range(bytes: &[u8]) -> Result<partition::Range, Problem> {
    const PAGE_BYTES: u64 = 4096;
    let elf = parse(bytes)?;
    let loaded: Vec<_> = program_headers(&elf)?
        .into_iter()
        .filter(|segment| segment.p_type == PT_LOAD)
        .collect();
    let start = loaded.iter().map(|segment| segment.p_paddr).min();
    let end = loaded
        .iter()
        .map(|segment| (segment.p_paddr + segment.p_memsz).next_multiple_of(PAGE_BYTES))
        .max();
    match (start, end) {
        (Some(start), Some(end)) => Ok(partition::Range::new(start, end)),
        _ => Err(broken("it has nothing to load")),
    }
}

fn parse(bytes: &[u8]) -> Result<ElfBytes<'_, LittleEndian>, Problem> {
    ElfBytes::minimal_parse(bytes).map_err(broken)
}

fn program_headers(elf: &ElfBytes<'_, LittleEndian>) -> Result<Vec<ProgramHeader>, Problem> {
    let headers = elf
        .segments()
        .ok_or_else(|| broken("it has no program headers"))?;
    Ok(headers.iter().collect())
}

fn broken(reason: impl std::fmt::Display) -> Problem {
    Problem::of_host("ELF file", reason)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Makes the smallest instance: a note, one segment of code at 0x1000, `debug` behind it, one empty section.
    pub(crate) fn instance(debug: &[u8]) -> Vec<u8> {
        const ENTRY: u64 = 0xffff_ffff_8000_1000 + 16;
        let mut note = Vec::new();
        for word in [11u32, 8 + 8, 1] {
            note.extend(word.to_le_bytes());
        }
        note.extend(b"Understudy\0\0");
        for word in [
            sharedmem::abi::ABI_REVISION,
            sharedmem::abi::JOURNAL_REVISION,
        ] {
            note.extend(word.to_le_bytes());
        }
        note.extend(b"0.1.0\0\0\0");

        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        for half in [2u16, 62] {
            file.extend(half.to_le_bytes());
        }
        file.extend(1u32.to_le_bytes());
        for word in [ENTRY, 64, 0x1100 + debug.len() as u64] {
            file.extend(word.to_le_bytes());
        }
        file.extend(0u32.to_le_bytes());
        // Sizes of this header, of a program header and their number, of a section header and their number; names.
        for half in [64u16, 56, 2, 64, 1, 0] {
            file.extend(half.to_le_bytes());
        }
        let mut segment = |kind: u32, flags: u32, offset: u64, memory: u64, size: u64| {
            for word in [kind, flags] {
                file.extend(word.to_le_bytes());
            }
            for word in [offset, memory, memory & 0xffff_ffff, size, size, 4] {
                file.extend(word.to_le_bytes());
            }
        };
        segment(4, 4, 0x200, 0xffff_ffff_8000_0200, note.len() as u64);
        segment(1, 5, 0x1000, 0xffff_ffff_8000_1000, 0x100);
        file.resize(0x200, 0);
        file.extend(note);
        file.resize(0x1000, 0);
        file.resize(0x1100, 0x90);
        file.extend(debug);
        file.extend([0; 64]);
        file
    }

    #[test]
    fn a_stripped_image_is_the_same_image() {
        let full = instance(&[0xdd; 500]);
        let small = stripped(&full).unwrap();
        assert_eq!(small.len(), 0x1100);
        let parse = |bytes| partition::Image::parse("i", bytes).unwrap();
        assert_eq!(parse(&small), parse(&full));
        assert_eq!(
            ElfBytes::<LittleEndian>::minimal_parse(&small)
                .unwrap()
                .ehdr
                .e_shoff,
            0
        );
    }

    #[test]
    fn a_hanging_image_hangs_at_its_entry_and_differs_in_nothing_else() {
        let good = instance(&[]);
        let bad = hanging_at_entry(&good).unwrap();
        let differing: Vec<usize> = (0..good.len()).filter(|at| good[*at] != bad[*at]).collect();
        assert_eq!(differing, [0x1010, 0x1011, 0x1012]);
        assert_eq!(bad[0x1010..0x1013], [0xfa, 0xeb, 0xfe]);
        partition::Image::parse("i", &bad).unwrap();
    }

    #[test]
    fn the_physical_range_is_in_whole_pages() {
        let range = physical_range(&instance(&[])).unwrap();
        assert_eq!((range.start, range.end), (0x8000_1000, 0x8000_2000));
    }

    #[test]
    fn what_is_no_elf_file_is_refused() {
        assert!(matches!(
            stripped(b"#!/bin/sh"),
            Err(Problem::BrokenSetUp(_))
        ));
        assert!(hanging_at_entry(&instance(&[])[..0x80]).is_err());
        assert!(stripped(&instance(&[])[..0x1050]).is_err());
        assert!(physical_range(b"").is_err());
        // Its entry point lies behind its one segment.
        let mut elsewhere = instance(&[]);
        elsewhere[0x19] = 0x11;
        assert!(hanging_at_entry(&elsewhere).is_err());
    }
}
