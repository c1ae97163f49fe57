//! Builds kernel modules of ours against a kernel's headers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{self, Parts};
use crate::kmod::Module;
use crate::packages::LinuxKernel;
use harness::problem::Problem;
use harness::setup::{LocalSystem, System};
use harness::{files, paths};

/// Returns the directory of our module's sources.
pub fn source() -> PathBuf {
    paths::workspace().join("linux/module")
}

/// Builds the modules of the Kbuild in `source`, sorted by name. Builds them again only if a source or the headers have
/// changed.
///
/// # Errors
/// A tool is missing, or the modules do not build; says what the compiler says.
pub fn build(kernel: &LinuxKernel, source: &Path) -> Result<Vec<Module>, Problem> {
    crate::check()?;
    let sources = sources(source)?;
    if !sources
        .iter()
        .any(|(name, _)| name == "Kbuild" || name == "Makefile")
    {
        let text = format!(
            "{}: no Kbuild there, so no module can be built",
            source.display()
        );
        return Err(Problem::BrokenSetUp(text));
    }
    let compiler = LocalSystem
        .output(&["gcc", "--version"])
        .unwrap_or_default();
    // The version of the headers is in their path.
    let mut parts = Parts::default()
        .with_name(kernel.headers.display())
        .with_name(compiler.lines().next().unwrap_or_default());
    for (name, content) in &sources {
        parts = parts.with_content(name, content);
    }
    let name = source.file_name().unwrap_or_default();
    let place = paths::artifacts()
        .join("modules")
        .join(&kernel.release)
        .join(name);
    let work = place.join("build");
    build::once(&place, &parts, || {
        // Kbuild writes beside the sources. A copy keeps the tree clean; a fresh copy keeps no file that is gone.
        if work.exists() {
            fs::remove_dir_all(&work).map_err(|error| Problem::of_host(work.display(), error))?;
        }
        for (name, content) in &sources {
            files::write(&work.join(name), content)?;
        }
        make(kernel, &work)
    })?;
    objects(&work)
}

fn make(kernel: &LinuxKernel, work: &Path) -> Result<(), Problem> {
    eprintln!("linux: building {} for {}", work.display(), kernel.release);
    let output = Command::new("make")
        .arg("-C")
        .arg(&kernel.headers)
        .arg(format!("M={}", work.display()))
        // The headers name the kernel's compiler with its version, which a later Debian does not have.
        .args(["CC=gcc", "modules"])
        .env("LD_LIBRARY_PATH", &kernel.libraries)
        // An outer make's settings are not meant for Kbuild.
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .map_err(|error| Problem::of_host("make", error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Problem::BrokenSetUp(format!(
        "the module does not build for Linux {}:\n{}{}",
        kernel.release,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )))
}

/// Reads the sources beneath `directory`, sorted by path. What Kbuild leaves behind is no source.
pub(super) fn sources(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, Problem> {
    let mut sources = Vec::new();
    let mut pending = vec![directory.to_path_buf()];
    while let Some(current) = pending.pop() {
        let broken = |error| Problem::of_host(current.display(), error);
        for entry in fs::read_dir(&current).map_err(broken)? {
            let path = entry.map_err(broken)?.path();
            if path.is_dir() {
                pending.push(path);
            } else if is_source(&path) {
                let name = path
                    .strip_prefix(directory)
                    .unwrap_or(&path)
                    .display()
                    .to_string();
                sources.push((name, files::read(&path)?));
            }
        }
    }
    sources.sort();
    Ok(sources)
}

fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_product = name.starts_with('.')
        || name.ends_with(".mod.c")
        || ["o", "ko", "mod", "order", "symvers"]
            .iter()
            .any(|extension| path.extension().is_some_and(|found| found == *extension));
    !is_product
}

fn objects(directory: &Path) -> Result<Vec<Module>, Problem> {
    let broken = |error| Problem::of_host(directory.display(), error);
    let mut modules = Vec::new();
    for entry in fs::read_dir(directory).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        if path.extension().is_some_and(|extension| extension == "ko") {
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .replace('-', "_");
            modules.push(Module {
                name,
                bytes: files::read(&path)?,
            });
        }
    }
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(modules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_from_what_kbuild_leaves() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "Kbuild",
            "a.c",
            "include/layout.h",
            "a.o",
            "a.ko",
            "a.mod",
            "a.mod.c",
            ".a.o.cmd",
            "modules.order",
            "Module.symvers",
        ] {
            files::write(&directory.path().join(name), name.as_bytes()).unwrap();
        }
        let found = sources(directory.path()).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Kbuild", "a.c", "include/layout.h"]);
        assert_eq!(found[2].1, b"include/layout.h");
    }

    #[test]
    fn modules_are_found_by_name() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["under-study.ko", "a.ko", "a.o"] {
            files::write(&directory.path().join(name), name.as_bytes()).unwrap();
        }
        let module = |name: &str, bytes: &[u8]| Module {
            name: name.into(),
            bytes: bytes.into(),
        };
        assert_eq!(
            objects(directory.path()),
            Ok(vec![
                module("a", b"a.ko"),
                module("under_study", b"under-study.ko")
            ])
        );
    }
}
