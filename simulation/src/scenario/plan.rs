//! Plans: what strikes whom, and at which access to shared memory.

use fastrand::Rng;

use crate::machine::MS;

/// How long a backup that hangs keeps the seat: the monitor's patience, in ns.
pub const HANG_NS: u64 = 1_010 * MS;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The core panics: epitaph, last interrupt, silence. The other cores go on.
    Panic,
    /// All cores hang with interrupts off, without a word.
    Silence,
    /// The main loop stands still; interrupts, and with them keepalives, go on.
    HungLoop,
    /// A further core stands still.
    HungCore,
    /// All cores lose their processors for a time, and go on as if nothing had been: a zombie, if the machine was given to another meanwhile.
    Pause {
        /// So long.
        ns: u64,
    },
    /// As a pause, after which the owner gives its backup up, as one does whose journal is full: perhaps at a time when it is
    /// being fenced already.
    PauseAndDrop {
        /// So long.
        ns: u64,
    },
    /// As silence, and bits in the journal flip.
    Damage {
        /// So many.
        flips: u32,
    },
    /// As silence, and one core takes no signal for a time: the fence has no proof.
    DeafCore,
    /// The backup on the seat takes an exception.
    BackupCrash,
    /// The backup on the seat loops for ever.
    BackupHang,
    /// The seat loses its processor for a time.
    SeatPause {
        /// So long.
        ns: u64,
    },
    /// The seat loses its processor for a time, just before it would arm a backup.
    ArmingPause {
        /// So long.
        ns: u64,
    },
    /// The seat loses its processor for a time; the owner falls silent when it has given the backup up for room, and used that.
    DropAndSilence {
        /// So long.
        ns: u64,
    },
    /// A request stops every kernel that applies it.
    Poison,
    /// A client asks for a switchover.
    Switchover,
}

/// When it happens, counted from when the owner became one, by its first core. Of a strike at the backup: by the backup's accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before this access to shared memory.
    Access(u64),
    /// Before this store to the journal: a record that is half written, a cursor that is not moved yet.
    JournalStore(u64),
}

/// A strike and its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What.
    pub strike: Strike,
    /// When.
    pub moment: Moment,
}

impl Plan {
    /// By chance. Moments are chosen so that early ones, those of a kernel that has hardly taken over, are as likely as the many late ones.
    pub fn of(rng: &mut Rng) -> Self {
        let strike = match rng.u8(0..45) {
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
            },
            41 | 42 => Strike::PauseAndDrop {
                ns: rng.u64(MS..60 * MS),
            },
            _ => Strike::DropAndSilence {
                ns: rng.u64(20 * MS..60 * MS),
            },
        };
        let count = |rng: &mut Rng, magnitudes| {
            let magnitude = rng.u32(0..magnitudes);
            rng.u64(0..1 << magnitude)
        };
        let moment = match rng.bool() {
            true => Moment::Access(count(rng, 15)),
            false => Moment::JournalStore(count(rng, 13)),
        };
        Self { strike, moment }
    }

    /// Returns whether something may be lost by it that was acknowledged.
    pub fn may_lose(&self) -> bool {
        matches!(self.strike, Strike::Damage { .. })
    }

    /// Returns whether a machine may have to stand still for it.
    pub fn may_stand_still(&self) -> bool {
        matches!(self.strike, Strike::DeafCore)
    }

    /// How long it keeps the seat from looking, in ns.
    pub fn seat_is_away_ns(&self) -> u64 {
        match self.strike {
            Strike::SeatPause { ns }
            | Strike::ArmingPause { ns }
            | Strike::DropAndSilence { ns } => ns,
            Strike::BackupHang => HANG_NS,
            _ => 0,
        }
    }

    /// Whether it strikes the backup that waits, not the owner.
    pub fn is_at_backup(&self) -> bool {
        matches!(self.strike, Strike::BackupCrash | Strike::BackupHang)
    }
}
