//! The shared region of a machine, as a debugger sees it. Offsets come from `sharedmem`.

use std::mem::offset_of;

use sharedmem::Instance;
use sharedmem::abi::CONTROL_BYTES;
use sharedmem::control::{CONTROL_MAGIC, Control, Header, JournalCursors};
use sharedmem::log_ring::LogRing;

use super::{Debugger, Space};
use harness::problem::Problem;

/// The region begins at a multiple of this, above [`LOWEST`] and below [`HIGHEST`] (`docs/shared-memory.md`).
const STEP: u64 = 2 << 20;
const LOWEST: u64 = 48 << 20;
const HIGHEST: u64 = 1 << 32;

/// Where the region is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Physical address of its control block.
    pub start: u64,
    /// Bytes of the journal's ring.
    pub journal_bytes: u64,
}

/// The journal's cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursors {
    /// Everything below is reserved.
    pub reserved: u64,
    /// Everything below was applied by the primary.
    pub applied: u64,
    /// Everything below was applied by the backup.
    pub consumed: u64,
}

impl Region {
    /// Offset of the protection word.
    pub const PROTECTION: u64 = offset_of!(Control, protection) as u64;
    /// Offset of the header's magic number, and of other words of the header.
    pub const MAGIC: u64 = (offset_of!(Control, header) + offset_of!(Header, magic)) as u64;
    /// Offset of both revisions.
    pub const REVISIONS: u64 = (offset_of!(Control, header) + offset_of!(Header, revisions)) as u64;
    /// Offset of the region's size.
    pub const SIZE: u64 = (offset_of!(Control, header) + offset_of!(Header, region_bytes)) as u64;
    /// Offset of the cursor `reserved`.
    pub const RESERVED: u64 = cursor(offset_of!(JournalCursors, reserved));
    /// Offset of the cursor `retained`.
    pub const RETAINED: u64 = cursor(offset_of!(JournalCursors, retained));
    /// Offset of the cursor `applied`.
    pub const APPLIED: u64 = cursor(offset_of!(JournalCursors, applied));
    /// Offset of the cursor `consumed`.
    pub const CONSUMED: u64 = cursor(offset_of!(JournalCursors, consumed));
    /// Offset of the word that names a record in which primaries died: the second of `applying`.
    pub const SUSPECT: u64 = cursor(offset_of!(JournalCursors, applying)) + 8;
    const JOURNAL_BYTES: u64 =
        (offset_of!(Control, header) + offset_of!(Header, journal_bytes)) as u64;

    /// Looks for the region.
    ///
    /// # Errors
    /// There is none.
    pub fn find(debugger: &mut Debugger) -> Result<Self, Problem> {
        let mut start = LOWEST;
        while start < HIGHEST {
            // Behind the end of memory nothing can be read.
            let Ok(word) = debugger.word(Space::Physical, start + Self::MAGIC) else {
                break;
            };
            if word == CONTROL_MAGIC {
                let journal_bytes = debugger.word(Space::Physical, start + Self::JOURNAL_BYTES)?;
                return Ok(Self {
                    start,
                    journal_bytes,
                });
            }
            start += STEP;
        }
        Err(Problem::Failed("the machine has no shared region".into()))
    }

    /// Reads the word at `offset`.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn word(&self, debugger: &mut Debugger, offset: u64) -> Result<u64, Problem> {
        debugger.word(Space::Physical, self.start + offset)
    }

    /// Writes the word at `offset`.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn set(&self, debugger: &mut Debugger, offset: u64, word: u64) -> Result<(), Problem> {
        debugger.set_word(Space::Physical, self.start + offset, word)
    }

    /// Reads the journal's cursors.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn cursors(&self, debugger: &mut Debugger) -> Result<Cursors, Problem> {
        Ok(Cursors {
            reserved: self.word(debugger, Self::RESERVED)?,
            applied: self.word(debugger, Self::APPLIED)?,
            consumed: self.word(debugger, Self::CONSUMED)?,
        })
    }

    /// Reads what is in the log ring of the monitor (`None`) or of an instance, whether it was printed or not. The
    /// newest text is somewhere in the middle.
    ///
    /// # Errors
    /// QEMU does not answer.
    pub fn log(
        &self,
        debugger: &mut Debugger,
        writer: Option<Instance>,
    ) -> Result<String, Problem> {
        let offset = match writer {
            None => offset_of!(Control, monitor_log),
            Some(instance) => {
                let [start, end] = [
                    offset_of!(Control, instance_logs),
                    offset_of!(Control, resume_slots),
                ];
                start + (end - start) / 2 * instance.index()
            }
        };
        let start = self.start + offset as u64;
        let bytes = debugger.read(Space::Physical, start, size_of::<LogRing>())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Returns the physical address of the journal's byte at `position`.
    pub fn place(&self, position: u64) -> u64 {
        self.start + CONTROL_BYTES as u64 + position % self.journal_bytes
    }
}

const fn cursor(offset: usize) -> u64 {
    (offset_of!(Control, journal) + offset) as u64
}
