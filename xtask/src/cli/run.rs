//! `cargo xtask run`.

use anyhow::Result;
use clap::Args;
use harness::accel::AccelChoice;
use harness::machine::{Chipset, HostPort, MachineSpec};

use super::prepare::{choose_accel, prepare};
use crate::run;

/// The machine.
#[derive(Args)]
pub struct RunArguments {
    /// CPUs.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=255))]
    cpus: u32,
    /// Memory, as QEMU takes it.
    #[arg(long, default_value = "512M")]
    mem: String,
    /// Where the guest's instructions are executed.
    #[arg(long, value_enum, default_value_t)]
    accel: AccelChoice,
    /// What the boot line says beyond the usual.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    append: String,
    /// The host's port at which the service is reached.
    #[arg(long, default_value_t = 6379, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The machine's chipset.
    #[arg(long, value_enum, default_value_t)]
    machine: Chipset,
    /// QEMU's name of the CPU; `qemu64` has no x2APIC.
    #[arg(long, default_value = "max")]
    cpu: String,
}

/// Boots the machine and leaves it running.
pub fn run(arguments: &RunArguments) -> Result<bool> {
    let (_, images) = prepare()?;
    let accel = choose_accel(arguments.accel, &images)?;
    let spec = MachineSpec {
        cpus: arguments.cpus,
        memory: arguments.mem.clone(),
        chipset: arguments.machine,
        cpu: arguments.cpu.clone(),
        port: HostPort::Fixed(arguments.port),
        may_reset: true,
        ..MachineSpec::new("run", accel)
    };
    run::run(&images, &spec.append(&arguments.append))?;
    Ok(true)
}
