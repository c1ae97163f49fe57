//! `cargo xtask check-config`.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args;
use harness::check_config::BootCheck;
use harness::paths;
use partition::size::parse_size;

/// Exit code of a check that could not be made; a command line that cannot be read has the same.
pub const UNANSWERED: u8 = 2;

/// The boot.
#[derive(Args)]
pub struct CheckArguments {
    /// The boot line.
    #[arg(long, allow_hyphen_values = true)]
    cmdline: String,
    /// CPUs of the machine.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    cpus: u32,
    /// Memory of the machine, e.g. 512M.
    #[arg(long, value_parser = memory_size)]
    mem: u64,
    /// The boot archive; by default the one that was built last, if there is one.
    #[arg(long)]
    archive: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

fn memory_size(text: &str) -> Result<u64, String> {
    parse_size(text).map_err(|error| format!("{}; {} would work", error.reason, error.would_work))
}

/// Checks the boot. Returns false if it is refused.
pub fn check(arguments: &CheckArguments) -> Result<bool> {
    let built = paths::artifacts().join("boot.cpio");
    let named = arguments.archive.as_ref();
    if let Some(archive) = named.filter(|archive| !archive.is_file()) {
        return Err(anyhow!("{}: there is no such file", archive.display()));
    }
    let check = BootCheck::of_files(
        arguments.cmdline.clone(),
        arguments.cpus,
        arguments.mem,
        &paths::artifacts().join("understudy"),
        named.unwrap_or(&built),
    );
    let report = check.run()?;
    if arguments.json {
        println!("{}", report.json());
    } else {
        println!("{}", report.text());
    }
    Ok(report.is_accepted())
}
