//! Checks what the host must have, and installs what is missing.
//!
//! Only `cargo xtask setup` changes the system, by [`set_up`] and [`install_programs`]: it installs packages, and may
//! add a source of packages. Every other command only checks, by [`check`] and [`check_programs`], and names what is
//! missing.

mod apt;
mod debian;
mod system;
#[cfg(test)]
mod tests;
mod version;

pub use apt::{add_backports, update};
pub use system::{LocalSystem, System};
pub use version::{Version, WITH_X2APIC};

use self::apt::{apt_install, is_known};
use crate::machine::QEMU;
use crate::problem::Problem;

/// A program that is needed, Debian's package of it, and what for.
pub type Need = (&'static str, &'static str, &'static str);

/// What every machine needs.
const NEEDED: [Need; 4] = [
    (QEMU, QEMU_PACKAGE, "runs the machines"),
    (
        "redis-cli",
        "redis-tools",
        "the client the service must understand",
    ),
    (
        "redis-benchmark",
        "redis-tools",
        "the client the service must understand",
    ),
    (
        "setpriv",
        "util-linux",
        "ends a machine together with what started it",
    ),
];

const QEMU_PACKAGE: &str = "qemu-system-x86";

/// What the host has, as far as commands depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostTools {
    /// Its QEMU.
    pub qemu: Version,
}

/// Checks that `system` has what every machine needs. An old QEMU is enough for all but x2APIC.
///
/// # Errors
/// Something is missing; says what to do.
pub fn check(system: &impl System) -> Result<HostTools, Problem> {
    check_programs(system, &NEEDED)?;
    let qemu = installed_qemu(system);
    qemu.map(|qemu| HostTools { qemu })
        .ok_or_else(|| not_there(&[QEMU_PACKAGE]))
}

/// Checks that `system` has the programs of `needs`.
///
/// # Errors
/// One is missing; says what to do.
pub fn check_programs(system: &impl System, needs: &[Need]) -> Result<(), Problem> {
    let missing: Vec<String> = needs
        .iter()
        .filter(|(program, ..)| !system.has(program))
        .map(|(program, package, why)| format!("{program} (package {package}), which {why}"))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Problem::BrokenSetUp(format!(
            "missing: {}; `cargo xtask setup` installs it",
            missing.join("; ")
        ))),
    }
}

/// Installs what every machine needs, where `system` does not have it or has a QEMU without x2APIC.
///
/// # Errors
/// Something is missing and cannot be installed; says what to do.
pub fn set_up(system: &impl System) -> Result<HostTools, Problem> {
    let installed = installed_qemu(system);
    let is_old = installed.is_some_and(|version| !version.has_x2apic());
    let mut packages = missing_packages(system, &NEEDED);
    if is_old && !packages.contains(&QEMU_PACKAGE) {
        packages.push(QEMU_PACKAGE);
    }
    if !packages.is_empty() {
        install(system, &NEEDED, &packages)?;
    }
    let still_missing = missing_packages(system, &NEEDED);
    match installed_qemu(system) {
        Some(qemu) if still_missing.is_empty() => Ok(HostTools { qemu }),
        _ => Err(not_there(&still_missing)),
    }
}

/// Installs the programs of `needs` that `system` does not have.
///
/// # Errors
/// One is missing and cannot be installed; says what to do.
pub fn install_programs(system: &impl System, needs: &[Need]) -> Result<(), Problem> {
    let packages = missing_packages(system, needs);
    if packages.is_empty() {
        return Ok(());
    }
    install(system, needs, &packages)?;
    match missing_packages(system, needs) {
        still_missing if still_missing.is_empty() => Ok(()),
        still_missing => Err(not_there(&still_missing)),
    }
}

fn not_there(packages: &[&str]) -> Problem {
    Problem::BrokenSetUp(format!("still missing: {}", packages.join(", ")))
}

fn installed_qemu(system: &impl System) -> Option<Version> {
    system
        .has(QEMU)
        .then(|| system.output(&[QEMU, "--version"]))?
        .and_then(|output| Version::of_qemu(&output))
}

fn missing_packages(system: &impl System, needs: &[Need]) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for &(program, package, _) in needs {
        if !system.has(program) && !packages.contains(&package) {
            packages.push(package);
        }
    }
    packages
}

fn install(system: &impl System, needs: &[Need], packages: &[&str]) -> Result<(), Problem> {
    for (program, package, why) in needs.iter().filter(|(program, ..)| !system.has(program)) {
        system.say(&format!(
            "setup: {program} is missing (package {package}): it {why}",
            why = why
        ));
    }
    if !system.has("apt-get") {
        let programs: Vec<&str> = needs.iter().map(|(program, ..)| *program).collect();
        let qemu = match packages.contains(&QEMU_PACKAGE) {
            true => format!(" (QEMU {WITH_X2APIC} or later, with SeaBIOS)"),
            false => String::new(),
        };
        return Err(Problem::BrokenSetUp(format!(
            "this system has no apt; with its own package manager, install {}{qemu}",
            programs.join(", ")
        )));
    }
    let (qemu, others): (Vec<&str>, Vec<&str>) = packages
        .iter()
        .partition(|package| **package == QEMU_PACKAGE);
    if packages.iter().any(|package| !is_known(system, package)) {
        update(system, "apt has no list of packages yet")?;
    }
    if !others.is_empty() {
        apt_install(system, None, &others)?;
    }
    if !qemu.is_empty() {
        let suite = suite_for_qemu(system)?;
        apt_install(system, suite.as_deref(), &[QEMU_PACKAGE, "seabios"])?;
    }
    Ok(())
}

/// Finds the suite that has a QEMU new enough, if it must be named; `None` if apt's own choice is as good as it gets.
fn suite_for_qemu(system: &impl System) -> Result<Option<String>, Problem> {
    let newest = |system: &_| {
        let rows = debian::available(
            &System::output(system, &["apt-cache", "madison", QEMU_PACKAGE]).unwrap_or_default(),
        );
        rows.into_iter().max_by_key(|row| row.version)
    };
    let Some(first) = newest(system) else {
        return Err(Problem::BrokenSetUp(format!(
            "apt knows no package {QEMU_PACKAGE}: are its sources complete?"
        )));
    };
    if first.version.has_x2apic() {
        return Ok(first.suite.ends_with("-backports").then_some(first.suite));
    }
    system.say(&format!(
        "setup: QEMU {} emulates no x2APIC, which takes {WITH_X2APIC} or later; looking for backports",
        first.version
    ));
    if add_backports(system)
        && let Some(row) = newest(system).filter(|row| row.version.has_x2apic())
    {
        return Ok(Some(row.suite));
    }
    system.say(&format!(
        "setup: going on with QEMU {}: the tests of x2APIC will be skipped",
        first.version
    ));
    Ok(None)
}
