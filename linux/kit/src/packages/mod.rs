//! Fetches packages of the distribution and unpacks them into a cache. They are never installed.

mod source;

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cache::Cache;
use crate::stanza::{self, Stanza};
use harness::files;
use harness::problem::Problem;
use harness::setup::{self, System};

pub use source::KernelSource;

/// What fetches and unpacks the packages. A system that lacks these cannot install them.
const NEEDED: [setup::Need; 2] = [
    ("apt-get", "apt", "fetches Debian's kernels"),
    ("dpkg", "dpkg", "unpacks Debian's kernels"),
];

/// A series of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Series {
    /// Debian 12's kernel.
    #[value(name = "6.1")]
    V6_1,
    /// The kernel of Debian 12's backports, and of Debian 13.
    #[value(name = "6.12")]
    V6_12,
}

impl Series {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
        }
    }

    /// Says whether a release such as `6.1.0-56-amd64` belongs to it.
    pub fn has(self, release: &str) -> bool {
        release
            .strip_prefix(self.name())
            .is_some_and(|rest| rest.starts_with('.'))
    }
}

/// An unpacked kernel, with what modules are built against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinuxKernel {
    /// As `uname -r` says it: `6.1.0-56-amd64`.
    pub release: String,
    /// The bzImage.
    pub image: PathBuf,
    /// Its modules, `lib/modules/RELEASE`.
    pub modules: PathBuf,
    /// Its headers, for Kbuild's `-C`; they can be moved together with their neighbours.
    pub headers: PathBuf,
    /// Shared libraries of the programs in the headers.
    pub libraries: PathBuf,
}

impl LinuxKernel {
    /// Locates the kernel in an entry of the cache.
    fn in_entry(entry: &Path, release: &str) -> Self {
        Self {
            release: release.into(),
            image: entry.join(format!("boot/vmlinuz-{release}")),
            modules: entry.join("lib/modules").join(release),
            headers: entry.join(format!("usr/src/linux-headers-{release}")),
            libraries: entry.join("usr/lib/x86_64-linux-gnu"),
        }
    }
}

/// A kernel as apt knows it.
struct Resolved {
    release: String,
    version: String,
}

/// The source of packages, and the cache that keeps them.
pub struct PackageStore<'a, S> {
    system: &'a S,
    cache: Cache,
}

impl<'a, S: System> PackageStore<'a, S> {
    /// Fetches packages through `system` into `cache`.
    pub fn new(system: &'a S, cache: Cache) -> Self {
        Self { system, cache }
    }

    /// Fetches the newest kernel of a series.
    ///
    /// # Errors
    /// `Skipped` where it cannot be had; says what is missing and how to get it.
    pub fn kernel(&self, series: Series) -> Result<LinuxKernel, Problem> {
        let what = format!("Linux {}", series.name());
        let attempt = || {
            let kernel = self.resolve(series).ok_or_else(|| {
                Problem::Skipped(format!("apt knows no linux-image of {}", series.name()))
            })?;
            let name = format!("linux-{}_{}", kernel.release, kernel.version);
            let entry = self.cache.entry(&name, |directory| {
                self.unpack(&what, directory, &self.packages_of(&kernel)?)?;
                mend_headers(directory, &kernel.release)
            })?;
            Ok(LinuxKernel::in_entry(&entry, &kernel.release))
        };
        self.fetch(&what, attempt)
            .or_else(|problem| self.cached_kernel(series).ok_or(problem))
    }

    /// Fetches busybox: a shell and its tools in one program.
    ///
    /// # Errors
    /// As [`kernel`](Self::kernel).
    pub fn busybox(&self) -> Result<PathBuf, Problem> {
        let entry = self.other("busybox-static", |_| vec!["busybox-static".into()])?;
        // In later releases of Debian /bin is a link, and the package has the link's target.
        let found = ["bin/busybox", "usr/bin/busybox"].map(|path| entry.join(path));
        found
            .into_iter()
            .find(|path| path.is_file())
            .ok_or_else(|| {
                Problem::Skipped(format!(
                    "{} has no busybox; removing it would work",
                    entry.display()
                ))
            })
    }

    /// Fetches `kexec` with its libraries, and returns the root of their tree.
    ///
    /// # Errors
    /// As [`kernel`](Self::kernel).
    pub fn kexec(&self) -> Result<PathBuf, Problem> {
        self.other("kexec-tools", |system| {
            let query = [
                "apt-cache",
                "depends",
                "--recurse",
                "--no-recommends",
                "--no-suggests",
                "--no-conflicts",
                "--no-breaks",
                "--no-replaces",
                "--no-enhances",
                "kexec-tools",
            ];
            let tree = system.output(&query).unwrap_or_default();
            let mut packages: Vec<String> = tree
                .lines()
                .filter(|line| line.starts_with("lib"))
                .map(Into::into)
                .collect();
            packages.push("kexec-tools".into());
            packages
        })
    }

    /// Fetches a package that is no kernel, with the packages that `list` names.
    fn other(&self, package: &str, list: impl Fn(&S) -> Vec<String>) -> Result<PathBuf, Problem> {
        let fetched = self.fetch(package, || {
            let version = self
                .show(package)
                .into_iter()
                .next()
                .map(|stanza| stanza.version);
            let version =
                version.ok_or_else(|| Problem::Skipped(format!("apt knows no {package}")))?;
            let name = format!("{package}_{}", version.replace(':', "_"));
            self.cache.entry(&name, |directory| {
                self.unpack(package, directory, &list(self.system))
            })
        });
        fetched.or_else(|problem| self.cache.newest(&format!("{package}_")).ok_or(problem))
    }

    /// Fetches with the lists of packages as they are: only `cargo xtask setup` brings them up to date.
    fn fetch<T>(&self, what: &str, attempt: impl Fn() -> Result<T, Problem>) -> Result<T, Problem> {
        let missing = NEEDED
            .iter()
            .find(|(program, ..)| !self.system.has(program));
        if let Some((program, _, why)) = missing {
            return Err(self.skipped(what, &format!("there is no {program}, which {why}")));
        }
        attempt().map_err(|problem| self.skipped(what, problem.text()))
    }

    fn skipped(&self, what: &str, reason: &str) -> Problem {
        Problem::Skipped(format!(
            "{what} cannot be had: {reason}; after `cargo xtask setup`, a Debian 12 or 13 whose apt reaches its \
             servers would work (6.1 is in bookworm, 6.12 in bookworm-backports), or a copy of such a machine's {}",
            self.cache.root().display()
        ))
    }

    fn show(&self, package: &str) -> Vec<Stanza> {
        let output = self.system.output(&["apt-cache", "show", package]);
        stanza::parse(&output.unwrap_or_default())
    }

    fn resolve(&self, series: Series) -> Option<Resolved> {
        // A release that has several series names one by itself. The highest version comes first.
        let own = format!("linux-image-{}-amd64", series.name());
        let images = [own.as_str(), "linux-image-amd64"]
            .into_iter()
            .flat_map(|package| self.show(package))
            .flat_map(|stanza| stanza.depends);
        let mut kernels = images.filter_map(|image| {
            Some(Resolved {
                release: image.package.strip_prefix("linux-image-")?.into(),
                version: image.version?,
            })
        });
        kernels.find(|kernel| series.has(&kernel.release))
    }

    /// Returns the kernel's packages as arguments for `apt-get download`: image, headers, and what the headers need.
    fn packages_of(&self, kernel: &Resolved) -> Result<Vec<String>, Problem> {
        let Resolved { release, version } = kernel;
        let headers = format!("linux-headers-{release}={version}");
        let stanza = self
            .show(&headers)
            .into_iter()
            .next()
            .ok_or_else(|| Problem::Skipped(format!("apt knows no {headers}")))?;
        let mut packages = vec![format!("linux-image-{release}={version}"), headers];
        for needed in stanza.depends {
            if needed.package.ends_with("-common") {
                packages.push(format!("{}={version}", needed.package));
            } else if needed.package.starts_with("linux-kbuild-") {
                packages.extend(self.libraries_of(&needed.package));
                packages.push(format!("{}={version}", needed.package));
            }
        }
        Ok(packages)
    }

    /// Returns the libraries of Kbuild's programs that a small system does not have: objtool needs libelf.
    fn libraries_of(&self, kbuild: &str) -> Vec<String> {
        let depends = self
            .show(kbuild)
            .into_iter()
            .next()
            .map(|stanza| stanza.depends);
        let names = depends
            .unwrap_or_default()
            .into_iter()
            .map(|dependency| dependency.package);
        names.filter(|name| name.starts_with("libelf")).collect()
    }

    fn unpack(&self, what: &str, directory: &Path, packages: &[String]) -> Result<(), Problem> {
        self.system.say(&format!(
            "linux: fetching {what} into {}",
            self.cache.root().display()
        ));
        let archives = directory.join(".archives");
        let broken = |error| Problem::of_host(archives.display(), error);
        fs::create_dir(&archives).map_err(broken)?;
        // apt warns if its own user cannot write into a directory of root's.
        let mut command = vec!["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download"];
        command.extend(packages.iter().map(String::as_str));
        self.system.run_in(&archives, &command)?;
        for archive in fs::read_dir(&archives).map_err(broken)? {
            let name = archive.map_err(broken)?.file_name();
            self.system
                .run_in(&archives, &["dpkg", "-x", &name.to_string_lossy(), ".."])?;
        }
        fs::remove_dir_all(&archives).map_err(broken)
    }

    /// Returns the kernel that an earlier run has fetched, for a host that cannot reach the servers any more.
    fn cached_kernel(&self, series: Series) -> Option<LinuxKernel> {
        let entry = self.cache.newest(&format!("linux-{}.", series.name()))?;
        let name = entry.file_name()?.to_str()?;
        let (release, _version) = name.strip_prefix("linux-")?.split_once('_')?;
        Some(LinuxKernel::in_entry(&entry, release))
    }
}

/// Makes apt know the kernels of every series: reads its lists again, and adds the backports if Linux 6.12 is still
/// unknown. Does nothing if the cache has all kernels. Only `cargo xtask setup` calls this. Problems are printed and
/// are no error, because only the tests of that kernel are skipped.
pub fn set_up(system: &impl System, cache: &Cache) {
    let store = PackageStore::new(system, cache.clone());
    let is_cached = |series: &Series| store.cached_kernel(*series).is_some();
    if Series::value_variants().iter().all(is_cached) || !system.has("apt-get") {
        return;
    }
    if let Err(problem) = setup::update(system, "not every kernel was fetched yet") {
        system.say(&format!("linux: {}", problem.text()));
    }
    // Debian 12 has Linux 6.12 in its backports; Debian 13 has no Linux 6.1 anywhere.
    if store.resolve(Series::V6_12).is_none() {
        setup::add_backports(system);
    }
}

/// Makes Debian's headers work where they were unpacked: they expect to be in `/usr/src`.
fn mend_headers(root: &Path, release: &str) -> Result<(), Problem> {
    let kernel = LinuxKernel::in_entry(root, release);
    let makefile = kernel.headers.join("Makefile");
    let text = String::from_utf8_lossy(&files::read(&makefile)?).into_owned();
    let mended = text.replace(
        "include /usr/src/",
        "include $(dir $(lastword $(MAKEFILE_LIST)))../",
    );
    files::write(&makefile, mended.as_bytes())?;
    // Without vmlinux Kbuild makes no type information, for which it would need pahole.
    let vmlinux = kernel.headers.join("vmlinux");
    if vmlinux.exists() {
        fs::rename(&vmlinux, vmlinux.with_extension("unused"))
            .map_err(|error| Problem::of_host(vmlinux.display(), error))?;
    }
    let parts = [
        kernel.image,
        kernel.modules.join("kernel"),
        kernel.headers.join("scripts/mod/modpost"),
    ];
    match parts.iter().find(|path| !path.exists()) {
        None => Ok(()),
        Some(path) => Err(Problem::Skipped(format!(
            "the packages have no {}",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests;
