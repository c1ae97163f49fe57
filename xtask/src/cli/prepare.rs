//! Prepares what a command boots.

use anyhow::Result;
use harness::accel::AccelChoice;
use harness::images::{self, Images};
use harness::machine::Accel;
use harness::setup::{self, HostTools, LocalSystem};

/// Checks the host and builds the images, for a command that boots something.
pub fn prepare() -> Result<(HostTools, Images)> {
    Ok((setup::check(&LocalSystem)?, images::build(&[])?))
}

/// Chooses the accelerator, and prints why it is this one.
pub fn choose_accel(choice: AccelChoice, images: &Images) -> Result<Accel> {
    let (accel, reason) = choice.resolve(images)?;
    println!("accelerator: {} ({reason})", accel.label());
    Ok(accel)
}
