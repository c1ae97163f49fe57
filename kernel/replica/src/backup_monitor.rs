//! How a primary watches its backup: by the keepalives of the monitor, and by the protection word.

use core::mem;

use sharedmem::event;
use sharedmem::protection::ProtectionState;
use takeover::detector::{Detector, Verdict};

use crate::host::Host;

/// Whether a backup waits, as the primary sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupView {
    /// A ready backup waits, and the monitor answers.
    Protected,
    /// A new backup reads the state, and the monitor answers.
    Filling,
    /// There is no backup; says why.
    Unprotected(&'static str),
}

/// A primary's watch over its backup.
pub struct BackupMonitor {
    detector: Detector,
    /// When this primary looked last.
    looked_ns: u64,
    /// The view that was logged last.
    reported: Option<BackupView>,
    /// The result of the last look.
    seen: BackupView,
    /// The state of the protection word at the last look.
    state: ProtectionState,
}

impl BackupMonitor {
    /// Begins to watch, as the primary of `epoch`.
    pub fn new(host: &impl Host, epoch: u64) -> Self {
        Self {
            detector: Detector::new(host.detector(), epoch, host.now_ns()),
            looked_ns: host.now_ns(),
            reported: None,
            seen: BackupView::Unprotected("nobody has looked yet"),
            state: ProtectionState::NoBackup,
        }
    }

    /// Looks at the monitor's keepalive and at the protection word.
    pub fn look(&mut self, host: &impl Host) -> BackupView {
        let now_ns = host.now_ns();
        let control = host.region().control;
        // What stopped this primary may have stopped the monitor as well: it is heard again before it is judged.
        let config = host.detector();
        let looked_ns = mem::replace(&mut self.looked_ns, now_ns);
        let due_ns = config.look_due_ns(looked_ns);
        if let Some(unseen_ns) = config.unseen_ns(due_ns, now_ns) {
            self.detector.excuse(now_ns, unseen_ns);
        }
        if let Some(keepalive) = control.seat_keepalive.read() {
            self.detector.observe(now_ns, &keepalive);
        }
        let state = control.protection.state();
        // The monitor sends no keepalive while it loads an image. Its next one may still be to come when the word
        // says that the image is loaded.
        if mem::replace(&mut self.state, state) == ProtectionState::NoBackup
            && state != ProtectionState::NoBackup
        {
            self.detector.vouch(now_ns);
        }
        let is_silent = matches!(self.detector.verdict(now_ns), Verdict::Red(_));
        self.seen = match state {
            ProtectionState::Armed | ProtectionState::Filling if is_silent => {
                BackupView::Unprotected("the seat is silent")
            }
            ProtectionState::Armed => BackupView::Protected,
            ProtectionState::Filling => BackupView::Filling,
            ProtectionState::Dropped => BackupView::Unprotected(state.text()),
            ProtectionState::Claimed | ProtectionState::NoBackup => {
                BackupView::Unprotected(ProtectionState::NoBackup.text())
            }
        };
        self.seen
    }

    /// Returns whether a backup waited at the last look.
    pub fn is_protected(&self) -> bool {
        self.seen == BackupView::Protected
    }

    /// Returns why no backup waited at the last look, if none did.
    pub fn unprotected_reason(&self) -> Option<&'static str> {
        match self.seen {
            BackupView::Protected => None,
            BackupView::Filling => Some(ProtectionState::Filling.text()),
            BackupView::Unprotected(reason) => Some(reason),
        }
    }

    /// Looks, and logs the view if it has changed.
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

    /// Returns when the monitor was last heard of, in ns since boot.
    pub fn last_seen_ns(&self) -> Option<u64> {
        self.detector.last_seen_ns()
    }
}
