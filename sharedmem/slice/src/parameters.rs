//! What the monitor tells a compute slice before it enters it.

use core::fmt;

use super::{SLICE_CONTROL_BYTES, SLICE_REVISION};
use sharedmem::abi::MAX_CORES;
use sharedmem::layout;
use sharedmem::plain_text::PlainText;
use sharedmem::slice::SliceEntry;
use sharedmem::sync::AtomicU64;
use sharedmem::sync::Ordering::Relaxed;

/// Magic number of a slice: "UNDRCOMP".
pub const SLICE_MAGIC: u64 = u64::from_le_bytes(*b"UNDRCOMP");

/// Smallest amount of data memory of a slice, in bytes.
const DATA_BYTES_MIN: u64 = 64 << 10;

/// The name of a slice.
pub type SliceName = PlainText<4>;

/// The arguments of a computation: its solver and what that takes, as in `cg n=32 steps=50`.
pub type SliceArguments = PlainText<64>;

/// The hand-off, in words.
#[repr(C)]
#[derive(Debug, Default)]
pub struct SliceHandOff {
    /// [`SLICE_MAGIC`], stored last.
    pub(super) magic: AtomicU64,
    revision: AtomicU64,
    slice_bytes: AtomicU64,
    ranks: AtomicU64,
    generation: AtomicU64,
    entry: AtomicU64,
    data_start: AtomicU64,
    tsc_hz: AtomicU64,
    tsc_at_boot: AtomicU64,
    /// The slice's name.
    pub name: SliceName,
    /// The computation's arguments.
    pub arguments: SliceArguments,
}

layout!(
    SliceHandOff: magic,
    revision,
    slice_bytes,
    ranks,
    generation,
    entry,
    data_start,
    tsc_hz,
    tsc_at_boot,
    name,
    arguments,
);

/// The numbers of a hand-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceParameters {
    /// Bytes of the whole slice.
    pub slice_bytes: u64,
    /// Number of ranks, each on a core of its own.
    pub ranks: u64,
    /// Number of this entry; larger than that of every entry before.
    pub generation: u64,
    /// What to do with the data that is there.
    pub entry: SliceEntry,
    /// Where the data begins, in bytes from the beginning of the slice. It is a multiple of 4096.
    pub data_start: u64,
    /// Frequency of the time-stamp counter, in Hz.
    pub tsc_hz: u64,
    /// The counter's value at the machine's boot: time 0.
    pub tsc_at_boot: u64,
}

impl SliceParameters {
    /// Checks that they can be true of a slice of `slice_bytes` bytes.
    ///
    /// # Errors
    /// What cannot.
    pub fn check(&self, slice_bytes: u64) -> Result<(), SliceError> {
        if self.slice_bytes != slice_bytes {
            return Err(SliceError::Bytes(self.slice_bytes));
        }
        if !(1..=MAX_CORES as u64).contains(&self.ranks) {
            return Err(SliceError::Ranks(self.ranks));
        }
        let is_inside = (SLICE_CONTROL_BYTES..=slice_bytes).contains(&self.data_start)
            && slice_bytes - self.data_start >= DATA_BYTES_MIN;
        if !is_inside || !self.data_start.is_multiple_of(4096) {
            return Err(SliceError::Data(self.data_start));
        }
        if self.generation == 0 || self.generation >> 32 != 0 {
            return Err(SliceError::Generation(self.generation));
        }
        Ok(())
    }

    /// Returns the length of the data, in bytes.
    pub const fn data_bytes(&self) -> u64 {
        self.slice_bytes.saturating_sub(self.data_start)
    }
}

impl SliceHandOff {
    /// Writes everything but the magic number.
    pub(super) fn fill(&self, parameters: &SliceParameters, name: &str, arguments: &str) {
        let values = [
            SLICE_REVISION.into(),
            parameters.slice_bytes,
            parameters.ranks,
            parameters.generation,
            parameters.entry.number(),
            parameters.data_start,
            parameters.tsc_hz,
            parameters.tsc_at_boot,
        ];
        for (word, value) in self.words().into_iter().zip(values) {
            word.store(value, Relaxed);
        }
        self.name.set(name);
        self.arguments.set(arguments);
    }

    /// Reads the numbers.
    pub(super) fn read(&self) -> Result<SliceParameters, SliceError> {
        let [
            revision,
            slice_bytes,
            ranks,
            generation,
            entry,
            data_start,
            tsc_hz,
            tsc_at_boot,
        ] = self.words().map(|word| word.load(Relaxed));
        if revision != SLICE_REVISION.into() {
            return Err(SliceError::Revision(revision));
        }
        let Some(entry) = SliceEntry::from_number(entry) else {
            return Err(SliceError::Entry(entry));
        };
        Ok(SliceParameters {
            slice_bytes,
            ranks,
            generation,
            entry,
            data_start,
            tsc_hz,
            tsc_at_boot,
        })
    }

    fn words(&self) -> [&AtomicU64; 8] {
        [
            &self.revision,
            &self.slice_bytes,
            &self.ranks,
            &self.generation,
            &self.entry,
            &self.data_start,
            &self.tsc_hz,
            &self.tsc_at_boot,
        ]
    }
}

/// Why something is not a compute slice that this build can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceError {
    /// There is no slice here. Holds what was read in place of the magic number.
    Magic(u64),
    /// It has another revision, this one.
    Revision(u64),
    /// It says that it has this many bytes, which it has not.
    Bytes(u64),
    /// It says that it has this many ranks.
    Ranks(u64),
    /// It says that its data begins here, which is not in it.
    Data(u64),
    /// It has this number as its generation.
    Generation(u64),
    /// It has this number as a [`SliceEntry`].
    Entry(u64),
    /// A name or an argument is too long or not printable ASCII.
    Text,
}

impl fmt::Display for SliceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic(magic) => write!(f, "no compute slice: the magic number is {magic:#x}"),
            Self::Revision(found) => write!(
                f,
                "a compute slice of revision {found}; this build has revision {SLICE_REVISION}"
            ),
            Self::Bytes(bytes) => write!(f, "the slice is said to have {bytes} bytes"),
            Self::Ranks(ranks) => write!(f, "{ranks} ranks: there can be 1 to {MAX_CORES}"),
            Self::Data(start) => write!(f, "the data is said to begin at {start:#x}"),
            Self::Generation(number) => write!(f, "{number:#x} is no generation"),
            Self::Entry(number) => write!(f, "{number:#x} is no kind of entry"),
            Self::Text => write!(
                f,
                "a name is at most {} bytes of printable ASCII, arguments are at most {}",
                SliceName::BYTES,
                SliceArguments::BYTES
            ),
        }
    }
}

impl core::error::Error for SliceError {}
