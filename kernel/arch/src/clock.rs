//! Time: nanoseconds since the machine's boot, from the time-stamp counter.

use core::arch::x86_64::_rdtsc;

/// Reads the time-stamp counter.
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: RDTSC only returns a value, and every x86-64 processor has it.
    unsafe { _rdtsc() }
}

/// A conversion of counter values into nanoseconds. All kernels use the same one, so their times are comparable.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    tsc_at_boot: u64,
    /// Nanoseconds per tick, as a fraction of 2^32.
    ns_per_tick_q32: u64,
}

impl Clock {
    /// Makes a clock for a counter of `tsc_hz` Hz that read `tsc_at_boot` at time 0.
    pub fn new(tsc_hz: u64, tsc_at_boot: u64) -> Self {
        let ns_per_tick_q32 = ((1_000_000_000_u128 << 32) / u128::from(tsc_hz.max(1))) as u64;
        Self {
            tsc_at_boot,
            ns_per_tick_q32,
        }
    }

    /// Returns the nanoseconds since boot.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.ns_of(ticks().saturating_sub(self.tsc_at_boot))
    }

    /// Returns the length of `ticks` in nanoseconds.
    #[inline]
    pub fn ns_of(&self, ticks: u64) -> u64 {
        ((u128::from(ticks) * u128::from(self.ns_per_tick_q32)) >> 32) as u64
    }

    /// Spins until `duration_ns` have passed. Lets others go first: where processors are emulated one after another, or
    /// share a core, somebody else has more to do.
    pub fn spin_ns(&self, duration_ns: u64) {
        core::hint::spin_loop();
        self.spin_until(duration_ns, || false);
    }

    /// Spins until `is_done` returns true, at most for `duration_ns`.
    pub fn spin_until(&self, duration_ns: u64, is_done: impl Fn() -> bool) {
        let end = self.now_ns().saturating_add(duration_ns);
        while !is_done() && self.now_ns() < end {
            core::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_as_long_as_the_frequency_says() {
        assert_eq!(Clock::new(1_000_000_000, 0).ns_of(12_345), 12_345);
        assert_eq!(Clock::new(2_000_000_000, 0).ns_of(10), 5);
        // A year of a 3 GHz counter: no overflow, and an error below 0.0001 %.
        let year_ns = 365 * 86_400 * 1_000_000_000_u64;
        assert!(
            Clock::new(3_000_000_000, 0)
                .ns_of(year_ns * 3)
                .abs_diff(year_ns)
                < year_ns / 1_000_000
        );
    }
}
