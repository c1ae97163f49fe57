//! The qualification disc, and the report that a machine sends back.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Result};
use harness::paths;
use qemu_tests::campaigns::qualify::{self, TrialMachine};

use super::prepare::prepare;

/// Makes a qualification disc, and tries it on emulated machines. Returns whether all passed.
///
/// # Errors
/// Something is missing, or a machine sends no report.
pub fn make(
    out: Option<PathBuf>,
    takeovers: u32,
    machines: &[TrialMachine],
    json: bool,
) -> Result<bool> {
    let (_, images) = prepare()?;
    let out = out.unwrap_or_else(|| paths::artifacts().join("understudy-qualify.iso"));
    let boot_line = qualify::boot_line(takeovers, None);
    qualify::make(&images, &boot_line, "qualify-disc", &out)?;
    println!("iso: {}", out.display());
    let mut trials = Vec::new();
    for machine in machines {
        println!(
            "iso: trying it on {machine}; the time-out is longer there, as the host stops emulated cores"
        );
        let report = qualify::try_out(&images, *machine, takeovers)?;
        println!("{report}\n");
        trials.push((*machine, report));
    }
    let object = qualify::json(&trials);
    let is_passed = machines.is_empty() || object["verdict"] == "pass";
    if json {
        println!("{object}");
    }
    Ok(is_passed)
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
