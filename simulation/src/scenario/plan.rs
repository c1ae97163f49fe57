//! Plans: which fault strikes, and at which access to shared memory.

use fastrand::Rng;
use sharedmem::keeping::RESTORED;

use crate::machine::MS;

/// How long a hanging backup occupies the seat until the monitor gives it up, in ns.
pub const HANG_NS: u64 = 1_010 * MS;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The core panics: it leaves an epitaph and sends a last interrupt. The other cores go on.
    Panic,
    /// All cores hang with interrupts off.
    Silence,
    /// The main loop hangs. Interrupts, and with them keepalives, go on.
    HungLoop,
    /// A core other than the first hangs.
    HungCore,
    /// All cores pause and then go on: as a zombie, if there is another primary by then.
    Pause {
        /// Duration, in ns.
        ns: u64,
    },
    /// All cores pause, and then the primary gives its backup up, as it does when its journal is full. It may be in the
    /// midst of being fenced.
    PauseAndDrop {
        /// Duration, in ns.
        ns: u64,
    },
    /// Bits in the journal flip, and all cores hang.
    Damage {
        /// Number of bits.
        flips: u32,
    },
    /// All cores hang, and one takes no signal for a time: the fence cannot be proven.
    DeafCore,
    /// The backup takes an exception.
    BackupCrash,
    /// The backup loops for ever.
    BackupHang,
    /// The seat pauses.
    SeatPause {
        /// Duration, in ns.
        ns: u64,
    },
    /// A stray store hits a word that the monitor alone writes, or the protection word.
    Scribble {
        /// Which word, by its place in `sharedmem::keeping::RESTORED`; behind the last, the protection word.
        word: usize,
        /// What it is then.
        value: u64,
    },
    /// A stray store hits a cursor of the journal, or another word that only one kernel writes. That kernel goes on.
    OwnWord {
        /// Which word, by its place in [`OWN_WORDS`].
        word: usize,
        /// The bits that it changes.
        bits: u64,
    },
    /// A bit flips in a record that the primary has applied and the backup has not read. The primary goes on.
    RecordFlip {
        /// Which bit, of the words of such records.
        bit: u64,
    },
    /// The primary's memory makes it conclude a fact about a connection that cannot follow from its state.
    ImpossibleFact,
    /// The backup looks alive, and reads nothing.
    BackupIdles,
    /// All cores pause together, the seat as well, and then go on.
    MachinePause {
        /// Duration, in ns.
        ns: u64,
    },
    /// The seat pauses just before it arms a backup.
    ArmingPause {
        /// Duration, in ns.
        ns: u64,
        /// The primary gives the backup up meanwhile.
        drops: bool,
    },
    /// The seat pauses. The primary hangs after it has given the silent backup up and has used the room.
    DropAndSilence {
        /// Duration, in ns.
        ns: u64,
    },
    /// A bit of a value changes in memory.
    FlipValue {
        /// In that of the waiting backup; if not, in the primary's.
        of_backup: bool,
        /// Which bit.
        bit: u64,
    },
    /// No frame leaves the primary any more. It goes on, and serves nobody.
    GateStands,
    /// A request stops every kernel that applies it.
    Poison,
    /// A client asks for a switchover.
    Switchover,
}

/// A word that one kernel alone writes, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnedWord {
    /// Of the primary.
    Reserved,
    /// Of the primary.
    Applied,
    /// Of the primary.
    Retained,
    /// Of the primary: the record that it applies.
    Applying,
    /// Of the primary: the record in which earlier ones died.
    Suspect,
    /// Of the backup.
    Consumed,
}

/// The words that [`Strike::OwnWord`] hits.
pub const OWN_WORDS: [OwnedWord; 6] = [
    OwnedWord::Reserved,
    OwnedWord::Applied,
    OwnedWord::Retained,
    OwnedWord::Applying,
    OwnedWord::Suspect,
    OwnedWord::Consumed,
];

/// When a fault strikes: counted by the accesses of the primary's first core since it became the primary, or by those
/// of the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before this access to shared memory.
    Access(u64),
    /// Before this store to the journal: a record is half written, or a cursor not moved yet.
    JournalStore(u64),
}

impl Moment {
    fn of(rng: &mut Rng) -> Self {
        let count = |rng: &mut Rng, magnitudes| {
            let magnitude = rng.u32(0..magnitudes);
            rng.u64(0..1 << magnitude)
        };
        match rng.bool() {
            true => Self::Access(count(rng, 15)),
            false => Self::JournalStore(count(rng, 13)),
        }
    }
}

/// A fault and its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The fault.
    pub strike: Strike,
    /// Its moment.
    pub moment: Moment,
}

impl Plan {
    /// Draws a plan. Early moments, at which a kernel has hardly taken over, are as likely as the many late ones.
    pub fn of(rng: &mut Rng) -> Self {
        let strike = match rng.u8(0..58) {
            0..8 => Strike::Panic,
            8..16 => Strike::Silence,
            16..20 => Strike::HungLoop,
            20..23 => Strike::HungCore,
            23..29 => Strike::Pause {
                ns: rng.u64(MS..60 * MS),
            },
            29..31 => Strike::Damage {
                flips: rng.u32(1..20),
            },
            31 => Strike::DeafCore,
            32..34 => Strike::BackupCrash,
            34 => Strike::BackupHang,
            35 => Strike::SeatPause {
                ns: rng.u64(MS..40 * MS),
            },
            36 | 37 => Strike::Poison,
            38 => Strike::Switchover,
            39..41 => Strike::ArmingPause {
                ns: rng.u64(20 * MS..60 * MS),
                drops: rng.bool(),
            },
            41 | 42 => Strike::PauseAndDrop {
                ns: rng.u64(MS..60 * MS),
            },
            45 | 46 => Strike::Scribble {
                word: rng.usize(0..RESTORED.len() + 2),
                value: rng.u64(..),
            },
            43 | 44 => Strike::MachinePause {
                ns: rng.u64(MS..400 * MS),
            },
            49..52 => Strike::OwnWord {
                word: rng.usize(0..OWN_WORDS.len()),
                bits: match rng.u8(0..4) {
                    0 => rng.u64(..),
                    _ => 1 << rng.u32(0..64),
                },
            },
            52..55 => Strike::RecordFlip { bit: rng.u64(..) },
            55 => Strike::ImpossibleFact,
            56 => Strike::BackupIdles,
            _ => Strike::DropAndSilence {
                ns: rng.u64(20 * MS..60 * MS),
            },
        };
        let moment = Moment::of(rng);
        Self { strike, moment }
    }

    /// Draws a plan for a change of a value in memory.
    pub fn of_value(rng: &mut Rng) -> Self {
        let (of_backup, bit) = (rng.bool(), rng.u64(..));
        Self {
            strike: Strike::FlipValue { of_backup, bit },
            moment: Moment::of(rng),
        }
    }

    /// Draws a plan for a primary that serves nobody.
    pub fn of_service(rng: &mut Rng) -> Self {
        Self {
            strike: Strike::GateStands,
            moment: Moment::of(rng),
        }
    }

    /// Returns whether the fault may lose something that was acknowledged, if a primary dies after it.
    pub fn may_lose(&self) -> bool {
        matches!(
            self.strike,
            Strike::Damage { .. } | Strike::RecordFlip { .. } | Strike::OwnWord { .. }
        )
    }

    /// Returns whether the machine may have to stand still after the fault.
    pub fn may_stand_still(&self) -> bool {
        matches!(self.strike, Strike::DeafCore)
    }

    /// Returns how long the fault keeps the seat from looking, in ns.
    pub fn seat_is_away_ns(&self) -> u64 {
        match self.strike {
            Strike::SeatPause { ns }
            | Strike::MachinePause { ns }
            | Strike::ArmingPause { ns, .. }
            | Strike::DropAndSilence { ns } => ns,
            Strike::BackupHang => HANG_NS,
            _ => 0,
        }
    }

    /// Returns for how long the fault keeps all or a part of the machine still, in ns.
    pub fn stands_still_ns(&self) -> u64 {
        match self.strike {
            Strike::Pause { ns } | Strike::PauseAndDrop { ns } => ns,
            _ => self.seat_is_away_ns(),
        }
    }

    /// Returns whether the fault strikes the waiting backup, not the primary.
    pub fn is_at_backup(&self) -> bool {
        matches!(
            self.strike,
            Strike::BackupCrash | Strike::BackupHang | Strike::BackupIdles
        )
    }
}
