//! Where a kernel comes from: a series of Debian's, or packages of your own.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;

use super::{LinuxKernel, PackageStore, Series, mend_headers};
use harness::problem::{Problem, require};
use harness::setup::System;

/// What one chooses a kernel by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelSource {
    /// The newest point release of a series, from the distribution.
    Series(Series),
    /// A directory of packages, `*.deb`: a kernel's image, its headers, and what the headers need.
    Packages(PathBuf),
}

impl From<Series> for KernelSource {
    fn from(series: Series) -> Self {
        Self::Series(series)
    }
}

impl FromStr for KernelSource {
    type Err = Infallible;

    /// Takes what is no series for a directory.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match Series::from_str(text, false) {
            Ok(series) => Self::Series(series),
            Err(_) => Self::Packages(text.into()),
        })
    }
}

impl fmt::Display for KernelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Series(series) => f.write_str(series.name()),
            Self::Packages(directory) => directory.display().fmt(f),
        }
    }
}

impl<S: System> PackageStore<'_, S> {
    /// Returns the kernel that `source` names, unpacked.
    ///
    /// # Errors
    /// As [`kernel`](Self::kernel); or a directory has no packages, or not those of one kernel and its headers.
    pub fn kernel_of(&self, source: &KernelSource) -> Result<LinuxKernel, Problem> {
        match source {
            KernelSource::Series(series) => self.kernel(*series),
            KernelSource::Packages(directory) => self.own_kernel(directory),
        }
    }

    fn own_kernel(&self, directory: &Path) -> Result<LinuxKernel, Problem> {
        let packages = packages_in(directory)?;
        let stems = packages.iter().filter_map(|package| package.file_stem());
        let names: Vec<_> = stems.map(|stem| stem.to_string_lossy()).collect();
        let is_image = |name: &str| name.starts_with("linux-image-");
        let images: Vec<_> = names.iter().filter(|name| is_image(name)).collect();
        let [image] = images[..] else {
            return Err(Problem::BrokenSetUp(format!(
                "{}: one package linux-image-*.deb is needed there, and {} are",
                directory.display(),
                images.len()
            )));
        };
        let entry = self.cache.entry(&format!("own_{image}"), |root| {
            for package in &packages {
                let package = package.to_string_lossy();
                self.system.run_in(root, &["dpkg", "-x", &package, "."])?;
            }
            mend_headers(root, &release_in(root)?)
        })?;
        Ok(LinuxKernel::in_entry(&entry, &release_in(&entry)?))
    }
}

/// Returns the packages in a directory, in order.
fn packages_in(directory: &Path) -> Result<Vec<PathBuf>, Problem> {
    let broken = |error| {
        let wanted = "a series (6.1, 6.12) or a directory of a kernel's packages is wanted";
        Problem::BrokenSetUp(format!("{}: {error}; {wanted}", directory.display()))
    };
    let directory = directory.canonicalize().map_err(broken)?;
    let entries = fs::read_dir(&directory).map_err(broken)?;
    let is_package = |path: &PathBuf| path.extension().is_some_and(|it| it == "deb");
    let mut packages: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_package)
        .collect();
    packages.sort();
    require(!packages.is_empty(), || {
        format!("{}: there is no *.deb", directory.display())
    })?;
    Ok(packages)
}

/// Returns the release of the kernel that is unpacked at `root`.
fn release_in(root: &Path) -> Result<String, Problem> {
    let boot = root.join("boot");
    let entries = fs::read_dir(&boot).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut releases = names.filter_map(|name| Some(name.strip_prefix("vmlinuz-")?.to_string()));
    releases.next().ok_or_else(|| {
        Problem::BrokenSetUp(format!("the packages have no {}/vmlinuz-*", boot.display()))
    })
}
