//! Constants of the contract between kernels: revisions, sizes, vectors, entry reasons.

/// Revision of every layout in this crate. Raised by any change that an image of the previous revision could misread.
pub const ABI_REVISION: u32 = 5;

/// Revision of the journal's record format.
pub const JOURNAL_REVISION: u32 = 1;

/// Kind of a journal record that holds input of the native service.
pub const RECORD_KIND_INPUT: u16 = 1;

/// Kind of a journal record that a program of a Linux appended through `/dev/understudy`.
pub const RECORD_KIND_APPLICATION: u16 = 2;

/// Kind of a journal record that tells of a connection of the native service.
pub const RECORD_KIND_CONNECTION: u16 = 3;

/// Kind of a journal record that holds what a native primary knows of itself and of its backup, of which replies are made.
pub const RECORD_KIND_STATUS: u16 = 4;

/// Kind of a journal record in which a native primary tells a new backup its state.
pub const RECORD_KIND_CHECKPOINT: u16 = 5;

/// Kind of a journal record with which a new native owner begins its part of the journal. It has no payload: its epoch is what it says.
pub const RECORD_KIND_EPOCH: u16 = 6;

/// Set in the kind of a journal record that stopped two owners: input is answered with an error, anything else is passed over.
pub const RECORD_SKIPPED: u16 = 1 << 15;

/// The most cores a machine may have here; arrays per core have this length.
pub const MAX_CORES: usize = 32;

/// Size of the control block at the start of the shared region, in bytes; the journal's ring follows it.
pub const CONTROL_BYTES: usize = 2 << 20;

/// Vector of the keepalive that the primary sends to the seat.
pub const VECTOR_KEEPALIVE_TO_SEAT: u8 = 0x40;

/// Vector of a dying primary's last word to the seat: read my epitaph.
pub const VECTOR_EPITAPH: u8 = 0x41;

/// Vector of the keepalive that the seat sends to the primary's first core.
pub const VECTOR_KEEPALIVE_TO_PRIMARY: u8 = 0x42;

/// Where an instance image is linked, and where the loader maps it.
pub const IMAGE_BASE: u64 = 0xffff_ffff_8000_0000;

/// An instance sees physical address `p` of its slice, of the shared region and of its devices at `DIRECT_BASE + p`.
pub const DIRECT_BASE: u64 = 0xffff_8000_0000_0000;

/// Stacks are mapped from here, one [`STACK_STRIDE`] apart, so that an unmapped page lies below each.
pub const STACK_BASE: u64 = 0xffff_ff00_0000_0000;

/// Distance from one core's stack to the next, in bytes.
pub const STACK_STRIDE: u64 = 0x4_0000;

/// Mapped bytes of each core's stack; they end at the end of its stride.
pub const STACK_BYTES: u64 = 0x2_0000;

/// Number of the stack an instance runs on when it is called on the seat.
pub const SEAT_STACK: usize = MAX_CORES;

/// The top of a core's stack in an instance's address space.
pub const fn stack_top(core: usize) -> u64 {
    STACK_BASE + (core as u64 + 1) * STACK_STRIDE
}

/// Why an instance is entered; the first argument of its entry point.
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryReason {
    /// First core of the primary, cold. Does not return.
    StartPrimary = 1,
    /// A further core of the owner. Does not return.
    JoinCore = 2,
    /// Get ready to wait, on the seat. Returns a [`SeatStatus`].
    SeatInit = 3,
    /// Apply what the journal holds, on the seat. Returns a [`SeatStatus`].
    SeatStep = 4,
    /// Become the primary, on a freed core. Does not return.
    Promote = 5,
}

impl EntryReason {
    /// The reason behind the number, if there is one.
    pub fn from_raw(raw: u64) -> Option<Self> {
        [
            Self::StartPrimary,
            Self::JoinCore,
            Self::SeatInit,
            Self::SeatStep,
            Self::Promote,
        ]
        .into_iter()
        .find(|reason| *reason as u64 == raw)
    }
}

/// What a call on the seat returns.
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatStatus {
    /// Everything that may be applied is applied.
    Idle = 0,
    /// There is more; call again after looking at the detector.
    More = 1,
    /// This backup cannot go on; its log says why.
    Failed = 2,
    /// Everything that is there is read, but the state was not told to its end yet.
    Filling = 3,
}

impl SeatStatus {
    /// The status behind the number; an unknown one is a failure.
    pub fn from_raw(raw: u64) -> Self {
        match raw {
            0 => Self::Idle,
            1 => Self::More,
            3 => Self::Filling,
            _ => Self::Failed,
        }
    }
}

/// Name of the ELF note that makes an ELF an instance image: two `u32` (ABI revision, journal revision), then the version's UTF-8 text.
pub const NOTE_NAME: &str = "Understudy";

/// Type of that note.
pub const NOTE_TYPE: u32 = 1;
