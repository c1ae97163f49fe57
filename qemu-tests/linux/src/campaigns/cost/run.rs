//! What is measured, and one run of it.

use std::fmt;
use std::time::Duration;

use sharedmem::event::Worked;

use harness::problem::{Problem, require_equal};
use linux_kit::packages::Series;

/// CPUs that Linux has, in every machine. Beside a backup there is one more, the monitor's.
pub const CPUS: u32 = 3;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The kernel that works.
    pub primary: Series,
    /// The kernel that waits.
    pub backup: Series,
    /// The time-outs that are tried.
    pub timeouts: Vec<Duration>,
    /// Runs of each, with other random numbers in each.
    pub runs: u32,
    /// An instruction takes 2 to the power of this, in ns.
    pub shift: u32,
}

/// One run of the work.
#[derive(Clone, Debug, PartialEq)]
pub struct CostRun {
    /// How long it took, in ns of the model's time.
    pub took_ns: f64,
    /// Interrupts of each CPU's local timer per second.
    pub interrupts_hz: Vec<f64>,
    /// Keepalives per second; 0 without a backup.
    pub keepalives_hz: f64,
    /// The clock source of Linux.
    pub clock: String,
}

/// The runs with the same random numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Without a monitor and a backup.
    pub alone: CostRun,
    /// Beside a backup, for each time-out.
    pub beside: Vec<CostRun>,
}

impl CostRun {
    /// Takes what the guest reports of its work.
    ///
    /// # Errors
    /// There is not one count of interrupts for each CPU.
    pub fn of(worked: &Worked) -> Result<Self, Problem> {
        let took_ns = worked.took_ns as f64;
        let counts = worked.interrupts.as_slice().iter();
        let interrupts_hz: Vec<f64> = counts
            .map(|count| f64::from(*count) / took_ns * 1e9)
            .collect();
        require_equal("timers counted", interrupts_hz.len(), CPUS as usize)?;
        Ok(Self {
            took_ns,
            interrupts_hz,
            keepalives_hz: rate(worked.before.as_str(), worked.after.as_str()).unwrap_or(0.0),
            clock: worked.clock.as_str().into(),
        })
    }
}

impl fmt::Display for CostRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rates: Vec<String> = self
            .interrupts_hz
            .iter()
            .map(|hz| format!("{hz:.0}"))
            .collect();
        write!(
            f,
            "{:.3} ms; timer interrupts per second by CPU: {}; {:.0} keepalives per second; clock {}",
            self.took_ns / 1e6,
            rates.join(", "),
            self.keepalives_hz,
            self.clock
        )
    }
}

/// Computes the keepalives per second between two texts `COUNT@SECONDS`; `None` if there were none.
fn rate(before: &str, after: &str) -> Option<f64> {
    let read = |text: &str| {
        let (count, time_s) = text.split_once('@')?;
        Some((count.parse::<f64>().ok()?, time_s.parse::<f64>().ok()?))
    };
    let ((count, since_s), (count_after, until_s)) = (read(before)?, read(after)?);
    Some((count_after - count) / (until_s - since_s)).filter(|rate| rate.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharedmem::event::Event;

    const LINE: &str = "event=worked kind=beside cpus=3 clock=tsc before=1000@10.00 after=5000@14.00 \
        took_ns=2000000000 interrupts=2500,600,600 ;";

    fn read(line: &str) -> Result<CostRun, Problem> {
        CostRun::of(&Worked::parse(line).unwrap())
    }

    #[test]
    fn what_the_guest_tells_is_read() {
        let run = read(LINE).unwrap();
        assert_eq!(run.interrupts_hz, [1250.0, 300.0, 300.0]);
        assert_eq!(
            (run.took_ns, run.keepalives_hz, run.clock.as_str()),
            (2e9, 1000.0, "tsc")
        );
        let alone = LINE.replace("1000@", "@").replace("5000@", "@");
        let run = read(&alone).unwrap();
        assert!(run.keepalives_hz.abs() < f64::EPSILON);
        let fewer = LINE.replace("2500,", "");
        assert!(read(&fewer).is_err());
    }
}
