//! Chooses the accelerator. KVM may be present and unusable, so it is tried with our own image before it is believed.

use std::fs::File;
use std::time::Duration;

use clap::ValueEnum;

use crate::images::Images;
use crate::machine::{Accel, Launch, MachineSpec, QemuMachine};
use crate::paths;
use crate::problem::Problem;

/// A machine under a working KVM serves within a second or two.
const PROBE_LIMIT: Duration = Duration::from_secs(8);

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AccelChoice {
    /// KVM where it works, else TCG.
    #[default]
    Auto,
    /// KVM, or nothing.
    Kvm,
    /// Translation, one host thread per core.
    Tcg,
    /// Translation in a fixed order: the same in every run.
    Model,
}

impl AccelChoice {
    /// Returns the accelerator, and why it is this one.
    ///
    /// # Errors
    /// KVM was asked for and does not work.
    pub fn resolve(self, images: &Images) -> Result<(Accel, String), Problem> {
        match self {
            Self::Tcg => Ok((Accel::Tcg, "as asked for".into())),
            Self::Model => Ok((Accel::Model, "as asked for".into())),
            Self::Kvm => probe(images)
                .map(|()| (Accel::Kvm, "as asked for".into()))
                .map_err(|reason| {
                    Problem::BrokenSetUp(format!(
                        "KVM does not work here: {reason}; --accel tcg would work"
                    ))
                }),
            Self::Auto => Ok(match probe(images) {
                Ok(()) => (Accel::Kvm, "KVM works here".into()),
                Err(reason) => (Accel::Tcg, format!("KVM does not work here: {reason}")),
            }),
        }
    }
}

/// Boots our own image under KVM.
fn probe(images: &Images) -> Result<(), String> {
    if let Err(error) = File::options().read(true).write(true).open("/dev/kvm") {
        return Err(format!("/dev/kvm: {error}"));
    }
    let spec = MachineSpec::new("kvm-probe", Accel::Kvm);
    let started = paths::fresh_log("kvm-probe")
        .and_then(|log| QemuMachine::start(&spec, &Launch::of(images, &log, PROBE_LIMIT)));
    let machine = started.map_err(|problem| problem.text().to_owned())?;
    machine.wait_serving(1).map(drop).map_err(|_| {
        let tail = machine
            .console()
            .tail(1)
            .pop()
            .unwrap_or_else(|| "it printed nothing".into());
        format!("the image does not come up under it ({})", tail.trim())
    })
}
