//! Builds an initrd: busybox, modules in the order in which they are loaded, programs, and a script that runs first.

use std::path::Path;
use std::process::Command;

use crate::kmod::Module;
use harness::archive::ArchiveWriter;
use harness::files;
use harness::problem::Problem;

/// Names of the modules, one a line, in the order in which they are to be loaded.
pub const ORDER_FILE: &str = "/lib/modules/order";

/// Modules of the distribution that a tenant has: disk, network, ext4 with its checksums, RAM as a disk.
pub const USUAL_MODULES: [&str; 8] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "crc32c_generic",
    "crc32c_intel",
    "ext4",
    "nd_pmem",
    "nd_e820",
];

/// Directories that every initrd has; a directory comes before what is in it.
const DIRECTORIES: [&str; 13] = [
    "bin",
    "data",
    "dax",
    "dev",
    "etc",
    "lib",
    "lib/modules",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "var",
];

/// An initrd being put together.
#[derive(Clone, Debug)]
pub struct Initrd {
    archive: ArchiveWriter,
    order: String,
}

impl Initrd {
    /// Begins an initrd with a shell and its tools, in which `init` runs first.
    ///
    /// # Errors
    /// busybox cannot be read or run.
    pub fn new(busybox: &Path, init: &str) -> Result<Self, Problem> {
        let mut archive = ArchiveWriter::default();
        for directory in DIRECTORIES {
            archive = archive.directory(directory);
        }
        // The kernel looks for its helpers in sbin. There is no modprobe, so that nothing waits for one.
        archive = archive
            .symlink("sbin", "bin")
            .device("dev/console", 5, 1)
            .device("dev/null", 1, 3)
            .program("bin/busybox", &files::read(busybox)?);
        for tool in tools(busybox)?
            .lines()
            .filter(|tool| !["busybox", "modprobe"].contains(tool))
        {
            archive = archive.symlink(&format!("bin/{tool}"), "busybox");
        }
        Ok(Self {
            archive: archive.program("init", init.as_bytes()),
            order: String::new(),
        })
    }

    /// Adds modules, behind those that are there.
    #[must_use]
    pub fn modules(mut self, modules: &[Module]) -> Self {
        for module in modules {
            self.archive = self
                .archive
                .file(&format!("lib/modules/{}.ko", module.name), &module.bytes);
            self.order += &format!("{}\n", module.name);
        }
        self
    }

    /// Adds a program at `path`, and the directories it is in, unless they are there.
    #[must_use]
    pub fn program(mut self, path: &str, bytes: &[u8]) -> Self {
        self.archive = with_parents(self.archive, path).program(path, bytes);
        self
    }

    /// Adds a symbolic link at `path` to `target`, and the directories it is in.
    #[must_use]
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        self.archive = with_parents(self.archive, path).symlink(path, target);
        self
    }

    /// Adds a file at `path`, and the directories it is in.
    #[must_use]
    pub fn file(mut self, path: &str, bytes: &[u8]) -> Self {
        self.archive = with_parents(self.archive, path).file(path, bytes);
        self
    }

    /// Ends the archive and returns it.
    pub fn finish(self) -> Vec<u8> {
        self.archive
            .file(ORDER_FILE, self.order.as_bytes())
            .finish()
    }
}

/// Adds the directories above `path`. Naming one twice does no harm: Linux leaves an existing directory as it is.
fn with_parents(mut archive: ArchiveWriter, path: &str) -> ArchiveWriter {
    let path = path.trim_start_matches('/');
    for (index, _) in path.match_indices('/') {
        archive = archive.directory(&path[..index]);
    }
    archive
}

/// Lists the names of busybox' programs.
fn tools(busybox: &Path) -> Result<String, Problem> {
    let output = Command::new(busybox)
        .arg("--list")
        .output()
        .map_err(|error| Problem::of_host(busybox.display(), error))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use partition::archive::Archive;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_initrd_has_all_its_parts_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let busybox = directory.path().join("busybox");
        fs::write(
            &busybox,
            "#!/bin/sh\necho ash; echo busybox; echo modprobe\n",
        )
        .unwrap();
        fs::set_permissions(&busybox, fs::Permissions::from_mode(0o755)).unwrap();
        let module = |name: &str| Module {
            name: name.into(),
            bytes: name.into(),
        };
        let bytes = Initrd::new(&busybox, "#!/bin/sh\n")
            .unwrap()
            .modules(&[module("b"), module("a")])
            .program("/etc/understudy/takeover.d/10-serve", b"#!/bin/sh\n")
            .modules(&[module("c")])
            .finish();
        let text = String::from_utf8_lossy(&bytes);
        let place = |name: &str| {
            text.find(&format!("\0{name}\0"))
                .or(text.find(&format!("{name}\0")))
        };
        assert!(place("etc/understudy") < place("etc/understudy/takeover.d"));
        assert!(place("etc/understudy/takeover.d") < place("etc/understudy/takeover.d/10-serve"));
        assert!(text.contains("bin/ash\0") && !text.contains("modprobe\0"));
        let archive = Archive::parse(&bytes).unwrap();
        assert_eq!(archive.find(ORDER_FILE), Some(&b"b\na\nc\n"[..]));
        assert_eq!(archive.find("/lib/modules/a.ko"), Some(&b"a"[..]));
        assert_eq!(archive.find("/init"), Some(&b"#!/bin/sh\n"[..]));
    }
}
