//! Why an image is not used.

use core::fmt;

use arch::paging::MapError;
use integrity::WalkError;
use partition::Kind;
use partition::archive::ArchiveError;
use partition::image::ImageError;
use partition::linux::LinuxError;

/// Why an image is not used.
#[derive(Debug)]
pub enum Refusal {
    /// The boot loader gave no boot archive.
    NoArchive,
    /// The boot archive cannot be read.
    Archive(ArchiveError),
    /// The native image cannot be used.
    Native(ImageError),
    /// The Linux cannot be booted.
    Linux(LinuxError),
    /// The staged command line is not UTF-8.
    StagedLine,
    /// An image that was uploaded or staged, which cannot be of this kind.
    WrongKind(&'static Kind),
    /// The page tables do not suffice to look at this.
    Window(&'static str, MapError),
    /// The instance's page tables cannot be made.
    Tables(MapError),
    /// The instance's page tables cannot be looked after.
    PageTables(WalkError),
    /// The slice is too small: bytes needed at its start, bytes there.
    TooSmall(u64, u64),
    /// A computation cannot go on: where its data begins, and where that of the image would.
    OtherData(u64, u64),
    /// The uploaded image is not in the primary's memory.
    Outside,
    /// The uploaded image is too large: its bytes, bytes there is room for.
    TooLarge(u64, u64),
    /// One of the instances is of a kind beside which nothing can be uploaded.
    NoUploads(&'static Kind),
}

impl From<ImageError> for Refusal {
    fn from(error: ImageError) -> Self {
        Self::Native(error)
    }
}

impl From<LinuxError> for Refusal {
    fn from(error: LinuxError) -> Self {
        Self::Linux(error)
    }
}

impl From<ArchiveError> for Refusal {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: u64| bytes.div_ceil(1024);
        match self {
            Self::NoArchive => f.write_str("the boot loader gave no boot archive"),
            Self::Archive(error) => error.fmt(f),
            Self::Native(error) => error.fmt(f),
            Self::Linux(error) => error.fmt(f),
            Self::StagedLine => f.write_str("the staged command line is not UTF-8"),
            Self::WrongKind(kind) => write!(f, "it cannot be loaded as a {kind} image"),
            Self::Window(what, error) => write!(f, "no page tables for {what}: {error:?}"),
            Self::Tables(error) => write!(f, "its page tables cannot be made: {error:?}"),
            Self::PageTables(error) => write!(f, "its page tables cannot be right: {error}"),
            Self::OtherData(found, expected) => write!(
                f,
                "the data of the computation begins at {found:#x}, and that of this image would at {expected:#x}; \
                 nothing was touched, and a start begins anew"
            ),
            Self::TooSmall(needed_bytes, bytes) => write!(
                f,
                "it needs {} KiB at the start of its slice, which has {} KiB",
                kib(*needed_bytes),
                bytes / 1024
            ),
            Self::Outside => f.write_str("the image is not in the primary's memory"),
            Self::TooLarge(bytes, room_bytes) => write!(
                f,
                "the image has {} KiB; there is room for {} KiB",
                kib(*bytes),
                room_bytes / 1024
            ),
            Self::NoUploads(kind) => write!(f, "beside a {kind} no native image can be loaded"),
        }
    }
}
