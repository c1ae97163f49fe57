//! The logger: writes lines like `[    1.234567] who: text` into the program's ring.

use core::fmt::{self, Write};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};
use sharedmem::log_ring::{LINE_BYTES, LogRing};
use spin::{Mutex, Once};

use crate::clock::Clock;

/// The program's logger.
pub struct Logger {
    identity: Once<(&'static str, Clock)>,
    ring: AtomicPtr<LogRing>,
    lock: Mutex<()>,
}

/// The one logger of this program.
pub static LOGGER: Logger = Logger {
    identity: Once::new(),
    ring: AtomicPtr::new(ptr::null_mut()),
    lock: Mutex::new(()),
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

    /// Frees the lock by force. For a dying kernel, whose stopped cores may hold it.
    ///
    /// # Safety
    /// The core that holds the lock never runs again.
    pub unsafe fn break_lock(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.lock.force_unlock() };
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
        let ring = self.ring.load(Ordering::Acquire);
        let (Some((who, clock)), false) = (self.identity.get(), ring.is_null()) else {
            return;
        };
        let mut line = Line {
            bytes: [0; LINE_BYTES],
            length: 0,
        };
        let now_us = clock.now_ns() / 1000;
        let _ = write!(
            line,
            "[{:5}.{:06}] {who}: {}",
            now_us / 1_000_000,
            now_us % 1_000_000,
            record.args()
        );
        line.end();
        let _guard = self.lock.lock();
        // SAFETY: set from a `&'static LogRing`.
        unsafe { &*ring }.write(&line.bytes[..line.length]);
    }

    fn flush(&self) {}
}

/// A line under construction. One byte is always kept free for the newline. What is beyond [`LINE_BYTES`] is cut off.
struct Line {
    bytes: [u8; LINE_BYTES],
    length: usize,
}

impl Line {
    /// Appends the newline.
    fn end(&mut self) {
        self.bytes[self.length] = b'\n';
        self.length += 1;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = LINE_BYTES - 1 - self.length;
        let taken = text.len().min(free);
        self.bytes[self.length..self.length + taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.length += taken;
        Ok(())
    }
}
