//! What the commands about Linux tenants do, and what they print.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use harness::emulator;
use harness::machine::Firmware;
use harness::paths;
use linux_kit::deb;
use linux_kit::packages::Series;
use linux_tests::campaigns::cost::Cost;
use linux_tests::campaigns::deb as deb_trial;
use linux_tests::campaigns::demo::{self, LinuxDemo};
use linux_tests::campaigns::devices;
use linux_tests::campaigns::lives::{self, KernelEnd};
use linux_tests::campaigns::{iso, kdump, matrix, modules};
use linux_tests::tenants::Pair;

use super::prepare::prepare;

/// Limit for one life of a machine, with the boot of the next backup.
const LIFE_LIMIT: Duration = Duration::from_secs(120);

/// Shows one Linux taking over from another. Returns false if it is not as it should be.
pub fn demonstrate(demo: &LinuxDemo, json: bool) -> Result<bool> {
    let (_, images) = prepare()?;
    let (text, object, is_passed) = match demo.run(&images) {
        Ok(outcome) => (outcome.verdict(), outcome.json(), outcome.is_passed()),
        Err(problem) => (
            format!("FAIL: {problem}"),
            demo::failure_json(&problem),
            false,
        ),
    };
    println!("\n{text}");
    if json {
        println!("{object}");
    }
    Ok(is_passed)
}

/// Tries every pairing of kernels. Returns false if it is not as it should be.
pub fn run_matrix(is_quick: bool) -> Result<bool> {
    let (_, images) = prepare()?;
    let fields = match is_quick {
        true => matrix::diagonal(),
        false => matrix::all(),
    };
    let score = matrix::run(&fields, &images);
    println!("{score}");
    Ok(score.failed == 0)
}

/// Tries kinds of cards and disks. Returns false if it is not as it should be.
pub fn try_devices(is_quick: bool, only: &[String], json: bool) -> Result<bool> {
    let trials = match is_quick {
        true => devices::few(),
        false => devices::only(devices::all(), only),
    };
    anyhow::ensure!(!trials.is_empty(), "no device has {only:?} in its name");
    let (_, images) = prepare()?;
    let rows = devices::run(&trials, &images, |row| eprintln!("linux-devices: {row}"))?;
    if json {
        println!("{}", devices::json(&rows));
    } else {
        println!("\n{}", devices::table(&rows));
    }
    Ok(devices::is_passed(&rows))
}

/// Builds the module for Debian's newest kernels. Returns false if it is not as it should be.
pub fn build_modules(json: bool) -> Result<bool> {
    let report = modules::run()?;
    if json {
        println!("{}", report.json());
    }
    Ok(report.is_passed())
}

/// Measures kdump. Returns false if it is not as it should be.
pub fn measure_kdump(kernel: Series, runs: u32, only_panic: bool, json: bool) -> Result<bool> {
    let report = kdump::KdumpReport::measure(&kernel.into(), runs, !only_panic)?;
    println!("\n{}", report.text());
    if json {
        println!("{}", report.json());
    }
    Ok(true)
}

/// Makes a disc, and tries it. Returns false if it is not as it should be.
pub fn make_iso(pair: &Pair, out: Option<PathBuf>, firmware: &[Firmware]) -> Result<bool> {
    let (_, images) = prepare()?;
    let out = out.unwrap_or_else(|| paths::artifacts().join("understudy.iso"));
    iso::make(pair, &images, &out)?;
    println!("iso: {}", out.display());
    for firmware in firmware {
        let gap = iso::try_out(pair, &images, &out, *firmware)?;
        println!(
            "iso: {firmware}: booted, and a panic survived with a gap of {:.0} ms (emulation on this host, not \
             hardware)",
            gap.as_secs_f64() * 1e3
        );
    }
    Ok(true)
}

/// Makes the Debian packages, and tries them. Returns false if it is not as it should be.
pub fn make_packages(out: Option<PathBuf>, is_tried: bool) -> Result<bool> {
    let (_, images) = prepare()?;
    let out = out.unwrap_or_else(|| paths::artifacts().join("packages"));
    let packages = deb::make(&images, &out)?;
    for package in [&packages.main, &packages.dkms] {
        println!("deb: {}", package.display());
    }
    if is_tried {
        deb_trial::run(&packages)?;
    }
    Ok(true)
}

/// Lets a machine go through many lives. Returns false if it is not as it should be.
pub fn live(mut pair: Pair, ends: &[KernelEnd], json: bool) -> Result<bool> {
    let (_, images) = prepare()?;
    pair.append = "failover_rearm=auto".into();
    let log = paths::fresh_log(&pair.name)?;
    println!("linux-lives: console in {}", log.display());
    let limit = LIFE_LIMIT * (ends.len() as u32 + 1);
    let (_machine, lives) = emulator::once_more(&pair.name, &log, || {
        lives::play(&pair, &images, &log, limit, ends)
    })?;
    println!("{}", lives.audit);
    if json {
        println!("{}", lives.json());
    }
    Ok(lives.audit.is_clean())
}

/// Measures what takeovers cost. Returns false if it is not as it should be.
pub fn measure_cost(cost: &Cost, json: bool) -> Result<bool> {
    let (_, images) = prepare()?;
    let report = cost.measure(&images)?;
    println!("\n{}", report.text());
    if json {
        println!("{}", report.json());
    }
    Ok(true)
}
