//! The logger: writes lines like `[    1.234567] who: text` into the program's ring.
//!
//! A flood from one place in the code is cut to that place's budget, and a warning or an error is a reason that
//! stays in the ring whatever follows (`reasons`).

mod budget;
mod reasons;
mod writer;

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};
use sharedmem::log_ring::LogRing;
use spin::{Mutex, Once};

use crate::clock::Clock;
use budget::Site;
use writer::{Line, LogWriter, Stamp};

/// The program's logger.
pub struct Logger {
    identity: Once<(&'static str, Clock)>,
    ring: AtomicPtr<LogRing>,
    writer: Mutex<LogWriter>,
}

/// The one logger of this program.
pub static LOGGER: Logger = Logger {
    identity: Once::new(),
    ring: AtomicPtr::new(ptr::null_mut()),
    writer: Mutex::new(LogWriter::new()),
};

impl Logger {
    /// Lets the macros of `log` write lines of `who` into `ring`.
    pub fn start(&'static self, who: &'static str, clock: Clock, ring: &'static LogRing) {
        self.identity.call_once(|| (who, clock));
        self.use_ring(ring);
        if log::set_logger(self).is_ok() {
            log::set_max_level(LevelFilter::Info);
        }
    }

    /// Writes into `ring` from now on.
    pub fn use_ring(&self, ring: &'static LogRing) {
        self.ring
            .store(ptr::from_ref(ring).cast_mut(), Ordering::Release);
    }

    /// Returns the ring, and who logs when; `None` before the start.
    fn now(&self) -> Option<(&'static LogRing, Stamp)> {
        let ring = self.ring.load(Ordering::Acquire);
        let (who, clock) = self.identity.get()?;
        let now_us = clock.now_ns() / 1000;
        // SAFETY: null, or set from a `&'static LogRing`.
        let ring = unsafe { ring.as_ref() }?;
        Some((ring, Stamp { who, now_us }))
    }

    /// Frees the lock by force. For a dying kernel, whose stopped cores may hold it.
    ///
    /// # Safety
    /// The core that holds the lock never runs again.
    pub unsafe fn break_lock(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.writer.force_unlock() };
    }
}

impl Log for Logger {
    /// Returns false for a driver library's messages below warnings: they are too many.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn || !metadata.target().starts_with("virtio_drivers")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let Some((ring, stamp)) = self.now() else {
            return;
        };
        let site = Site {
            module: record.module_path_static().unwrap_or("?"),
            line: record.line().unwrap_or(0),
        };
        if self.writer.lock().leaves_out(ring, site, stamp) {
            return;
        }
        let line = Line::of(stamp, record.args());
        let is_reason = record.level() <= Level::Warn;
        self.writer
            .lock()
            .write(ring, site, stamp, &line, is_reason);
    }

    /// Reports lines that were left out, as far as that is due. For a main loop: if nobody logs any more, nothing else
    /// does.
    fn flush(&self) {
        if let Some((ring, stamp)) = self.now() {
            self.writer.lock().report_left_out(ring, stamp);
        }
    }
}
