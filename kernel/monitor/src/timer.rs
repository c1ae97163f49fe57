//! The seat's timer: one interrupt after a while.

use ipi::LocalApic;
use spin::Once;

/// The vector of its interrupt.
pub const VECTOR: u8 = 0x50;

struct Timer {
    local_apic: &'static LocalApic,
    hz: u64,
}

static TIMER: Once<Timer> = Once::new();

/// Makes the timer of this local APIC, which runs at `hz`, the one that is armed.
pub fn begin(local_apic: &'static LocalApic, hz: u64) {
    TIMER.call_once(|| Timer { local_apic, hz });
}

/// Lets the timer interrupt after `after_ns`. What was armed before is forgotten.
pub fn arm(after_ns: u64) {
    let Some(timer) = TIMER.get() else { return };
    let ticks = u128::from(after_ns) * u128::from(timer.hz) / 1_000_000_000;
    let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).saturating_add(1);
    timer.local_apic.timer_one_shot(VECTOR, ticks);
}
