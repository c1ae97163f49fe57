//! The primary's watch over the seat.

use core::mem;

use sharedmem::event;
use sharedmem::keepalive::Keepalive;
use sharedmem::protection::ProtectionState;
use takeover::detector::{Beat, Detector, Verdict};

use crate::host::Host;

/// Whether a backup waits, as the primary sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupView {
    /// A ready backup waits on a seat that answers.
    Protected,
    /// A new backup is being told the state, on a seat that answers.
    Filling,
    /// There is none; the reason.
    Unprotected(&'static str),
}

/// The primary's watch over the seat.
pub struct BackupMonitor {
    detector: Detector,
    reported: Option<BackupView>,
    /// The answer of the last look.
    seen: BackupView,
    /// What the protection word reported then.
    state: ProtectionState,
}

impl BackupMonitor {
    /// Begins to watch, as the owner of `epoch`.
    pub fn new(host: &impl Host, epoch: u64) -> Self {
        Self {
            detector: Detector::new(host.detector(), epoch, host.now_ns()),
            reported: None,
            seen: BackupView::Unprotected("nobody has looked yet"),
            state: ProtectionState::NoBackup,
        }
    }

    /// Looks at the seat's slot and the protection word.
    pub fn look(&mut self, host: &impl Host) -> BackupView {
        let now_ns = host.now_ns();
        let control = host.region().control;
        if let Some(keepalive) = control.seat_keepalive.read() {
            self.detector.observe(now_ns, &beat_of(&keepalive));
        }
        let state = control.protection.state();
        // The seat is away while it loads an image. When it says that it has, it is back, if its next keepalive is still to come.
        if mem::replace(&mut self.state, state) == ProtectionState::NoBackup
            && state != ProtectionState::NoBackup
        {
            self.detector.vouch(now_ns);
        }
        let is_silent = matches!(self.detector.verdict(now_ns), Verdict::Red(_));
        let protection = match state {
            ProtectionState::Armed | ProtectionState::Filling if is_silent => {
                BackupView::Unprotected("the seat is silent")
            }
            ProtectionState::Armed => BackupView::Protected,
            ProtectionState::Filling => BackupView::Filling,
            ProtectionState::Dropped => {
                BackupView::Unprotected("the backup was dropped for journal room")
            }
            ProtectionState::Claimed | ProtectionState::NoBackup => {
                BackupView::Unprotected("no backup waits")
            }
        };
        self.seen = protection;
        protection
    }

    /// Returns whether a backup waited at the last look.
    pub fn is_protected(&self) -> bool {
        self.seen == BackupView::Protected
    }

    /// Returns why none did, if so.
    pub fn unprotected_reason(&self) -> Option<&'static str> {
        match self.seen {
            BackupView::Protected => None,
            BackupView::Filling => Some("a new backup is being told the state"),
            BackupView::Unprotected(reason) => Some(reason),
        }
    }

    /// Looks, and tells the log when the answer has changed.
    pub fn report(&mut self, host: &impl Host) {
        let now = self.look(host);
        if self.reported != Some(now) {
            match now {
                BackupView::Protected => log::info!("{}", event::Protected {}),
                BackupView::Filling => log::info!("{}", event::Filling {}),
                BackupView::Unprotected(reason) => {
                    let reason = reason.into();
                    log::warn!("{}", event::Unprotected { reason });
                }
            }
            self.reported = Some(now);
        }
    }

    /// Returns when the seat was last heard of, in ns since boot.
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
