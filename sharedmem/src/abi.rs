//! Constants of the contract between kernels: revisions, sizes, vectors, entry reasons.

use core::fmt;

use crate::numbered::numbered;

/// Revision of every layout in this crate. Any change that an image of the previous revision could misread raises it.
pub const ABI_REVISION: u32 = 8;

/// Revision of the journal's record format.
pub const JOURNAL_REVISION: u32 = 1;

/// The two revisions that kernels must have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revisions {
    /// The revision of every layout in this crate: [`ABI_REVISION`].
    pub abi: u32,
    /// The revision of the journal's record format: [`JOURNAL_REVISION`].
    pub journal: u32,
}

impl Revisions {
    /// The revisions of this build.
    pub const OWN: Self = Self {
        abi: ABI_REVISION,
        journal: JOURNAL_REVISION,
    };

    /// Returns both in a word: ABI revision in bits 31..0, journal revision in 63..32.
    pub const fn word(self) -> u64 {
        self.abi as u64 | (self.journal as u64) << 32
    }

    /// Takes both out of a word.
    pub const fn from_word(word: u64) -> Self {
        Self {
            abi: word as u32,
            journal: (word >> 32) as u32,
        }
    }
}

impl fmt::Display for Revisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ABI revision {} and journal revision {}",
            self.abi, self.journal
        )
    }
}

/// Maximum number of cores of a machine; the length of every array that has an element per core.
pub const MAX_CORES: usize = if cfg!(loom) { 4 } else { 512 };

/// Size of the control block at the start of the shared region, in bytes; the journal's ring follows it.
pub const CONTROL_BYTES: usize = 2 << 20;

numbered! {
    /// Interrupts between the monitor and the primary, by their vectors.
    pub enum Vector {
        KeepaliveToSeat = 0x40, "keepalive-to-seat", "the primary's keepalive, to the seat";
        Epitaph = 0x41, "epitaph", "a dying primary's last interrupt, to the seat";
        /// Answers each of the primary's keepalives.
        KeepaliveToPrimary = 0x42, "keepalive-to-primary", "the seat's keepalive, to the primary's first core";
    }
}

impl Vector {
    /// Returns the vector as the local APIC takes it.
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// Where an instance image is linked, and where the loader maps it.
pub const IMAGE_BASE: u64 = 0xffff_ffff_8000_0000;

/// An instance maps physical address `p` of its slice, of the shared region and of its devices to `DIRECT_BASE + p`.
pub const DIRECT_BASE: u64 = 0xffff_8000_0000_0000;

/// Stacks are mapped from here, one every [`STACK_STRIDE`] bytes, with an unmapped page below each.
pub const STACK_BASE: u64 = 0xffff_ff00_0000_0000;

/// Distance from one core's stack to the next, in bytes.
pub const STACK_STRIDE: u64 = 0x4_0000;

/// Mapped bytes of the stack of a core that works: the first one, and the one on the seat. They end at the end of its
/// stride.
pub const STACK_BYTES: u64 = 0x2_0000;

/// Mapped bytes of the stack of any other core, which only counts its rounds.
pub const FURTHER_STACK_BYTES: u64 = 0x8000;

/// Number of the stack an instance runs on when it is called on the seat.
pub const SEAT_STACK: usize = MAX_CORES;

/// Returns the top of a core's stack in an instance's address space.
pub const fn stack_top(core: usize) -> u64 {
    STACK_BASE + (core as u64 + 1) * STACK_STRIDE
}

/// Returns how many bytes of a core's stack are mapped.
pub const fn stack_bytes(core: usize) -> u64 {
    match core {
        0 | SEAT_STACK => STACK_BYTES,
        _ => FURTHER_STACK_BYTES,
    }
}

numbered! {
    /// Why an instance is entered; the first argument of its entry point.
    pub enum EntryReason {
        /// Does not return.
        StartPrimary = 1, "start-primary", "first core of the primary, cold";
        /// Does not return.
        JoinCore = 2, "join-core", "a further core of the primary";
        /// Returns a [`SeatStatus`].
        SeatInit = 3, "seat-init", "get ready to wait, on the seat";
        /// Returns a [`SeatStatus`].
        SeatStep = 4, "seat-step", "apply what the journal holds, on the seat";
        /// Does not return.
        Promote = 5, "promote", "become the primary, on a freed core";
    }
}

numbered! {
    /// What a call on the seat returns. An unknown number is a failure.
    pub enum SeatStatus {
        Idle = 0, "idle", "everything that may be applied is applied";
        More = 1, "more", "there is more: call again after looking at the detector";
        Failed = 2, "failed", "this backup cannot go on, and its log says why";
        Filling = 3, "filling", "everything in the journal is read, but the state is not complete yet";
        Damaged = 4, "damaged", "a record that the primary applied is damaged, missing or impossible";
        Diverged = 5, "diverged", "the state is not the primary's at the same position of the journal";
        Corrupt = 6, "corrupt", "a value in this backup's memory is not what was stored";
    }
}

/// Name of the ELF note that marks an ELF as an instance image. The note holds two `u32` (ABI revision, journal
/// revision), then the version as UTF-8 text.
pub const NOTE_NAME: &str = "Understudy";

/// Type of that note.
pub const NOTE_TYPE: u32 = 1;
