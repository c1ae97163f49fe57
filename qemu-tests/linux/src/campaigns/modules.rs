//! Builds the module for the newest kernels of Debian's releases, each with that release's own compiler, in a fresh
//! Debian without a machine. A point release may change an interface, and only a build shows it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use harness::files;
use harness::paths;
use harness::problem::{Problem, require};
use harness::setup::{self, LocalSystem, System};
use linux_kit::module;

/// What the builds need.
const NEEDED: [setup::Need; 1] = [("mmdebstrap", "mmdebstrap", "unpacks a fresh Debian")];

const MIRROR: &str = "http://deb.debian.org/debian";
const SECURITY_MIRROR: &str = "http://deb.debian.org/debian-security";

/// A release of Debian.
struct Release {
    name: &'static str,
    /// The packages of its kernels' headers; behind a slash, the suite that they come from. Of a regular expression,
    /// the newest.
    headers: &'static str,
    suites: &'static [(&'static str, &'static str)],
}

const RELEASES: [Release; 2] = [
    Release {
        name: "bookworm",
        headers: "linux-headers-amd64 linux-headers-6.12-amd64",
        suites: &[(MIRROR, "bookworm"), (SECURITY_MIRROR, "bookworm-security")],
    },
    Release {
        name: "trixie",
        headers: r"linux-headers-amd64 linux-headers-amd64/trixie-backports ^linux-headers-7\.2\.[^-]*-amd64$",
        suites: &[
            (MIRROR, "trixie"),
            (SECURITY_MIRROR, "trixie-security"),
            (MIRROR, "trixie-backports"),
        ],
    },
];

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildOutcome {
    /// There is a module.
    Built,
    /// `dkms.conf` does not name the kernel, so DKMS refuses it.
    Refused,
    /// It does not build.
    Failed,
}

/// A kernel, and how the module was built for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelBuild {
    /// The release of Debian.
    pub debian: String,
    /// The kernel's release.
    pub kernel: String,
    /// How it ended.
    pub outcome: BuildOutcome,
}

impl BuildOutcome {
    const ALL: [Self; 3] = [Self::Built, Self::Refused, Self::Failed];

    /// Returns the word that the report of a build has for it.
    fn word(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl KernelBuild {
    fn json(&self) -> Value {
        json!({
            "debian": self.debian,
            "kernel": self.kernel,
            "outcome": self.outcome.word(),
        })
    }
}

impl fmt::Display for KernelBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            BuildOutcome::Refused => "refused by dkms.conf",
            other => other.word(),
        };
        write!(f, "{:<10}{:<28}{outcome}", self.debian, self.kernel)
    }
}

/// What the command found.
#[derive(Clone, Debug)]
pub struct ModulesReport {
    /// `pass` if there are kernels, and the module was built for each.
    pub verdict: &'static str,
    /// The kernels.
    pub kernels: Vec<KernelBuild>,
}

impl ModulesReport {
    fn of(kernels: Vec<KernelBuild>) -> Self {
        let is_built = |build: &KernelBuild| build.outcome == BuildOutcome::Built;
        let is_passed = !kernels.is_empty() && kernels.iter().all(is_built);
        Self {
            verdict: if is_passed { "pass" } else { "fail" },
            kernels,
        }
    }

    /// Returns the report for programs.
    pub fn json(&self) -> Value {
        let kernels: Vec<Value> = self.kernels.iter().map(KernelBuild::json).collect();
        json!({ "verdict": self.verdict, "kernels": kernels })
    }

    /// Returns whether the module was built for every kernel.
    pub fn is_passed(&self) -> bool {
        self.verdict == "pass"
    }
}

/// Builds the module for each kernel, and prints how each ended.
///
/// # Errors
/// It is not run by root, mmdebstrap is missing, or a Debian cannot be unpacked.
pub fn run() -> Result<ModulesReport, Problem> {
    let user = LocalSystem.output(&["id", "-u"]).unwrap_or_default();
    require(user.trim() == "0", || {
        "the files of a Debian belong to root: run this as root".into()
    })?;
    setup::check_programs(&LocalSystem, &NEEDED)?;
    let mut kernels = Vec::new();
    for release in &RELEASES {
        println!("modules: unpacking a Debian {} to build in", release.name);
        for build in builds_of(release)? {
            println!("modules: {build}");
            kernels.push(build);
        }
    }
    Ok(ModulesReport::of(kernels))
}

fn builds_of(release: &Release) -> Result<Vec<KernelBuild>, Problem> {
    let place = paths::scratch("modules");
    let (root, report) = (place.join("root"), place.join("report"));
    let broken = |error| Problem::of_host(place.display(), error);
    if place.exists() {
        fs::remove_dir_all(&place).map_err(broken)?;
    }
    fs::create_dir_all(&place).map_err(broken)?;
    let log = paths::fresh_log(&format!("modules-{}", release.name))?;
    let output = fs::File::create(&log).map_err(|error| Problem::of_host(log.display(), error))?;
    let status = bootstrap(release, &root, &report)
        .stdout(output.try_clone().map_err(broken)?)
        .stderr(output)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Problem::of_host("mmdebstrap", error))?;
    require(status.success(), || {
        format!("mmdebstrap fails: {} says why", log.display())
    })?;
    let text = String::from_utf8_lossy(&files::read(&report)?).into_owned();
    fs::remove_dir_all(&place).map_err(broken)?;
    text.lines().map(|line| parse(release.name, line)).collect()
}

fn bootstrap(release: &Release, root: &Path, report: &Path) -> Command {
    let hook = module::source().join("../debian/trial/build-module");
    let mut command = Command::new("mmdebstrap");
    command
        .env("SOURCE", module::source())
        .env("HEADERS", release.headers)
        .env("REPORT", report)
        .args(["--quiet", "--variant=apt", "--include=make"])
        .arg(format!("--customize-hook='{}' \"$1\"", hook.display()))
        .arg(release.name)
        .arg(root);
    for (mirror, suite) in release.suites {
        command.arg(format!("deb {mirror} {suite} main"));
    }
    command
}

/// Parses a line of the report: the kernel's release, and how its build ended.
fn parse(debian: &str, line: &str) -> Result<KernelBuild, Problem> {
    let parsed = line.split_once(' ').and_then(|(kernel, word)| {
        let outcome = BuildOutcome::ALL.into_iter().find(|it| it.word() == word)?;
        Some(KernelBuild {
            debian: debian.into(),
            kernel: kernel.into(),
            outcome,
        })
    });
    parsed.ok_or_else(|| Problem::BrokenSetUp(format!("the builds report '{line}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_for_which_nothing_was_built_fails_all() {
        let builds = |lines: &[&str]| -> Vec<KernelBuild> {
            let parsed = lines.iter().map(|line| parse("trixie", line));
            parsed.collect::<Result<_, _>>().unwrap()
        };
        let built = "7.3.4+deb13-amd64 built";
        assert!(ModulesReport::of(builds(&[built])).is_passed());
        assert!(!ModulesReport::of(builds(&[])).is_passed());
        for other in ["6.12.117+deb13-amd64 failed", "5.10.0-1-amd64 refused"] {
            assert!(!ModulesReport::of(builds(&[built, other])).is_passed());
        }
        assert!(parse("trixie", "7.3.4").is_err());
        assert!(parse("trixie", "7.3.4 perhaps").is_err());
    }
}
