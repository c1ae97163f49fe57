//! A kernel's modules, and the order in which they must be loaded. The packages have no `modules.dep`, which is made
//! when they are installed; the modules themselves say what it would say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use elf::ElfBytes;
use elf::endian::LittleEndian;

use crate::packages::LinuxKernel;
use harness::files;
use harness::problem::Problem;

/// A module, ready to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name, with underscores.
    pub name: String,
    /// The ELF object.
    pub bytes: Vec<u8>,
}

/// The modules of a kernel, by name.
pub struct ModuleTree {
    release: String,
    files: BTreeMap<String, PathBuf>,
    builtin: BTreeSet<String>,
}

impl ModuleTree {
    /// Lists the modules of an unpacked kernel.
    ///
    /// # Errors
    /// Its directory cannot be read.
    pub fn of(kernel: &LinuxKernel) -> Result<Self, Problem> {
        let mut files = BTreeMap::new();
        collect(&kernel.modules.join("kernel"), &mut files)?;
        let builtin = files::read(&kernel.modules.join("modules.builtin"))?;
        let builtin = String::from_utf8_lossy(&builtin)
            .lines()
            .filter_map(|line| module_name(Path::new(line)))
            .collect();
        Ok(Self {
            release: kernel.release.clone(),
            files,
            builtin,
        })
    }

    /// Returns the modules `wanted` and all that they depend on, each behind its dependencies. Modules that are built
    /// into the kernel are left out.
    ///
    /// # Errors
    /// There is no such module, or it cannot be read.
    pub fn in_order(&self, wanted: &[&str]) -> Result<Vec<Module>, Problem> {
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        for name in wanted {
            self.add(&underscored(name), &mut seen, &mut order)?;
        }
        Ok(order)
    }

    fn add(
        &self,
        name: &str,
        seen: &mut BTreeSet<String>,
        order: &mut Vec<Module>,
    ) -> Result<(), Problem> {
        if self.builtin.contains(name) || !seen.insert(name.into()) {
            return Ok(());
        }
        let path = self.files.get(name).ok_or_else(|| {
            Problem::BrokenSetUp(format!("Linux {} has no module {name}", self.release))
        })?;
        let bytes = read_object(path)?;
        for needed in depends(&bytes).map_err(|error| Problem::of_host(path.display(), error))? {
            self.add(&needed, seen, order)?;
        }
        order.push(Module {
            name: name.into(),
            bytes,
        });
        Ok(())
    }
}

fn collect(directory: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<(), Problem> {
    let broken = |error| Problem::of_host(directory.display(), error);
    for entry in fs::read_dir(directory).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let path = entry.path();
        if entry.file_type().map_err(broken)?.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = module_name(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// Returns the name of the module in a file `crc32c-intel.ko.xz`: `crc32c_intel`.
fn module_name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let stem = file
        .strip_suffix(".xz")
        .unwrap_or(file)
        .strip_suffix(".ko")?;
    Some(underscored(stem))
}

/// Replaces dashes by underscores, which are the same in names of modules.
fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

fn read_object(path: &Path) -> Result<Vec<u8>, Problem> {
    if path.extension().is_none_or(|extension| extension != "xz") {
        return files::read(path);
    }
    let broken = |error: String| Problem::of_host(format!("xz -dc {}", path.display()), error);
    let output = Command::new("xz")
        .arg("-dc")
        .arg(path)
        .output()
        .map_err(|error| broken(error.to_string()))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(broken(
            String::from_utf8_lossy(&output.stderr).trim().into(),
        )),
    }
}

/// Reads what a module depends on: `depends=a,b` among the zero-terminated strings of its section `.modinfo`.
fn depends(object: &[u8]) -> Result<Vec<String>, String> {
    let broken = |error: elf::ParseError| error.to_string();
    let elf = ElfBytes::<LittleEndian>::minimal_parse(object).map_err(broken)?;
    let section = elf
        .section_header_by_name(".modinfo")
        .map_err(broken)?
        .ok_or("this is no kernel module: it has no section .modinfo")?;
    let (bytes, _) = elf.section_data(&section).map_err(broken)?;
    let list = bytes
        .split(|byte| *byte == 0)
        .find_map(|field| field.strip_prefix(b"depends="));
    let list = String::from_utf8_lossy(list.unwrap_or_default()).into_owned();
    Ok(list
        .split(',')
        .filter(|name| !name.is_empty())
        .map(underscored)
        .collect())
}

#[cfg(test)]
mod tests;
