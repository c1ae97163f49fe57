//! Keepalives: this primary's own, and what it thinks of the seat's.

use core::sync::atomic::{AtomicU64, Ordering};

use ipi::Ipi;
use sharedmem::abi::VECTOR_KEEPALIVE_TO_SEAT;
use sharedmem::keepalive::Keepalive;
use sharedmem::protection::ProtectionState;
use takeover::detector::{Beat, Detector, DetectorConfig, Verdict};

use crate::context::{self, Context};
use crate::cores;

static EPOCH: AtomicU64 = AtomicU64::new(0);
static SEQUENCE: AtomicU64 = AtomicU64::new(0);

/// From here on the keepalives are of `epoch`.
pub fn begin(epoch: u64) {
    EPOCH.store(epoch, Ordering::Release);
}

/// The epoch this instance owns the machine in; 0 before it does.
pub fn epoch() -> u64 {
    EPOCH.load(Ordering::Acquire)
}

/// Sends a keepalive: the slot first, then the interrupt. From the lead's timer.
pub fn send() {
    let context = context::get();
    let mut keepalive = Keepalive::first(epoch(), context.hand_off.core_count);
    keepalive.sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed) + 1;
    keepalive.time_ns = context.now_ns();
    for number in 0..context.hand_off.core_count as usize {
        keepalive.progress[number] = cores::core(number).progress();
    }
    context.region.control.primary_keepalive.publish(&keepalive);
    // A keepalive that cannot be sent is one that does not arrive: the seat draws the conclusion.
    let _ = context.local_apic.send(
        context.hand_off.seat_apic_id,
        Ipi::Fixed(VECTOR_KEEPALIVE_TO_SEAT),
    );
}

/// Whether a backup waits, as the primary sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// A ready backup waits on a seat that answers.
    Protected,
    /// A new backup is being told the state, on a seat that answers.
    Filling,
    /// There is none; the reason.
    Unprotected(&'static str),
}

/// The primary's watch over the seat.
pub struct SeatWatch {
    detector: Detector,
    said: Option<Protection>,
    /// The answer of the last look.
    seen: Protection,
}

impl SeatWatch {
    /// Begins to watch.
    pub fn new(context: &Context) -> Self {
        let options = &context.options;
        let config = DetectorConfig {
            keepalive_ns: options.keepalive_ns,
            timeout_ns: options.failover_timeout_ns,
            boot_timeout_ns: options.failover_boot_timeout_ns,
        };
        Self {
            detector: Detector::new(config, epoch(), context.now_ns()),
            said: None,
            seen: Protection::Unprotected("nobody has looked yet"),
        }
    }

    /// Looks at the seat's slot and the protection word.
    pub fn look(&mut self, context: &Context) -> Protection {
        let now_ns = context.now_ns();
        let control = context.region.control;
        if let Some(keepalive) = control.seat_keepalive.read() {
            self.detector.observe(now_ns, &beat_of(&keepalive));
        }
        let is_silent = matches!(self.detector.verdict(now_ns), Verdict::Red(_));
        let protection = match control.protection.state() {
            ProtectionState::Armed | ProtectionState::Filling if is_silent => {
                Protection::Unprotected("the seat is silent")
            }
            ProtectionState::Armed => Protection::Protected,
            ProtectionState::Filling => Protection::Filling,
            ProtectionState::Dropped => {
                Protection::Unprotected("the backup was dropped for journal room")
            }
            ProtectionState::Claimed | ProtectionState::NoBackup => {
                Protection::Unprotected("no backup waits")
            }
        };
        self.seen = protection;
        protection
    }

    /// Whether a backup waited at the last look.
    pub fn is_protected(&self) -> bool {
        self.seen == Protection::Protected
    }

    /// Why none did, if so.
    pub fn unprotected_reason(&self) -> Option<&'static str> {
        match self.seen {
            Protection::Protected => None,
            Protection::Filling => Some("a new backup is being told the state"),
            Protection::Unprotected(reason) => Some(reason),
        }
    }

    /// Looks, and tells the log when the answer has changed.
    pub fn report(&mut self, context: &Context) {
        let now = self.look(context);
        if self.said != Some(now) {
            match now {
                Protection::Protected => log::info!("event=protected"),
                Protection::Filling => log::info!("event=filling"),
                Protection::Unprotected(reason) => {
                    log::warn!("event=unprotected reason=\"{reason}\"")
                }
            }
            self.said = Some(now);
        }
    }

    /// When the seat was last heard of, in ns since boot.
    pub fn last_seen_ns(&self) -> Option<u64> {
        self.detector.last_seen_ns()
    }
}

/// A slot's content as the detector takes it.
fn beat_of(keepalive: &Keepalive) -> Beat {
    Beat {
        sequence: keepalive.sequence,
        epoch: keepalive.epoch,
        cores: keepalive.cores,
        progress: keepalive.progress,
    }
}
