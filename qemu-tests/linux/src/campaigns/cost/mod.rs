//! Measures what an armed backup costs the primary: the same work in the same Linux, beside a backup and alone, in the
//! deterministic model.
//!
//! The model counts the instructions that all CPUs execute, one after the other. At 1 ns each, all CPUs together are as
//! fast as one core of 1 GHz that completes one instruction in each cycle. So the monitor's instructions are charged to
//! the primary, which they are not on a machine; and an interrupt costs no more than its instructions. The slower the
//! model, the more weight has what happens a fixed number of times in a second.

mod machines;
mod report;
mod run;

use harness::images::Images;
use harness::problem::{Problem, require_equal};

use self::machines::Machines;
pub use self::report::CostReport;
pub use self::run::{Cost, CostRun, Round};

impl Cost {
    /// Measures the cost, and prints its progress.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had; a machine does not do what it should.
    pub fn measure(&self, images: &Images) -> Result<CostReport, Problem> {
        linux_kit::check()?;
        let machines = Machines::new(self, images)?;
        let mut rounds = Vec::new();
        for seed in 1..=self.runs {
            let alone = machines.alone(seed)?;
            println!("bench: run {seed} of {}: alone {}", self.runs, alone);
            let mut beside = Vec::new();
            for timeout in &self.timeouts {
                let run = machines.beside(*timeout, seed)?;
                println!("bench: beside a backup, {timeout:?}: {}", run);
                require_equal("the clock beside a backup", &run.clock, &alone.clock)?;
                beside.push(run);
            }
            rounds.push(Round { alone, beside });
        }
        Ok(CostReport::new(self.clone(), machines.release(), rounds))
    }
}
