//! Checks what the host must have, and installs what is missing.

mod debian;
mod system;
#[cfg(test)]
mod tests;
mod version;

pub use system::{Host, System};
pub use version::{Version, WITH_X2APIC};

use crate::machine::QEMU;
use crate::problem::Problem;

/// Programs that are needed, Debian's package of each, and what for.
const NEEDED: [(&str, &str, &str); 4] = [
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

/// Where the backports are entered.
const SOURCE_FILE: &str = "/etc/apt/sources.list.d/understudy-backports.list";

/// What the host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its QEMU.
    pub qemu: Version,
}

/// Whether an old QEMU is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldQemu {
    /// Everything but x2APIC runs on it.
    Keep,
    /// Replace it if the system has a newer one.
    Replace,
}

/// Makes sure that everything is there; fast if it is.
///
/// # Errors
/// Something is missing and cannot be installed; says what to do.
pub fn ensure() -> Result<Ready, Problem> {
    set_up(&Host, OldQemu::Keep)
}

/// Makes sure that everything is there on `system`, and as new as it should be.
///
/// # Errors
/// Something is missing and cannot be installed; says what to do.
pub fn set_up(system: &impl System, old_qemu: OldQemu) -> Result<Ready, Problem> {
    let installed = installed_qemu(system);
    let is_old = installed.is_some_and(|version| !version.has_x2apic());
    let mut packages = missing_packages(system);
    if is_old && old_qemu == OldQemu::Replace && !packages.contains(&QEMU_PACKAGE) {
        packages.push(QEMU_PACKAGE);
    }
    if !packages.is_empty() {
        install(system, &packages)?;
    }
    let still_missing = missing_packages(system);
    match installed_qemu(system) {
        Some(qemu) if still_missing.is_empty() => Ok(Ready { qemu }),
        _ => Err(Problem::BrokenSetUp(format!(
            "still missing: {}",
            still_missing.join(", ")
        ))),
    }
}

fn installed_qemu(system: &impl System) -> Option<Version> {
    system
        .has(QEMU)
        .then(|| system.output(&[QEMU, "--version"]))?
        .and_then(|output| Version::of_qemu(&output))
}

fn missing_packages(system: &impl System) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for (program, package, _) in NEEDED {
        if !system.has(program) && !packages.contains(&package) {
            packages.push(package);
        }
    }
    packages
}

fn install(system: &impl System, packages: &[&str]) -> Result<(), Problem> {
    for (program, package, why) in NEEDED.iter().filter(|(program, ..)| !system.has(program)) {
        system.say(&format!(
            "setup: {program} is missing (package {package}): it {why}",
            why = why
        ));
    }
    if !system.has("apt-get") {
        let programs: Vec<&str> = NEEDED.iter().map(|(program, ..)| *program).collect();
        return Err(Problem::BrokenSetUp(format!(
            "this system has no apt; with its own package manager, install {} (QEMU {WITH_X2APIC} or later, with SeaBIOS)",
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

/// Whether apt has heard of the package; on a fresh machine it has heard of none.
fn is_known(system: &impl System, package: &str) -> bool {
    system
        .output(&["apt-cache", "madison", package])
        .is_some_and(|rows| !rows.trim().is_empty())
}

/// The suite that has a QEMU new enough, if it must be named; `None` if apt's own choice is as good as it gets.
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

/// Enters the release's backports into apt's sources. False, with nothing changed, if there are none to be reached.
fn add_backports(system: &impl System) -> bool {
    let query = [
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME) $(ORIGIN)",
        "Created-By: Packages",
    ];
    let targets = system.output(&query).unwrap_or_default();
    let Some(source) = debian::backports(&targets, system::debian_keyring()) else {
        system.say("setup: there are no backports to add");
        return false;
    };
    system.say(&format!("setup: adding {} to {SOURCE_FILE}", source.suite));
    let line = format!("{}\n", source.line);
    let added = system
        .as_root(&["tee", SOURCE_FILE], Some(&line))
        .and_then(|()| update_only(system, SOURCE_FILE));
    if let Err(problem) = added {
        system.say(&format!("setup: {}; taking it out again", problem.text()));
        if let Err(problem) = system.as_root(&["rm", "-f", SOURCE_FILE], None) {
            system.say(&format!("setup: {}", problem.text()));
        }
        return false;
    }
    true
}

fn update(system: &impl System, why: &str) -> Result<(), Problem> {
    system.say(&format!("setup: {why}; running apt-get update"));
    system.as_root(&["apt-get", "update", "-q"], None)
}

/// Reads the lists of one source, which must be reachable.
fn update_only(system: &impl System, source_file: &str) -> Result<(), Problem> {
    let list = format!("Dir::Etc::sourcelist={source_file}");
    let options = [
        "-o",
        &list,
        "-o",
        "Dir::Etc::sourceparts=-",
        "-o",
        "APT::Get::List-Cleanup=0",
        "-o",
        "APT::Update::Error-Mode=any",
    ];
    let mut command = vec!["apt-get", "update", "-q"];
    command.extend(options);
    system.as_root(&command, None)
}

fn apt_install(
    system: &impl System,
    suite: Option<&str>,
    packages: &[&str],
) -> Result<(), Problem> {
    system.say(&format!("setup: installing {}", packages.join(" ")));
    let mut command = vec![
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "-q",
        "-y",
        "--no-install-recommends",
    ];
    if let Some(suite) = suite {
        command.extend(["-t", suite]);
    }
    command.extend(packages);
    system.as_root(&command, None).or_else(|_| {
        // The lists may be older than what the server still has.
        update(system, "the lists of packages may be out of date")?;
        system.as_root(&command, None)
    })
}
