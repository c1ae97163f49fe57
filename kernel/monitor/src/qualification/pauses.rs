//! How the seat is paused, by firmware (SMI) or by whatever runs below, while it does nothing but look at the clock.

use arch::clock::Clock;
use qualify::Pauses;

/// How long it looks, in ms.
const WATCHED_MS: u32 = 1_000;

/// Looks at the clock, with interrupts off.
pub fn measure(clock: &Clock) -> Pauses {
    let mut pauses = Pauses {
        watched_ms: WATCHED_MS,
        ..Pauses::default()
    };
    x86_64::instructions::interrupts::without_interrupts(|| {
        let begin_ns = clock.now_ns();
        let mut last_ns = begin_ns;
        while last_ns - begin_ns < u64::from(WATCHED_MS) * 1_000_000 {
            let now_ns = clock.now_ns();
            pauses.add(now_ns - last_ns);
            last_ns = now_ns;
        }
    });
    pauses
}
