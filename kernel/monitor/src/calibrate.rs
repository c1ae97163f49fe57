//! How fast the time-stamp counter and the local APIC's timer run, measured against the ACPI power-management timer.

use arch::clock;
use ipi::LocalApic;
use x86_64::instructions::port::PortReadOnly;

/// The power-management timer's frequency (ACPI 6.5, 4.8.3.3).
const PM_TIMER_HZ: u64 = 3_579_545;

/// Length of the measurement: 10 ms, for an error below 0.1 %.
const PM_TICKS: u32 = (PM_TIMER_HZ / 100) as u32;

/// Reads of a timer that stands still before it is given up.
const READS_MAX: u32 = 50_000_000;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Frequencies {
    /// Of the time-stamp counter, in Hz.
    pub tsc_hz: u64,
    /// Of the local APIC's timer as `ipi` programs it, in Hz.
    pub apic_timer_hz: u64,
}

/// Measures. `None` if the power-management timer at I/O port `pm_timer_port` does not run.
pub fn measure(
    pm_timer_port: u16,
    local_apic: &LocalApic,
    unused_vector: u8,
) -> Option<Frequencies> {
    let mut port = PortReadOnly::<u32>::new(pm_timer_port);
    // SAFETY: reading the timer's port, as given by the FADT, has no side effect. 24 bits count in any case.
    let mut read = || unsafe { port.read() } & 0xff_ffff;
    let first = read();
    let start = (0..READS_MAX).map(|_| read()).find(|now| *now != first)?;
    let tsc_start = clock::ticks();
    local_apic.timer_one_shot(unused_vector, u32::MAX);
    let elapsed = (0..READS_MAX)
        .map(|_| read().wrapping_sub(start) & 0xff_ffff)
        .find(|elapsed| *elapsed >= PM_TICKS)?;
    let tsc_ticks = clock::ticks() - tsc_start;
    let apic_ticks = u64::from(u32::MAX - local_apic.timer_count());
    local_apic.timer_stop();
    let hz =
        |ticks: u64| (u128::from(ticks) * u128::from(PM_TIMER_HZ) / u128::from(elapsed)) as u64;
    Some(Frequencies {
        tsc_hz: hz(tsc_ticks),
        apic_timer_hz: hz(apic_ticks).max(1),
    })
}
