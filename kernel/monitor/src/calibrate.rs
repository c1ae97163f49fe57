//! How fast the time-stamp counter and the local APIC's timer run: what the processor states, and what the HPET or the
//! ACPI power-management timer shows.

use arch::calibration::{Frequency, Known, Source, Timer, decide, measure, stated};
use arch::clock;
use core::ptr;
use ipi::LocalApic;
use partition::acpi::AcpiInfo;
use raw_cpuid::{CpuIdReader, CpuIdReaderNative};
use x86_64::instructions::port::PortReadOnly;

/// The power-management timer's frequency (ACPI 6.5, 4.8.3.3).
const PM_TIMER_HZ: u64 = 3_579_545;

/// A measurement that is worse is tried by the other timer, too.
const GOOD_PPM: u64 = 500;

/// How fast things run.
#[derive(Clone, Copy, Debug)]
pub struct Frequencies {
    /// Of the time-stamp counter, in Hz.
    pub tsc_hz: u64,
    /// Where that comes from.
    pub tsc: Known,
    /// Of the local APIC's timer as `ipi` programs it, in Hz.
    pub apic_timer_hz: u64,
}

/// Finds out. `None` if neither the processor nor a timer says how fast the time-stamp counter runs.
///
/// # Safety
/// The first `mapped_bytes` of physical memory are mapped at their addresses; nobody else uses the HPET.
pub unsafe fn frequencies(
    acpi: &AcpiInfo,
    local_apic: &LocalApic,
    unused_vector: u8,
    mapped_bytes: u64,
) -> Option<Frequencies> {
    let pm_timer = acpi.pm_timer.and_then(|pm_timer| {
        let mut timer = PmTimer(PortReadOnly::new(pm_timer.port));
        Some((Source::PmTimer, measure(&mut timer, clock::ticks)?))
    });
    let is_good = |it: &(Source, Frequency)| it.1.error_ppm <= GOOD_PPM;
    let hpet = || {
        // SAFETY: the caller's promise.
        let mut timer = unsafe { Hpet::start(acpi.hpet?, mapped_bytes)? };
        Some((Source::Hpet, measure(&mut timer, clock::ticks)?))
    };
    let measured = match pm_timer.filter(is_good) {
        Some(good) => Some(good),
        None => [pm_timer, hpet()]
            .into_iter()
            .flatten()
            .min_by_key(|it| it.1.error_ppm),
    };
    let leaf = |number| {
        let has_it = CpuIdReaderNative.cpuid1(0).eax >= number;
        has_it.then(|| CpuIdReaderNative.cpuid2(number, 0))
    };
    let ratio = leaf(0x15).map_or([0; 3], |it| [it.eax, it.ebx, it.ecx]);
    let tsc = decide(
        stated(ratio, leaf(0x16).map_or(0, |it| it.eax & 0xffff)),
        measured,
    )?;
    let tsc_hz = tsc.frequency.hz;
    local_apic.timer_one_shot(unused_vector, u32::MAX);
    let apic_timer = measure(&mut Tsc { hz: tsc_hz }, || {
        u64::from(u32::MAX - local_apic.timer_count())
    });
    local_apic.timer_stop();
    Some(Frequencies {
        tsc_hz,
        tsc,
        apic_timer_hz: apic_timer?.hz,
    })
}

/// The power-management timer. 24 bits count in any case.
struct PmTimer(PortReadOnly<u32>);

impl Timer for PmTimer {
    fn hz(&self) -> u64 {
        PM_TIMER_HZ
    }

    fn mask(&self) -> u64 {
        0xff_ffff
    }

    fn read(&mut self) -> u64 {
        // SAFETY: reading the timer's port, as given by the FADT, has no side effect.
        u64::from(unsafe { self.0.read() }) & self.mask()
    }
}

/// Registers of the HPET (IA-PC HPET 1.0a, 2.3), and the bit that lets it count.
const HPET_PERIOD_FS: u64 = 0x4;
const HPET_CONFIGURATION: u64 = 0x10;
const HPET_COUNTER: u64 = 0xf0;
const HPET_ENABLED: u32 = 1;
const HPET_BYTES: u64 = 0x400;

/// The longest period that an HPET may have, in fs (2.3.4).
const HPET_PERIOD_FS_MAX: u32 = 100_000_000;

const FS_PER_S: u64 = 1_000_000_000_000_000;

/// The high precision event timer. It counts for as long as this lives, and then goes on if it did before.
struct Hpet {
    registers: u64,
    hz: u64,
    configuration: u32,
}

impl Hpet {
    /// Lets it count. `None` if what is there is none.
    ///
    /// # Safety
    /// As for [`frequencies`].
    unsafe fn start(registers: u64, mapped_bytes: u64) -> Option<Self> {
        if registers.checked_add(HPET_BYTES)? > mapped_bytes {
            return None;
        }
        // SAFETY: mapped, by the caller's promise; the ACPI tables say that the registers are there, and reads of
        // these have no side effect.
        let read = |offset| unsafe { ptr::read_volatile((registers + offset) as *const u32) };
        let period_fs = read(HPET_PERIOD_FS);
        if !(1..=HPET_PERIOD_FS_MAX).contains(&period_fs) {
            return None;
        }
        let configuration = read(HPET_CONFIGURATION);
        let hpet = Self {
            registers,
            hz: FS_PER_S / u64::from(period_fs),
            configuration,
        };
        hpet.configure(configuration | HPET_ENABLED);
        Some(hpet)
    }

    fn configure(&self, value: u32) {
        // SAFETY: `start` found an HPET there, which nobody else uses.
        unsafe { ptr::write_volatile((self.registers + HPET_CONFIGURATION) as *mut u32, value) };
    }
}

impl Timer for Hpet {
    fn hz(&self) -> u64 {
        self.hz
    }

    fn mask(&self) -> u64 {
        // Its lower half counts in any case.
        u32::MAX.into()
    }

    fn read(&mut self) -> u64 {
        // SAFETY: as in `start`.
        unsafe { ptr::read_volatile((self.registers + HPET_COUNTER) as *const u32) }.into()
    }
}

impl Drop for Hpet {
    fn drop(&mut self) {
        self.configure(self.configuration);
    }
}

/// The time-stamp counter, as the timer for another counter.
struct Tsc {
    hz: u64,
}

impl Timer for Tsc {
    fn hz(&self) -> u64 {
        self.hz
    }

    fn mask(&self) -> u64 {
        u64::MAX
    }

    fn read(&mut self) -> u64 {
        clock::ticks()
    }
}
