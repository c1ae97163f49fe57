//! `cargo xtask faults`.

use adversary::faults;
use anyhow::{Result, anyhow};
use clap::Args;

use super::prepare::prepare;

/// Which faults.
#[derive(Args)]
pub struct FaultsArguments {
    /// Only faults whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
    /// Show the faults, and inject none.
    #[arg(long)]
    list: bool,
}

/// Injects faults by the debugger. Returns false if one comes to something that is not right.
pub fn strike(arguments: &FaultsArguments) -> Result<bool> {
    let wanted = arguments.only.as_deref().unwrap_or_default();
    let mut chosen = faults::all();
    chosen.retain(|fault| fault.name.contains(wanted));
    if arguments.list {
        for fault in chosen {
            println!("{:<28} {}", fault.name, fault.doc);
        }
        return Ok(true);
    }
    if chosen.is_empty() {
        return Err(anyhow!(
            "no fault has {wanted} in its name; --list shows them all"
        ));
    }
    let (_, images) = prepare()?;
    let report = faults::run(&chosen, &images, |fault| println!("{fault}"));
    println!("{report}");
    if arguments.json {
        println!("{}", report.json());
    }
    Ok(report.is_passed())
}
