//! Asks apt: for lists, sources, packages.

use super::debian;
use super::system::{self, System};
use crate::problem::Problem;

/// Where the backports are entered.
const SOURCE_FILE: &str = "/etc/apt/sources.list.d/understudy-backports.list";

/// Says whether apt knows the package; on a fresh machine it knows none.
pub(super) fn is_known(system: &impl System, package: &str) -> bool {
    system
        .output(&["apt-cache", "madison", package])
        .is_some_and(|rows| !rows.trim().is_empty())
}

/// Enters the release's backports into apt's sources. Returns false, with nothing changed, if none can be reached.
pub fn add_backports(system: &impl System) -> bool {
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

/// Reads the lists of all sources.
///
/// # Errors
/// A server cannot be reached, or this takes root.
pub fn update(system: &impl System, why: &str) -> Result<(), Problem> {
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

/// Installs packages, from `suite` if apt's own choice will not do.
///
/// # Errors
/// apt's.
pub(super) fn apt_install(
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
