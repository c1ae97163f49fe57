//! How a primary watches its backup: by the keepalives of the monitor, and by the protection word.

use core::mem;

use sharedmem::event::{self, Text};
use sharedmem::obstacle::{Obstacle, Obstacles};
use sharedmem::protection::ProtectionState;
use takeover::detector::{Detector, Verdict};

use crate::host::Host;

/// A primary's watch over its backup.
pub struct BackupMonitor {
    detector: Detector<1>,
    /// When this primary looked last.
    looked_ns: u64,
    /// The obstacles that were logged last.
    reported: Option<Obstacles>,
    /// The result of the last look.
    seen: Obstacles,
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
            seen: Obstacles::default(),
            state: ProtectionState::NoBackup,
        }
    }

    /// Looks at the monitor's keepalive and at what the shared region says. Returns why no takeover would follow a
    /// death.
    pub fn look(&mut self, host: &impl Host) -> Obstacles {
        let now_ns = host.now_ns();
        let control = host.region().control;
        // What stopped this primary may have stopped the monitor as well: it is heard again before it is judged.
        let config = host.detector();
        let looked_ns = mem::replace(&mut self.looked_ns, now_ns);
        let due_ns = config.look_due_ns(looked_ns);
        if let Some(unseen_ns) = config.unseen_ns(due_ns, now_ns) {
            self.detector.excuse(now_ns, unseen_ns);
        }
        if let Some(keepalive) = control.seat_keepalive.read_of() {
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
        let is_followed = matches!(state, ProtectionState::Armed | ProtectionState::Filling);
        self.seen = Obstacles::of(control).with_if(Obstacle::SeatSilent, is_followed && is_silent);
        self.seen
    }

    /// Returns why no takeover would have followed a death at the last look.
    pub fn obstacles(&self) -> Obstacles {
        self.seen
    }

    /// Returns whether a takeover would have followed.
    pub fn is_protected(&self) -> bool {
        self.seen.is_none()
    }

    /// Looks, and logs the obstacles if they have changed.
    pub fn report(&mut self, host: &impl Host) {
        let now = self.look(host);
        if self.reported.replace(now) == Some(now) {
            return;
        }
        if now.is_none() {
            log::info!("{}", event::Protected {});
        } else if now == Obstacles::NONE.with(Obstacle::BackupFilling) {
            log::info!("{}", event::Filling {});
        } else {
            let reason = Text::of(now.texts());
            log::warn!("{}", event::Unprotected { reason });
        }
    }

    /// Returns when the monitor was last heard of, in ns since boot.
    pub fn last_seen_ns(&self) -> Option<u64> {
        self.detector.last_seen_ns()
    }
}
