//! The log before there is a shared region.

use arch::clock::Clock;
use arch::logger::LOGGER;
use sharedmem::log_ring::LogRing;
use spin::Once;

static RING: Once<LogRing> = Once::new();

/// Logs into the ring from here on, by this clock.
pub fn start(clock: Clock) {
    LOGGER.start("monitor", clock, RING.call_once(LogRing::default));
}

/// Returns what was logged so far; to be printed first.
pub fn ring() -> Option<&'static LogRing> {
    RING.get()
}
