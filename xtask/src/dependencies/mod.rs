//! Checks the dependencies: we may use each, and there is one version of each. [`policy`] says what we may use.

pub mod policy;

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{CargoOpt, MetadataCommand};
use spdx::{Expression, ParseMode};

use harness::paths;
use harness::problem::Problem;

/// Where to enter what is allowed.
const POLICY: &str = "xtask/src/dependencies/policy.rs";

/// A crate that somebody else wrote.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, if it says so: an SPDX expression.
    pub licence: Option<String>,
    /// Where it comes from; `None` for a path.
    pub source: Option<String>,
}

/// Lists everything in the lockfile except our own crates, for all platforms and with all features.
///
/// # Errors
/// Cargo fails, for example because the lockfile is out of date.
pub fn all() -> Result<Vec<Dependency>, Problem> {
    let metadata = MetadataCommand::new()
        .current_dir(paths::workspace())
        .features(CargoOpt::AllFeatures)
        .other_options(["--locked".to_string()])
        .exec()
        .map_err(|error| Problem::of_host("cargo metadata", error))?;
    let ours: BTreeSet<_> = metadata.workspace_members.iter().collect();
    let others = metadata.packages.iter();
    Ok(others
        .filter(|package| !ours.contains(&package.id))
        .map(|package| Dependency {
            name: package.name.to_string(),
            version: package.version.to_string(),
            licence: package.license.clone(),
            source: package.source.as_ref().map(ToString::to_string),
        })
        .collect())
}

/// Lists what the policy forbids, each with what to do.
pub fn check(dependencies: &[Dependency]) -> Vec<String> {
    let strangers = dependencies.iter().filter_map(wrong_source);
    let licences = dependencies.iter().filter_map(wrong_licence);
    strangers
        .chain(licences)
        .chain(duplicates(dependencies))
        .collect()
}

fn wrong_source(dependency: &Dependency) -> Option<String> {
    let Dependency {
        name,
        version,
        source,
        ..
    } = dependency;
    let from = source.as_deref().unwrap_or("a path");
    (from != policy::REGISTRY).then(|| {
        format!("{name} {version} comes from {from}: take a version that is published on crates.io")
    })
}

fn wrong_licence(dependency: &Dependency) -> Option<String> {
    let Dependency {
        name,
        version,
        licence,
        ..
    } = dependency;
    let Some(licence) = licence else {
        return Some(format!(
            "{name} {version} names no licence: take another crate"
        ));
    };
    // Older crates write a slash for OR.
    let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
        return Some(format!(
            "{name} {version}: `{licence}` is no SPDX expression: take another crate"
        ));
    };
    let is_allowed = expression.evaluate(|asked| {
        let id = asked.license.id().map(|id| id.name);
        asked.addition.is_none() && id.is_some_and(|id| policy::LICENCES.contains(&id))
    });
    (!is_allowed).then(|| {
        format!(
            "{name} {version} is under `{licence}`, and that is not allowed: take another crate, or, if it is \
             meant to be, add the licence to {POLICY}"
        )
    })
}

/// Finds crates of which there are several versions: they would be built, reviewed and updated several times.
fn duplicates(dependencies: &[Dependency]) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for dependency in dependencies {
        let known = versions.entry(&dependency.name).or_default();
        known.insert(&dependency.version);
    }
    versions.retain(|_, known| known.len() > 1);
    let is_allowed = |name: &str| policy::DUPLICATES.iter().any(|(known, _)| *known == name);
    let new = versions
        .iter()
        .filter(|(name, _)| !is_allowed(name))
        .map(|(name, known)| {
            let known: Vec<&str> = known.iter().copied().collect();
            format!(
                "{name} is there in {}: see `cargo tree --all-features --invert {name}@VERSION`; bring them \
                 together, or add {name} to {POLICY} with the reason",
                known.join(" and ")
            )
        });
    let old = policy::DUPLICATES
        .iter()
        .filter(|(name, _)| !versions.contains_key(name))
        .map(|(name, _)| format!("{name} is there in one version only: delete it from {POLICY}"));
    new.chain(old).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(name: &str, version: &str, licence: Option<&str>) -> Dependency {
        Dependency {
            name: name.into(),
            version: version.into(),
            licence: licence.map(String::from),
            source: Some(policy::REGISTRY.into()),
        }
    }

    #[test]
    fn our_own_dependencies_are_as_the_policy_has_them() {
        let all = all().unwrap();
        assert!(all.iter().any(|dependency| dependency.name == "smoltcp"));
        assert_eq!(check(&all), [""; 0]);
    }

    #[test]
    fn licences_are_weighed() {
        let complaint = |licence| wrong_licence(&dependency("x", "1.0.0", licence));
        for fine in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR GPL-2.0-only) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR MIT",
        ] {
            assert_eq!(complaint(Some(fine)), None);
        }
        for wrong in ["GPL-3.0-only", "MIT AND LGPL-2.1-or-later", "AGPL-3.0-only"] {
            let complaint = complaint(Some(wrong)).unwrap();
            assert!(complaint.starts_with(&format!("x 1.0.0 is under `{wrong}`")));
            assert!(complaint.ends_with(&format!("add the licence to {POLICY}")));
        }
        assert!(complaint(Some("see file")).unwrap().contains("no SPDX"));
        assert!(complaint(None).unwrap().contains("names no licence"));
    }

    #[test]
    fn what_is_not_from_the_registry_is_refused() {
        let mut stranger = dependency("x", "1.0.0", Some("MIT"));
        assert_eq!(wrong_source(&stranger), None);
        stranger.source = Some("git+https://example.org/x".into());
        let complaint = wrong_source(&stranger).unwrap();
        assert!(complaint.starts_with("x 1.0.0 comes from git+https://example.org/x: "));
        stranger.source = None;
        assert!(wrong_source(&stranger).unwrap().contains("a path"));
    }

    #[test]
    fn a_second_version_needs_a_reason_and_a_reason_a_second_version() {
        let twice = [
            dependency("x", "1.0.0", Some("MIT")),
            dependency("x", "2.0.0", Some("MIT")),
        ];
        let complaints = duplicates(&twice);
        assert!(complaints[0].starts_with("x is there in 1.0.0 and 2.0.0: "));
        // None of the crates that may be there twice is there.
        assert_eq!(complaints.len(), 1 + policy::DUPLICATES.len());
        assert!(complaints[1].contains("one version only"));
    }
}
