//! What a stock Linux needs to be booted beside another kernel: its image, where it goes, its memory map and boot
//! parameters, its command line, and its copies of the ACPI tables. Bytes in, bytes out; who puts them into memory is
//! the monitor.

pub mod acpi;
pub mod boot;
pub mod boot_params;
pub mod bzimage;
pub mod command_line;
pub mod layout;
pub mod memory_map;
mod words;

use alloc::string::{String, ToString};
use core::fmt;

pub use acpi::{TableFacts, Tables};
pub use boot::{Files, LinuxBoot};
pub use boot_params::BootParams;
pub use bzimage::BzImage;
pub use command_line::CommandLine;
pub use layout::Layout;
pub use memory_map::{E820, MapKind};

use crate::cmdline::{ImageOptions, Options};
use crate::files::NotFound;
use crate::refusal::Refusal;

/// Why a Linux cannot be booted as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinuxError {
    /// The image is damaged or not a bzImage: what is wrong.
    Image(String),
    /// The image cannot be booted this way: why not.
    Unsuited(String),
    /// The slot is too small: bytes needed in one piece below 4 GiB, bytes there.
    TooSmall {
        /// What kernel, initrd and room to work take.
        needed_bytes: u64,
        /// The largest piece there is.
        there_bytes: u64,
    },
    /// The memory map has more entries than a kernel takes.
    MapTooLong(usize),
    /// The command line is longer than the kernel takes: its bytes, the limit.
    LineTooLong(usize, usize),
    /// A word of the command line that would break the other kernel: the word, why.
    Word(String, &'static str),
    /// The ACPI tables do not fit the room kept for them: their bytes.
    TablesTooLong(usize),
    /// The kernel is missing.
    NoKernel(NotFound),
    /// The initrd is missing.
    NoInitrd(NotFound),
    /// The plan has no slot for it.
    NoSlot,
    /// The plan was made for another kind of image: it has no memory below 1 MiB for it.
    NoLowMemory,
}

impl LinuxError {
    /// Returns the refusal of the option that this is about, for the image that `options` name.
    pub fn refuse(&self, image: ImageOptions<'_>, options: &Options) -> Refusal {
        let option = match self {
            Self::Word(..) | Self::LineTooLong(..) => image.name("cmdline"),
            Self::NoInitrd(_) => image.name("initrd"),
            _ => image.name("kernel"),
        };
        let given = options.as_given(&option);
        Refusal::new(option, given, self.to_string(), "")
    }
}

impl fmt::Display for LinuxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        match self {
            Self::Image(what) => write!(f, "not a sound Linux image: {what}"),
            Self::Unsuited(why) => write!(f, "a Linux that cannot be booted here: {why}"),
            Self::TooSmall {
                needed_bytes,
                there_bytes,
            } => write!(
                f,
                "it needs {} MiB in one piece below 4 GiB, its slot has {} MiB; failover_mem={}M would work",
                mib(*needed_bytes),
                mib(*there_bytes),
                mib(*needed_bytes)
            ),
            Self::MapTooLong(entries) => write!(
                f,
                "its memory map would have {entries} entries, a kernel takes {}",
                boot_params::E820_MAX
            ),
            Self::LineTooLong(bytes, limit) => write!(
                f,
                "its command line has {bytes} bytes, the kernel takes {limit}; shorten primary_cmdline or \
                 failover_cmdline"
            ),
            Self::Word(word, why) => write!(f, "{word} on its command line: {why}; leave it out"),
            Self::TablesTooLong(bytes) => {
                write!(f, "its ACPI tables would take {bytes} bytes, too many")
            }
            Self::NoKernel(missing) | Self::NoInitrd(missing) => missing.fmt(f),
            Self::NoSlot => f.write_str("the plan has no slot for it"),
            Self::NoLowMemory => f.write_str(
                "the plan has no memory below 1 MiB for it, as it was made for another kind of image",
            ),
        }
    }
}

impl core::error::Error for LinuxError {}
