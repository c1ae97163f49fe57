//! The local APIC's timer (Intel SDM vol. 3A, 11.5.4).
//!
//! The timer counts its input clock divided by [`TIMER_DIVIDE`]; the caller measures how fast that is. A vector is
//! [`VECTOR_MIN`](crate::VECTOR_MIN) or above: below 16 the local APIC logs an error in place of the interrupt, and 16
//! to 31 look like exceptions. After the timer is set or stopped, one interrupt that was already on its way may still
//! be delivered.

use super::{LVT_MASKED, LocalApic};
use crate::mode::{Mode, TscDeadline};
use crate::registers::{Register, Registers};

/// Input clocks per count. With 16, the 32-bit count lasts more than a minute at 1 GHz, and one count is shorter than a
/// microsecond at 25 MHz.
pub const TIMER_DIVIDE: u32 = 16;

/// The code for a divisor of 16 (Intel SDM vol. 3A, figure 11-10).
const DIVIDE_BY_16: u32 = 0b0011;

/// Timer modes in its local vector.
const LVT_ONE_SHOT: u32 = 0 << 17;
const LVT_PERIODIC: u32 = 1 << 17;
const LVT_TSC_DEADLINE: u32 = 2 << 17;

impl<R: Registers> LocalApic<R> {
    /// Starts the timer for one interrupt, `count` counts from now. A count of 0 stops the timer.
    pub fn timer_one_shot(&self, vector: u8, count: u32) {
        self.start_timer(LVT_ONE_SHOT | u32::from(vector), count);
    }

    /// Starts the timer for an interrupt every `count` counts. A count of 0 stops the timer.
    pub fn timer_periodic(&self, vector: u8, count: u32) {
        self.start_timer(LVT_PERIODIC | u32::from(vector), count);
    }

    /// Sets the timer for one interrupt when the time-stamp counter reaches `deadline_tsc`, at once if it already has.
    /// A deadline of 0 cancels it.
    pub fn timer_deadline(&self, _proof: TscDeadline, vector: u8, deadline_tsc: u64) {
        self.write(Register::LvtTimer, LVT_TSC_DEADLINE | u32::from(vector));
        if self.mode == Mode::XApic {
            // WRMSR does not wait for the store above, and a deadline that is written before the mode is ignored (Intel
            // SDM vol. 3A, 11.5.4.1).
            self.registers.fence();
        }
        self.registers.set_tsc_deadline(deadline_tsc);
    }

    /// Stops the timer: it starts no more interrupts.
    pub fn timer_stop(&self) {
        let entry = self.read(Register::LvtTimer);
        self.write(Register::LvtTimer, entry | LVT_MASKED);
        self.set_count(0);
    }

    /// Returns the counts left; 0 when the timer has stopped, and in TSC-deadline mode.
    pub fn timer_count(&self) -> u32 {
        match self.mode {
            Mode::XApic => self.registers.read_mmio(Register::CurrentCount),
            Mode::X2Apic => self.registers.x2apic_timer_count(),
        }
    }

    /// Starts the timer. The write of the count starts it, so it comes last.
    fn start_timer(&self, entry: u32, count: u32) {
        self.write(Register::DivideConfiguration, DIVIDE_BY_16);
        self.write(Register::LvtTimer, entry);
        self.set_count(count);
    }

    pub(super) fn set_count(&self, count: u32) {
        match self.mode {
            Mode::XApic => self.registers.write_mmio(Register::InitialCount, count),
            Mode::X2Apic => self.registers.x2apic_set_timer_count(count),
        }
    }
}
