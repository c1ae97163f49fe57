//! `cargo xtask hostile`.

use adversary::hostile;
use anyhow::{Result, anyhow};
use clap::Args;

use super::prepare::prepare;

/// Which attacks.
#[derive(Args)]
pub struct HostileArguments {
    /// Only the attacks that take little time.
    #[arg(long)]
    quick: bool,
    /// Only attacks whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
    /// Show the attacks, and make none.
    #[arg(long)]
    list: bool,
}

/// Attacks machines as a client. Returns false if one is the worse for it.
pub fn attack(arguments: &HostileArguments) -> Result<bool> {
    let wanted = arguments.only.as_deref().unwrap_or_default();
    let mut chosen = hostile::all();
    chosen.retain(|attack| attack.name.contains(wanted) && (attack.is_quick || !arguments.quick));
    if arguments.list {
        for attack in chosen {
            println!("{:<28} {}", attack.name, attack.doc);
        }
        return Ok(true);
    }
    if chosen.is_empty() {
        return Err(anyhow!(
            "no attack has {wanted} in its name; --list shows them all"
        ));
    }
    let (_, images) = prepare()?;
    let report = hostile::run(&chosen, &images, |attack| println!("{attack}"));
    println!("{report}");
    if arguments.json {
        println!("{}", report.json());
    }
    Ok(report.is_passed())
}
