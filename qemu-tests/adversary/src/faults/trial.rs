//! One fault on one machine.

use super::Fault;
use crate::observed::Observed;
use crate::scene::Scene;
use harness::images::Images;
use harness::problem::Problem;

/// Boots a machine, strikes with `fault`, forces a death, and returns what was observed.
///
/// # Errors
/// The machine does not come up, or the fault cannot be made.
pub fn run(fault: &Fault, images: &Images) -> Result<Observed, Problem> {
    let scene = Scene::start(&format!("fault-{}", fault.name), images)?;
    (fault.strike)(&scene.machine)?;
    scene.observe(fault.watched)
}
