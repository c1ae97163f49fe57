//! Why an image is refused.

use alloc::string::String;
use core::fmt;

use sharedmem::Revisions;

use super::WINDOW;
use crate::files::NotFound;

/// An image that is refused: which, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageError {
    /// Its path.
    pub path: String,
    /// What is wrong with it.
    pub problem: ImageProblem,
}

/// What can be wrong with an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageProblem {
    /// There is no such file.
    NotFound(NotFound),
    /// The file's CRC-32C is not that of the file beside it.
    Damaged {
        /// Of the bytes there are.
        found: u32,
        /// As the file beside it says.
        expected: u32,
    },
    /// The file with the checksum does not hold one.
    BadChecksumFile,
    /// Something else, named.
    Content(String),
    /// An ELF that cannot be read, with the parser's words.
    Elf(String),
    /// An ELF for another machine.
    Foreign,
    /// An ELF that is not an instance.
    NoNote,
    /// The instance's note cannot be read.
    BadNote,
    /// An instance that is not linked at a fixed address.
    NotExecutable,
    /// It has no program headers.
    NoSegments,
    /// It has so many program headers.
    TooManySegments(usize),
    /// The program header of this number lies outside of [`WINDOW`].
    Window(usize),
    /// The program header of this number, and what is wrong with it.
    Segment(usize, &'static str),
    /// The segments at these addresses overlap.
    Overlap(u64, u64),
    /// The segments at these addresses share a page but not the protection.
    SharedPage(u64, u64),
    /// The entry point lies in no executable segment.
    Entry(u64),
    /// It was built with other revisions.
    Revisions {
        /// The image's.
        found: Revisions,
        /// The ones this kernel speaks.
        expected: Revisions,
    },
}

impl ImageError {
    pub(super) fn new(path: &str, problem: ImageProblem) -> Self {
        Self {
            path: path.into(),
            problem,
        }
    }
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.problem {
            ImageProblem::NotFound(lost) => lost.fmt(f),
            ImageProblem::Damaged { found, expected } => write!(
                f,
                "damaged: its CRC-32C is {found:08x}, {}.crc32c says {expected:08x}",
                self.path
            ),
            ImageProblem::BadChecksumFile => write!(
                f,
                "cannot be checked: {}.crc32c does not hold eight hexadecimal digits",
                self.path
            ),
            ImageProblem::Content(what) => {
                write!(
                    f,
                    "not a kernel image but {what}; should be an ELF instance"
                )
            }
            ImageProblem::Elf(words) => write!(f, "a damaged ELF file: {words}"),
            ImageProblem::Foreign => {
                f.write_str("an ELF file, but not for 64-bit little-endian x86-64")
            }
            ImageProblem::NoNote => {
                f.write_str("an ELF file, but no instance: it has no note \"Understudy\"")
            }
            ImageProblem::BadNote => {
                f.write_str("damaged: its note \"Understudy\" should be two numbers and a text")
            }
            ImageProblem::NotExecutable => f.write_str(
                "not linked at a fixed address; link it static and without PIE (ET_EXEC)",
            ),
            ImageProblem::NoSegments => f.write_str("has nothing to load"),
            ImageProblem::TooManySegments(count) => {
                write!(f, "has {count} program headers; at most 64 are read")
            }
            ImageProblem::Segment(index, what) => write!(f, "program header {index} {what}"),
            ImageProblem::Window(index) => write!(
                f,
                "program header {index} lies outside of {WINDOW}, where instances are linked"
            ),
            ImageProblem::Overlap(low, high) => {
                write!(f, "the segments at {low:#x} and {high:#x} overlap")
            }
            ImageProblem::SharedPage(low, high) => write!(
                f,
                "the segments at {low:#x} and {high:#x} share a page but not the protection"
            ),
            ImageProblem::Entry(entry) => {
                write!(f, "the entry point {entry:#x} is in no executable segment")
            }
            ImageProblem::Revisions { found, expected } => {
                write!(f, "built with {found}; this machine speaks {expected}")
            }
        }
    }
}

impl core::error::Error for ImageError {}
