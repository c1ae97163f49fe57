//! The control block at the start of the shared region: everything but the journal's records.

use core::fmt;

use crate::sync::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::abi::{CONTROL_BYTES, Revisions};
use crate::applying::Applying;
use crate::backup::BackupReport;
use crate::condemned::Condemned;
use crate::console::ConsoleWord;
use crate::debug::Debug;
use crate::epitaph::Epitaph;
use crate::epoch::EpochWord;
use crate::instance::{Instance, PerInstance};
use crate::keepalive::KeepaliveSlot;
use crate::layout::layout;
use crate::log_ring::LogRing;
use crate::mailbox::Mailbox;
use crate::protection::ProtectionWord;
use crate::resume_slot::ResumeSlot;
use crate::timeline::TimelineLog;
use crate::version::VersionText;
use crate::withheld::Withheld;

/// Magic number of a shared region: "UNDRSTDY".
pub const CONTROL_MAGIC: u64 = u64::from_le_bytes(*b"UNDRSTDY");

/// Who made the region, and how it is divided.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Header {
    /// [`CONTROL_MAGIC`], stored last.
    pub magic: AtomicU64,
    /// ABI revision in bits 31..0, journal revision in 63..32.
    pub revisions: AtomicU64,
    /// Bytes of the whole region.
    pub region_bytes: AtomicU64,
    /// Bytes of the journal's ring, which begins at [`CONTROL_BYTES`].
    pub journal_bytes: AtomicU64,
    /// Random number that makes the records of this boot unforgeable: no client can send bytes that look like one.
    pub journal_salt: AtomicU64,
    /// The instance that is the primary now, by its number.
    pub primary_instance: AtomicU64,
    /// How long the machine had run before its last reset, in ns. The service's time continues from there.
    pub time_before_ns: AtomicU64,
    /// Resets by the monitor since the machine was last protected.
    pub resets: AtomicU64,
}

layout!(Header: magic, revisions, region_bytes, journal_bytes, journal_salt, primary_instance, time_before_ns, resets);

/// The journal's cursors: positions in bytes since the journal's beginning, which never wrap. A position is a record's
/// sequence number.
#[repr(C)]
#[derive(Debug, Default)]
pub struct JournalCursors {
    /// Everything below is reserved. Writers: producers.
    pub reserved: CachePadded<AtomicU64>,
    /// Everything below was applied by the primary. Writer: the primary.
    pub applied: CachePadded<AtomicU64>,
    /// Everything below was applied by the backup, so its room may be used again. Writer: the backup.
    pub consumed: CachePadded<AtomicU64>,
    /// The lowest position from which reading the journal makes the whole state. Its room is not used again.
    /// [`NOTHING_RETAINED`] if there is none. Writers: the primary, and the monitor when it makes a primary.
    pub retained: CachePadded<AtomicU64>,
    /// The record that the primary applies now, and the one in which earlier primaries died. Writer: the primary.
    pub applying: CachePadded<Applying>,
}

/// The value of [`JournalCursors::retained`] while the journal does not make the whole state.
pub const NOTHING_RETAINED: u64 = u64::MAX;

/// The control block. Each part has one writer, or is a word with a protocol.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Control {
    /// Writer: monitor, at boot.
    pub header: CachePadded<Header>,
    /// Writer: monitor.
    pub epoch: CachePadded<EpochWord>,
    /// Writers: monitor and primary, by compare-and-swap.
    pub protection: CachePadded<ProtectionWord>,
    /// Writer: the primary's first core.
    pub primary_keepalive: CachePadded<KeepaliveSlot>,
    /// Writer: the monitor.
    pub seat_keepalive: CachePadded<KeepaliveSlot>,
    /// See the fields.
    pub journal: JournalCursors,
    /// Writer: the primary.
    pub debug: CachePadded<Debug>,
    /// Writers: monitor and backup.
    pub backup: CachePadded<BackupReport>,
    /// Writer: the console's owner, or the monitor once the owner is fenced.
    pub console: CachePadded<ConsoleWord>,
    /// One per instance; writer: that instance.
    pub epitaphs: PerInstance<CachePadded<Epitaph>>,
    /// Writers: monitor, then the new primary.
    pub timelines: CachePadded<TimelineLog>,
    /// Writer: the monitor.
    pub monitor_log: CachePadded<LogRing>,
    /// One per instance; writer: that instance.
    pub instance_logs: PerInstance<CachePadded<LogRing>>,
    /// One per instance, used by those that are a Linux; see the fields.
    pub resume_slots: PerInstance<CachePadded<ResumeSlot>>,
    /// Requests from the primary to the monitor, and the answers.
    pub mailbox: CachePadded<Mailbox>,
    /// Version of the image that was last loaded as each instance; it stays when the instance dies. Writer: the
    /// monitor.
    pub versions: PerInstance<CachePadded<VersionText>>,
    /// PCI functions that the new primary must not use. Writer: the monitor.
    pub withheld: CachePadded<Withheld>,
    /// One per instance; see the fields.
    pub condemned: PerInstance<CachePadded<Condemned>>,
    /// What the monitor knows of [`Obstacles`](crate::obstacle::Obstacles). Writer: the monitor.
    pub obstacles: CachePadded<AtomicU64>,
}

// The model checker's words are larger.
#[cfg(not(loom))]
const _: () = assert!(size_of::<Control>() <= CONTROL_BYTES);

/// Why a region cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionError {
    /// There is no shared region here. Holds what was read in place of the magic number.
    Magic(u64),
    /// The region was made by a kernel of these revisions.
    Revisions(Revisions),
    /// The sizes in the header do not fit the memory it lies in. Holds the journal's size by the header.
    Size(u64),
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic(magic) => write!(
                f,
                "there is no shared region: its magic number is {magic:#x}"
            ),
            Self::Revisions(found) => {
                let own = Revisions::OWN;
                write!(f, "the shared region has {found}; this is {own}")
            }
            Self::Size(bytes) => write!(
                f,
                "the shared region's sizes contradict each other: {bytes} bytes of journal, by its header"
            ),
        }
    }
}

impl Header {
    /// Describes a new region. The magic number comes last, so that a half-made region does not pass for one.
    pub fn initialise(&self, region_bytes: u64, journal_bytes: u64, journal_salt: u64) {
        self.revisions
            .store(Revisions::OWN.word(), Ordering::Relaxed);
        self.region_bytes.store(region_bytes, Ordering::Relaxed);
        self.journal_bytes.store(journal_bytes, Ordering::Relaxed);
        self.journal_salt.store(journal_salt, Ordering::Relaxed);
        self.magic.store(CONTROL_MAGIC, Ordering::Release);
    }

    /// Makes `instance` the primary. For the monitor.
    pub fn set_primary(&self, instance: Instance) {
        self.primary_instance
            .store(instance.number(), Ordering::Release);
    }

    /// Checks that this is a region of our revision in `region_bytes` of memory.
    ///
    /// # Errors
    /// Returns what is wrong with the region.
    pub fn check(&self, region_bytes: u64) -> Result<(), RegionError> {
        let magic = self.magic.load(Ordering::Acquire);
        if magic != CONTROL_MAGIC {
            return Err(RegionError::Magic(magic));
        }
        let revisions = Revisions::from_word(self.revisions.load(Ordering::Relaxed));
        if revisions != Revisions::OWN {
            return Err(RegionError::Revisions(revisions));
        }
        let journal_bytes = self.journal_bytes.load(Ordering::Relaxed);
        if journal_bytes.checked_add(CONTROL_BYTES as u64) != Some(region_bytes)
            || !journal_bytes.is_multiple_of(8)
        {
            return Err(RegionError::Size(journal_bytes));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memoffset::{offset_of, span_of};

    /// Checks the layout, which is a contract with images built elsewhere: a change here raises `ABI_REVISION` and
    /// edits `docs/shared-memory.md`.
    #[test]
    fn the_layout_is_the_one_documented() {
        assert_eq!(span_of!(Control, header), 0x0..0x80);
        assert_eq!(span_of!(Control, epoch), 0x80..0x100);
        assert_eq!(span_of!(Control, protection), 0x100..0x180);
        assert_eq!(span_of!(Control, primary_keepalive), 0x180..0x1200);
        assert_eq!(span_of!(Control, seat_keepalive), 0x1200..0x2280);
        assert_eq!(span_of!(Control, journal), 0x2280..0x2500);
        assert_eq!(span_of!(Control, debug), 0x2500..0x2580);
        assert_eq!(span_of!(Control, backup), 0x2580..0x2600);
        assert_eq!(span_of!(Control, console), 0x2600..0x2680);
        assert_eq!(span_of!(Control, epitaphs), 0x2680..0x2980);
        assert_eq!(span_of!(Control, timelines), 0x2980..0x3700);
        assert_eq!(span_of!(Control, monitor_log), 0x3700..0x7780);
        assert_eq!(span_of!(Control, instance_logs), 0x7780..0xf880);
        assert_eq!(span_of!(Control, resume_slots), 0xf880..0xf980);
        assert_eq!(span_of!(Control, mailbox), 0xf980..0xfb00);
        assert_eq!(span_of!(Control, versions), 0xfb00..0xfc00);
        assert_eq!(span_of!(Control, withheld), 0xfc00..0xfe00);
        assert_eq!(span_of!(Control, condemned), 0xfe00..0xff00);
        assert_eq!(span_of!(Control, obstacles), 0xff00..0xff80);
        assert_eq!(size_of::<BackupReport>(), 112);
        assert_eq!(offset_of!(Header, journal_salt), 32);
    }

    #[test]
    fn a_region_is_refused_by_what_is_wrong_with_it() {
        let header = Header::default();
        assert_eq!(header.check(1 << 24), Err(RegionError::Magic(0)));
        header.initialise(1 << 24, (1 << 24) - CONTROL_BYTES as u64, 5);
        assert_eq!(header.check(1 << 24), Ok(()));
        assert!(matches!(header.check(1 << 25), Err(RegionError::Size(_))));
    }

    #[test]
    fn a_region_of_the_revision_before_or_after_is_refused_and_both_are_named() {
        let header = Header::default();
        header.initialise(1 << 24, (1 << 24) - CONTROL_BYTES as u64, 5);
        let own = Revisions::OWN;
        for found in [
            Revisions {
                abi: own.abi - 1,
                ..own
            },
            Revisions {
                abi: own.abi + 1,
                ..own
            },
            Revisions {
                journal: own.journal - 1,
                ..own
            },
            Revisions {
                journal: own.journal + 1,
                ..own
            },
        ] {
            header.revisions.store(found.word(), Ordering::Relaxed);
            let error = header.check(1 << 24).unwrap_err();
            assert_eq!(error, RegionError::Revisions(found));
            let text = std::format!("{error}");
            for named in [found, own] {
                assert!(text.contains(&std::format!("{named}")), "{text}");
            }
        }
    }
}
