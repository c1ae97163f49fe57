//! Kernel images: recognised by content, checked before a byte of them is loaded.

mod error;
#[cfg(test)]
pub(crate) mod tests;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use elf::ElfBytes;
use elf::abi;
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::note::Note;
use elf::segment::ProgramHeader;

pub use error::{ImageError, ImageProblem};

use compute_slice::SLICE_NOTE_TYPE;
use sharedmem::Revisions;
use sharedmem::abi::{IMAGE_BASE, NOTE_NAME, NOTE_TYPE};

use crate::content;
use crate::files::BootFiles;
use crate::range::Range;

/// Where an instance is linked: the top 2 GiB less the last GiB.
pub const WINDOW: Range = Range::new(IMAGE_BASE, IMAGE_BASE + (1 << 30));

/// The most program headers an image may have; every pair of segments is compared.
const PROGRAM_HEADERS_MAX: usize = 64;

const PAGE_BYTES: u64 = 4096;

/// A part of an image with one protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Virtual address of its first byte.
    pub virt: u64,
    /// Its bytes in the file; what is missing to `mem_size` is zero.
    pub file_range: core::ops::Range<usize>,
    /// Bytes in memory.
    pub mem_size: u64,
    /// Whether it may be written.
    pub writable: bool,
    /// Whether it may be executed. Never both.
    pub executable: bool,
}

impl Segment {
    /// Returns its virtual addresses.
    pub fn range(&self) -> Range {
        Range::new(self.virt, self.virt + self.mem_size)
    }

    /// Returns the 4 KiB pages it touches.
    pub fn pages(&self) -> Range {
        let start = self.virt & !(PAGE_BYTES - 1);
        // No overflow: the segment ends inside WINDOW.
        let end = self.range().end.next_multiple_of(PAGE_BYTES);
        Range::new(start, end)
    }
}

/// An instance image that was found sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where it was.
    pub path: String,
    /// Virtual address of its entry point.
    pub entry: u64,
    /// Its segments, by rising address, disjoint; those of different protection share no page.
    pub segments: Vec<Segment>,
    /// Revisions it was built with.
    pub revisions: Revisions,
    /// Its version, for people.
    pub version: String,
}

impl Image {
    /// Finds the image at `path` and checks it, its checksum first: if there is a file `PATH.crc32c`, its eight
    /// hexadecimal digits must be the CRC-32C of the image.
    ///
    /// # Errors
    /// It is not there, damaged, or no instance image.
    pub fn load<'a>(files: &BootFiles<'a>, path: &str) -> Result<(Self, &'a [u8]), ImageError> {
        Self::load_of_type(files, path, NOTE_TYPE)
    }

    /// Does the same for the image of a compute slice, whose note has another type. Its revision is that of the slice's
    /// layout, in the place of the ABI's.
    ///
    /// # Errors
    /// It is not there, damaged, or no compute image.
    pub fn load_slice<'a>(
        files: &BootFiles<'a>,
        path: &str,
    ) -> Result<(Self, &'a [u8]), ImageError> {
        Self::load_of_type(files, path, SLICE_NOTE_TYPE)
    }

    fn load_of_type<'a>(
        files: &BootFiles<'a>,
        path: &str,
        note_type: u32,
    ) -> Result<(Self, &'a [u8]), ImageError> {
        let refuse = |problem| ImageError::new(path, problem);
        let bytes = files
            .find(path)
            .map_err(|lost| refuse(ImageProblem::NotFound(lost)))?;
        if let Ok(expected) = files.find(&format!("{path}.crc32c")) {
            check_crc32c(bytes, expected).map_err(refuse)?;
        }
        let image = parse(path, bytes, note_type).map_err(refuse)?;
        Ok((image, bytes))
    }

    /// Checks an image.
    ///
    /// # Errors
    /// It is damaged, or something else, which is named.
    pub fn parse(path: &str, bytes: &[u8]) -> Result<Self, ImageError> {
        parse(path, bytes, NOTE_TYPE).map_err(|problem| ImageError::new(path, problem))
    }

    /// Checks that the image was built with the `expected` revisions.
    ///
    /// # Errors
    /// It was not; names all four numbers.
    pub fn check_revisions(&self, expected: Revisions) -> Result<(), ImageError> {
        let found = self.revisions;
        if found == expected {
            return Ok(());
        }
        let problem = ImageProblem::Revisions { found, expected };
        Err(ImageError::new(&self.path, problem))
    }

    /// Returns the size from the first page to the last one in bytes, gaps included.
    pub fn size_bytes(&self) -> u64 {
        match (self.segments.first(), self.segments.last()) {
            (Some(first), Some(last)) => last.pages().end - first.pages().start,
            _ => 0,
        }
    }
}

fn parse(path: &str, bytes: &[u8], note_type: u32) -> Result<Image, ImageProblem> {
    if !bytes.starts_with(&abi::ELFMAGIC) {
        return Err(ImageProblem::Content(content::describe(bytes)));
    }
    check_identity(bytes)?;
    let elf = ElfBytes::<LittleEndian>::minimal_parse(bytes)
        .map_err(|error| ImageProblem::Elf(error.to_string()))?;
    if elf.ehdr.class != Class::ELF64 || elf.ehdr.e_machine != abi::EM_X86_64 {
        return Err(ImageProblem::Foreign);
    }
    let headers = elf.segments().ok_or(ImageProblem::NoSegments)?;
    if headers.len() > PROGRAM_HEADERS_MAX {
        return Err(ImageProblem::TooManySegments(headers.len()));
    }
    // Before anything else that can be wrong with it: any other program on the machine ends here.
    let (revisions, version) = find_note(&elf, note_type)?;
    if elf.ehdr.e_type != abi::ET_EXEC {
        return Err(ImageProblem::NotExecutable);
    }
    let mut segments = headers
        .iter()
        .enumerate()
        .filter(|(_, header)| header.p_type == abi::PT_LOAD && header.p_memsz > 0)
        .map(|(index, header)| segment(index, &header, bytes.len()))
        .collect::<Result<Vec<Segment>, ImageProblem>>()?;
    segments.sort_by_key(|segment| segment.virt);
    check_neighbours(&segments)?;

    let entry = elf.ehdr.e_entry;
    let is_inside =
        |part: &Segment| part.executable && part.range().start <= entry && entry < part.range().end;
    if !segments.iter().any(is_inside) {
        return Err(ImageProblem::Entry(entry));
    }
    Ok(Image {
        path: path.into(),
        entry,
        segments,
        revisions,
        version,
    })
}

/// Refuses what the parser would report less clearly: a 32-bit or big-endian file.
fn check_identity(bytes: &[u8]) -> Result<(), ImageProblem> {
    match bytes.get(abi::EI_CLASS..=abi::EI_DATA) {
        Some([abi::ELFCLASS64, abi::ELFDATA2LSB]) => Ok(()),
        Some(_) => Err(ImageProblem::Foreign),
        None => Err(ImageProblem::Elf("cut off in its header".into())),
    }
}

fn find_note(
    elf: &ElfBytes<'_, LittleEndian>,
    note_type: u32,
) -> Result<(Revisions, String), ImageProblem> {
    for header in elf.segments().iter().flat_map(|table| table.iter()) {
        if header.p_type != abi::PT_NOTE {
            continue;
        }
        let notes = elf
            .segment_data_as_notes(&header)
            .map_err(|error| ImageProblem::Elf(error.to_string()))?;
        for note in notes {
            if let Note::Unknown(note) = note
                && note.n_type == u64::from(note_type)
                && note.name_str().is_ok_and(|name| name == NOTE_NAME)
            {
                return read_note(note.desc).ok_or(ImageProblem::BadNote);
            }
        }
    }
    Err(ImageProblem::NoNote)
}

fn read_note(descriptor: &[u8]) -> Option<(Revisions, String)> {
    let (revisions, version) = descriptor.split_first_chunk()?;
    let version = core::str::from_utf8(version).ok()?.trim_end_matches('\0');
    let sensible = version.len() <= 128 && !version.chars().any(char::is_control);
    // The ABI revision comes first.
    let revisions = Revisions::from_word(u64::from_le_bytes(*revisions));
    sensible.then(|| (revisions, version.into()))
}

fn segment(
    index: usize,
    header: &ProgramHeader,
    file_bytes: usize,
) -> Result<Segment, ImageProblem> {
    let refuse = |what| ImageProblem::Segment(index, what);
    let memory = Range::sized(header.p_vaddr, header.p_memsz);
    if !memory.is_some_and(|memory| WINDOW.contains(memory)) {
        return Err(ImageProblem::Window(index));
    }
    if header.p_filesz > header.p_memsz {
        return Err(refuse("is larger in the file than in memory"));
    }
    let file_range = Range::sized(header.p_offset, header.p_filesz)
        .filter(|range| range.end <= file_bytes as u64)
        .ok_or(refuse("passes the end of the file"))?;
    let writable = header.p_flags & abi::PF_W != 0;
    let executable = header.p_flags & abi::PF_X != 0;
    if writable && executable {
        return Err(refuse("is both writable and executable"));
    }
    Ok(Segment {
        virt: header.p_vaddr,
        file_range: file_range.start as usize..file_range.end as usize,
        mem_size: header.p_memsz,
        writable,
        executable,
    })
}

/// Checks that each page has one content and one protection, as the loader gives it.
fn check_neighbours(segments: &[Segment]) -> Result<(), ImageProblem> {
    for pair in segments.windows(2) {
        let (low, high) = (&pair[0], &pair[1]);
        if low.range().end > high.virt {
            return Err(ImageProblem::Overlap(low.virt, high.virt));
        }
        let protection = |segment: &Segment| (segment.writable, segment.executable);
        if low.pages().end > high.pages().start && protection(low) != protection(high) {
            return Err(ImageProblem::SharedPage(low.virt, high.virt));
        }
    }
    Ok(())
}

const CRC32C: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);

/// Returns the CRC-32C (Castagnoli, as in iSCSI) of `bytes`, which the file beside an image holds as eight hexadecimal
/// digits.
pub fn crc32c(bytes: &[u8]) -> u32 {
    CRC32C.checksum(bytes)
}

/// Returns the same without a table, slowly. A flipped bit in the table of [`crc32c`] condemns no image.
fn crc32c_bitwise(bytes: &[u8]) -> u32 {
    const BITWISE: crc::Crc<u32, crc::NoTable> =
        crc::Crc::<u32, crc::NoTable>::new(&crc::CRC_32_ISCSI);
    BITWISE.checksum(bytes)
}

fn check_crc32c(bytes: &[u8], expected: &[u8]) -> Result<(), ImageProblem> {
    let digits = core::str::from_utf8(expected).unwrap_or_default().trim();
    let is_checksum = digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let expected = u32::from_str_radix(digits, 16)
        .ok()
        .filter(|_| is_checksum)
        .ok_or(ImageProblem::BadChecksumFile)?;
    check_against(expected, bytes, crc32c)
}

/// Checks the checksum of `bytes` in the `fast` way, and before it refuses them, in another way.
fn check_against(
    expected: u32,
    bytes: &[u8],
    fast: impl Fn(&[u8]) -> u32,
) -> Result<(), ImageProblem> {
    if fast(bytes) == expected {
        return Ok(());
    }
    match crc32c_bitwise(bytes) {
        found if found == expected => Ok(()),
        found => Err(ImageProblem::Damaged { found, expected }),
    }
}
