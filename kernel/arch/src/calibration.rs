//! How fast a counter runs: measured against a timer whose frequency is known, or as the processor states it.
//!
//! A sample is as exact as its two ends: a read of the timer lies between two reads of the counter, and whatever stops
//! the processor there (an SMI, a host) makes the end wider, which shows in the error. What is taken are two samples
//! that agree within their errors, because a timer may also be read wrong.

use core::fmt;

/// Length of a sample, in parts of a second: 10 ms.
const SAMPLES_PER_S: u64 = 100;

/// Samples until the best one is taken, whether or not another agrees.
const SAMPLES_MAX: usize = 8;

/// Reads of a timer that stands still before it is given up.
const READS_MAX: u32 = 50_000_000;

/// A statement of the processor that is further from a timer's than this (and its error) is wrong, in ppm.
const CONTRADICTION_PPM: u64 = 10_000;

/// How exact the crystal is that the processor names, in ppm.
const CRYSTAL_PPM: u64 = 100;

const PPM: u64 = 1_000_000;

/// A timer whose frequency is known. It counts up and wraps.
pub trait Timer {
    /// Returns its frequency, in Hz.
    fn hz(&self) -> u64;
    /// Returns the bits that count.
    fn mask(&self) -> u64;
    /// Reads it.
    fn read(&mut self) -> u64;
}

/// Where a frequency comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The processor names its crystal and the ratio (CPUID 15h).
    Crystal,
    /// The processor names its base frequency, in MHz (CPUID 16h).
    BaseFrequency,
    /// The ACPI power-management timer.
    PmTimer,
    /// The high precision event timer.
    Hpet,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crystal => "cpuid-15h",
            Self::BaseFrequency => "cpuid-16h",
            Self::PmTimer => "pm-timer",
            Self::Hpet => "hpet",
        })
    }
}

/// A frequency, and how wrong it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    /// In Hz.
    pub hz: u64,
    /// The largest error, in ppm.
    pub error_ppm: u64,
}

impl Frequency {
    fn agrees_with(self, other: Self, more_ppm: u64) -> bool {
        let apart_ppm = u128::from(self.hz.abs_diff(other.hz)) * u128::from(PPM);
        let allowed_ppm = u128::from(self.error_ppm + other.error_ppm + more_ppm);
        apart_ppm <= allowed_ppm * u128::from(other.hz)
    }
}

/// Returns what the processor states of its time-stamp counter, by the registers EAX, EBX and ECX of CPUID 15h, and EAX
/// of CPUID 16h; absent leaves are zeros (SDM vol. 3B, 20.7.3).
pub fn stated(
    [denominator, numerator, crystal_hz]: [u32; 3],
    base_mhz: u32,
) -> Option<(Source, Frequency)> {
    if denominator != 0 && numerator != 0 && crystal_hz != 0 {
        let hz = u64::from(crystal_hz) * u64::from(numerator) / u64::from(denominator);
        let frequency = Frequency {
            hz,
            error_ppm: CRYSTAL_PPM,
        };
        return (hz > 0).then_some((Source::Crystal, frequency));
    }
    // The counter runs at the base frequency where leaf 15h gives a ratio and no crystal. It is rounded to whole MHz.
    let is_base = denominator != 0 && numerator != 0 && base_mhz != 0;
    let rounding_ppm = PPM / 2 / u64::from(base_mhz.max(1)) + 1;
    let frequency = Frequency {
        hz: u64::from(base_mhz) * 1_000_000,
        error_ppm: CRYSTAL_PPM + rounding_ppm,
    };
    is_base.then_some((Source::BaseFrequency, frequency))
}

/// Measures `counter`, which counts up, against `timer`. `None` if the timer does not run.
pub fn measure(timer: &mut impl Timer, mut counter: impl FnMut() -> u64) -> Option<Frequency> {
    let mut samples = [None::<Frequency>; SAMPLES_MAX];
    for number in 0..SAMPLES_MAX {
        let new = sample(timer, &mut counter)?;
        let agreeing = samples[..number]
            .iter()
            .flatten()
            .filter(|old| new.agrees_with(**old, 0));
        if let Some(old) = agreeing.min_by_key(|old| old.error_ppm) {
            return Some(if old.error_ppm < new.error_ppm {
                *old
            } else {
                new
            });
        }
        samples[number] = Some(new);
    }
    samples.into_iter().flatten().min_by_key(|it| it.error_ppm)
}

/// A read of the timer, and the reads of the counter before and after it.
struct End {
    timer: u64,
    before: u64,
    after: u64,
}

fn read(timer: &mut impl Timer, counter: &mut impl FnMut() -> u64) -> End {
    let before = counter();
    let timer = timer.read();
    End {
        timer,
        before,
        after: counter(),
    }
}

fn sample(timer: &mut impl Timer, counter: &mut impl FnMut() -> u64) -> Option<Frequency> {
    let mask = timer.mask();
    let wanted = (timer.hz() / SAMPLES_PER_S).max(1);
    let first = timer.read();
    // The first read after a step is at most one read behind it.
    let begin = (0..READS_MAX)
        .map(|_| read(timer, counter))
        .find(|it| it.timer != first)?;
    let passed = |it: &End| it.timer.wrapping_sub(begin.timer) & mask;
    // A read that the next one contradicts was wrong.
    let mut last = None::<End>;
    let end = (0..READS_MAX).find_map(|_| {
        let now = read(timer, counter);
        let confirmed = last
            .take()
            .filter(|last| (wanted..=passed(&now)).contains(&passed(last)));
        last = Some(now);
        confirmed
    })?;
    let timer_ticks = u128::from(passed(&end));
    let middle = |it: &End| u128::from(it.before) + u128::from(it.after - it.before) / 2;
    let ticks = middle(&end).saturating_sub(middle(&begin));
    let hz = u64::try_from(ticks * u128::from(timer.hz()) / timer_ticks)
        .ok()
        .filter(|hz| *hz > 0)?;
    let width = |it: &End| u128::from(it.after - it.before).div_ceil(2);
    // Each of the timer's reads may be one tick behind.
    let ticks_wrong = width(&begin) + width(&end) + ticks.div_ceil(timer_ticks);
    let error_ppm = u64::try_from(ticks_wrong * u128::from(PPM) / ticks.max(1)).unwrap_or(PPM) + 1;
    Some(Frequency {
        hz,
        error_ppm: error_ppm.min(PPM),
    })
}

/// What is known of a frequency, and from where; with what the processor stated if a timer contradicts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The frequency.
    pub frequency: Frequency,
    /// Where it comes from.
    pub source: Source,
    /// What the processor stated, if that is wrong.
    pub contradicted: Option<Frequency>,
}

/// Decides between what the processor states and what a timer shows: the more exact one, and the timer if they are far
/// apart, because emulators and hypervisors state what their host has. `None` if there is neither.
pub fn decide(
    stated: Option<(Source, Frequency)>,
    measured: Option<(Source, Frequency)>,
) -> Option<Known> {
    let of = |(source, frequency), contradicted| Known {
        frequency,
        source,
        contradicted,
    };
    match (stated, measured) {
        (Some(stated), Some(measured)) => {
            let agree = stated.1.agrees_with(measured.1, CONTRADICTION_PPM);
            Some(match agree {
                true if stated.1.error_ppm <= measured.1.error_ppm => of(stated, None),
                true => of(measured, None),
                false => of(measured, Some(stated.1)),
            })
        }
        (Some(one), None) | (None, Some(one)) => Some(of(one, None)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    const COUNTER_HZ: u64 = 2_500_000_000;

    /// A machine on which each read takes a microsecond, and some take longer.
    struct Fake {
        now_ns: Cell<u64>,
        reads: Cell<u64>,
        /// Each so many reads of the timer, the processor stops for so long.
        pause: Option<(u64, u64)>,
    }

    struct FakeTimer<'a> {
        machine: &'a Fake,
        hz: u64,
        bits: u32,
        is_running: bool,
        /// One read in so many is wrong.
        wrong: Option<u64>,
    }

    impl Timer for FakeTimer<'_> {
        fn hz(&self) -> u64 {
            self.hz
        }
        fn mask(&self) -> u64 {
            (1 << self.bits) - 1
        }
        fn read(&mut self) -> u64 {
            let machine = self.machine;
            let read = machine.reads.get() + 1;
            machine.reads.set(read);
            let pause_ns = machine
                .pause
                .filter(|(each, _)| read.is_multiple_of(*each))
                .map_or(0, |it| it.1);
            machine.now_ns.set(machine.now_ns.get() + 1_000 + pause_ns);
            let ns = if self.is_running {
                machine.now_ns.get()
            } else {
                0
            };
            let value = (u128::from(ns) * u128::from(self.hz) / 1_000_000_000) as u64 & self.mask();
            match self.wrong {
                Some(each) if read.is_multiple_of(each) => value ^ 1 << 15,
                _ => value,
            }
        }
    }

    fn machine(pause: Option<(u64, u64)>) -> Fake {
        // Near the end of a 24 bit timer's range.
        Fake {
            now_ns: Cell::new(4_686_000_000),
            reads: Cell::new(0),
            pause,
        }
    }

    fn timer(machine: &Fake) -> FakeTimer<'_> {
        FakeTimer {
            machine,
            hz: 3_579_545,
            bits: 24,
            is_running: true,
            wrong: None,
        }
    }

    fn measured(machine: &Fake, mut timer: FakeTimer<'_>) -> Option<Frequency> {
        measure(&mut timer, || {
            (u128::from(machine.now_ns.get()) * u128::from(COUNTER_HZ) / 1_000_000_000) as u64
        })
    }

    fn assert_right(found: Frequency) {
        let apart_ppm = found.hz.abs_diff(COUNTER_HZ) * PPM / COUNTER_HZ;
        assert!(apart_ppm <= found.error_ppm, "{found:?}");
    }

    #[test]
    fn a_counter_is_measured_within_the_stated_error() {
        for (hz, bits) in [
            (3_579_545, 24),
            (14_318_180, 32),
            (100_000_000, 32),
            (10_000_000, 63),
        ] {
            let machine = machine(None);
            let found = measured(
                &machine,
                FakeTimer {
                    hz,
                    bits,
                    ..timer(&machine)
                },
            )
            .unwrap();
            assert_right(found);
            assert!(found.error_ppm < 500, "{found:?}");
        }
    }

    #[test]
    fn pauses_and_wrong_reads_cost_no_truth() {
        for each in [2_000, 5_003, 9_001, 9_990, 10_007] {
            let machine = machine(Some((each, 3_000_000)));
            assert_right(measured(&machine, timer(&machine)).unwrap());
        }
        for each in [7_001, 10_004, 23_003] {
            let machine = machine(None);
            let found = measured(
                &machine,
                FakeTimer {
                    wrong: Some(each),
                    ..timer(&machine)
                },
            );
            assert_right(found.unwrap());
        }
    }

    #[test]
    fn a_timer_that_stands_still_is_given_up() {
        let machine = machine(None);
        let found = measured(
            &machine,
            FakeTimer {
                is_running: false,
                ..timer(&machine)
            },
        );
        assert_eq!(found, None);
    }

    #[test]
    fn processors_state_what_the_manual_says() {
        let [skylake, no_crystal, absent] = [
            ([2, 292, 24_000_000], 3500),
            ([2, 292, 0], 3500),
            ([0; 3], 0),
        ]
        .map(|(leaf, base)| stated(leaf, base).map(|(source, it)| (source, it.hz)));
        assert_eq!(skylake, Some((Source::Crystal, 3_504_000_000)));
        assert_eq!(no_crystal, Some((Source::BaseFrequency, 3_500_000_000)));
        assert_eq!(absent, None);
        assert_eq!(
            stated([0, 0, 24_000_000], 3500),
            None,
            "without a ratio, nothing is said of the counter"
        );
    }

    #[test]
    fn the_more_exact_is_taken_and_a_timer_contradicts() {
        let of = |hz, error_ppm| Frequency { hz, error_ppm };
        let (exact, rough) = (of(2_500_000_000, 100), of(2_501_000_000, 900));
        let stated = |it| Some((Source::Crystal, it));
        let timer = |it| Some((Source::Hpet, it));
        let source = |stated, timer| decide(stated, timer).map(|it| it.source);
        assert_eq!(source(stated(exact), timer(rough)), Some(Source::Crystal));
        assert_eq!(source(stated(rough), timer(exact)), Some(Source::Hpet));
        assert_eq!(source(stated(rough), None), Some(Source::Crystal));
        assert_eq!(source(None, timer(rough)), Some(Source::Hpet));
        assert_eq!(decide(None, None), None);
        // Bochs has a processor of 3.5 GHz whose counter runs at 50 MHz.
        let known = decide(stated(of(3_500_000_000, 100)), timer(of(50_000_000, 300))).unwrap();
        assert_eq!(
            (known.source, known.contradicted.map(|it| it.hz)),
            (Source::Hpet, Some(3_500_000_000))
        );
    }
}
