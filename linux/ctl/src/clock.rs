//! The time since the machine's boot. All kernels derive it from the time-stamp counter in the same way.

use std::arch::x86_64::_rdtsc;

use crate::hand_off::HandOff;

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    tsc_at_boot: u64,
    /// Nanoseconds per tick, as a fraction of 2^32. The arithmetic is the monitor's own, so that the two clocks do not
    /// drift apart.
    ns_per_tick_q32: u64,
}

impl Clock {
    /// Makes the clock of the machine that `hand_off` describes.
    pub fn new(hand_off: &HandOff) -> Self {
        Self {
            tsc_at_boot: hand_off.tsc_at_boot,
            ns_per_tick_q32: (1_000_000_000 << 32) / hand_off.tsc_hz,
        }
    }

    /// Returns the time, in ns since the machine's boot.
    pub fn now_ns(&self) -> u64 {
        // SAFETY: every x86-64 has the instruction. A kernel that forbids it to programs would end this one; none does
        // by default.
        self.at(unsafe { _rdtsc() })
    }

    fn at(&self, tsc: u64) -> u64 {
        let ticks = u128::from(tsc.wrapping_sub(self.tsc_at_boot));
        ((ticks * u128::from(self.ns_per_tick_q32)) >> 32) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_nanoseconds() {
        let clock = Clock::new(&HandOff {
            tsc_hz: 2_000_000_000,
            tsc_at_boot: 1000,
            timeout_ns: 0,
            cores: Vec::new(),
        });
        assert_eq!(clock.at(1000), 0);
        assert_eq!(clock.at(4_000_001_000), 2_000_000_000);
        let before = clock.now_ns();
        assert!(clock.now_ns() >= before);
    }
}
