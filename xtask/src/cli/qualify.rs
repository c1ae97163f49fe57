//! The qualification disc, and the report that a machine sends back.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Result};
use harness::paths;
use qemu_tests::campaigns::qualify::{self, Trial, TrialMachine};

use super::prepare::prepare;

/// Makes a qualification disc, and tries it on emulated machines, whatever comes of each. Returns whether all passed.
///
/// # Errors
/// Something that the disc needs is missing.
pub fn make(
    out: Option<PathBuf>,
    takeovers: u32,
    machines: &[TrialMachine],
    json: bool,
) -> Result<bool> {
    let outcome = make_and_try(out, takeovers, machines);
    if json {
        let object = match &outcome {
            Ok(trials) => qualify::json(trials),
            Err(error) => qualify::json_without_trials(&format!("{error:#}")),
        };
        println!("{object}");
    }
    let trials = outcome?;
    Ok(trials.iter().all(Trial::has_passed))
}

fn make_and_try(
    out: Option<PathBuf>,
    takeovers: u32,
    machines: &[TrialMachine],
) -> Result<Vec<Trial>> {
    let (_, images) = prepare()?;
    let out = out.unwrap_or_else(|| paths::artifacts().join("understudy-qualify.iso"));
    let boot_line = qualify::boot_line(takeovers, None);
    qualify::make(&images, &boot_line, "qualify-disc", &out)?;
    println!("iso: {}", out.display());
    let mut trials = Vec::new();
    for machine in machines {
        println!(
            "iso: trying it on {machine}, for {} s at most; the time-out is longer there, as the host stops emulated \
             cores",
            TrialMachine::limit(takeovers).as_secs()
        );
        let trial = Trial::of(&images, *machine, takeovers);
        match &trial.outcome {
            Ok(report) => println!("{report}\n"),
            Err(missing) => println!(
                "{machine}: no report after {} takeovers: {}\n",
                missing.takeovers, missing.problem
            ),
        }
        trials.push(trial);
    }
    Ok(trials)
}

/// Reads the report in a file, or on standard input.
///
/// # Errors
/// There is none, or it is damaged.
pub fn read(file: &Path, json: bool) -> Result<bool> {
    let text = match file.as_os_str() == "-" {
        true => io::read_to_string(io::stdin())?,
        false => {
            String::from_utf8_lossy(&fs::read(file).with_context(|| file.display().to_string())?)
                .into()
        }
    };
    let report = qualify::read(&text)?;
    println!("{report}");
    if json {
        println!("{}", qualify::report_json(&report));
    }
    Ok(true)
}
