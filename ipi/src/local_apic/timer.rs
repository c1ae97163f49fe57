//! The local APIC's timer (Intel SDM vol. 3A, 11.5.4).
//!
//! Counts are of the timer's input clock divided by [`TIMER_DIVIDE`]; how fast that is, the caller measures. A vector is
//! [`VECTOR_MIN`](crate::VECTOR_MIN) or above: below 16 the local APIC logs an error in place of the interrupt, and 16 to 31 look like
//! exceptions. A timer that is set or stopped may still deliver one interrupt that was on its way.

use super::{LVT_MASKED, LocalApic};
use crate::mode::{Mode, TscDeadline};
use crate::registers::{Register, Registers};

/// Input clocks in one count. With 16, the 32-bit count lasts over a minute at 1 GHz, and one count is less than a microsecond at 25 MHz.
pub const TIMER_DIVIDE: u32 = 16;

/// The code for a divisor of 16 (Intel SDM vol. 3A, figure 11-10).
const DIVIDE_BY_16: u32 = 0b0011;

/// Timer modes in its local vector.
const LVT_ONE_SHOT: u32 = 0 << 17;
const LVT_PERIODIC: u32 = 1 << 17;
const LVT_TSC_DEADLINE: u32 = 2 << 17;

impl<R: Registers> LocalApic<R> {
    /// One interrupt, `count` counts from now. 0 stops the timer.
    pub fn timer_one_shot(&self, vector: u8, count: u32) {
        self.start_timer(LVT_ONE_SHOT | u32::from(vector), count);
    }

    /// An interrupt every `count` counts. 0 stops the timer.
    pub fn timer_periodic(&self, vector: u8, count: u32) {
        self.start_timer(LVT_PERIODIC | u32::from(vector), count);
    }

    /// One interrupt when the time-stamp counter reaches `deadline_tsc`, at once if it has. 0 withdraws it.
    pub fn timer_deadline(&self, _proof: TscDeadline, vector: u8, deadline_tsc: u64) {
        self.write(Register::LvtTimer, LVT_TSC_DEADLINE | u32::from(vector));
        if self.mode == Mode::XApic {
            // WRMSR does not wait for the store above, and a deadline written before the mode is ignored (Intel SDM
            // vol. 3A, 11.5.4.1).
            self.registers.fence();
        }
        self.registers.set_tsc_deadline(deadline_tsc);
    }

    /// No more interrupts from the timer.
    pub fn timer_stop(&self) {
        let entry = self.read(Register::LvtTimer);
        self.write(Register::LvtTimer, entry | LVT_MASKED);
        self.write(Register::InitialCount, 0);
    }

    /// Counts left; 0 when it has stopped, and in TSC-deadline mode.
    pub fn timer_count(&self) -> u32 {
        self.read(Register::CurrentCount)
    }

    /// The write of the count starts the timer, so it comes last.
    fn start_timer(&self, entry: u32, count: u32) {
        self.write(Register::DivideConfiguration, DIVIDE_BY_16);
        self.write(Register::LvtTimer, entry);
        self.write(Register::InitialCount, count);
    }
}
