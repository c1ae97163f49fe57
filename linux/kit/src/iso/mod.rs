//! Makes a disc with the runtime, two kernels and their initrds. GRUB starts it (Multiboot2) on legacy BIOS and on
//! UEFI.

pub mod grub;

use std::fs;
use std::path::Path;
use std::time::Duration;

use partition::archive::Archive;

use harness::bochs;
use harness::machine::OVMF;
use harness::problem::Problem;
use harness::setup::{self, System};
use harness::{files, paths, tools};

/// Where the boot image is on the disc.
const IMAGE_PATH: &str = "/boot/understudy";

const MENU_PATH: &str = "boot/grub/grub.cfg";

/// What makes a disc. GRUB's own files are no programs and are named by their path.
const NEEDED: [setup::Need; 5] = [
    ("grub-mkrescue", "grub-common", "makes the disc"),
    (
        "/usr/lib/grub/i386-pc/multiboot2.mod",
        "grub-pc-bin",
        "starts the disc on legacy BIOS",
    ),
    (
        "/usr/lib/grub/x86_64-efi/multiboot2.mod",
        "grub-efi-amd64-bin",
        "starts the disc on UEFI",
    ),
    ("xorriso", "xorriso", "writes the disc"),
    ("mformat", "mtools", "makes the disc's part for UEFI"),
];

/// What a disc is tried with.
const FIRMWARE: setup::Need = (OVMF[0], "ovmf", "is the firmware of a machine with UEFI");

/// Some 100 MiB are written in a second or two; a busy host takes its time.
const LIMIT: Duration = Duration::from_secs(120);

/// Returns what makes a disc, and what it is tried with.
pub(crate) fn needs() -> Vec<setup::Need> {
    let tried_with = bochs::NEEDED.into_iter().chain([FIRMWARE]);
    NEEDED.into_iter().chain(tried_with).collect()
}

/// Checks that `system` has what a disc is made and tried with.
///
/// # Errors
/// Something is missing; says what to do.
pub fn check(system: &impl System) -> Result<(), Problem> {
    setup::check_programs(system, &needs())
}

/// A disc being put together.
#[derive(Clone, Debug)]
pub struct Iso {
    image: Vec<u8>,
    boot_line: String,
    modules: Vec<(String, Vec<u8>)>,
    madt: Option<Vec<u8>>,
    hidden: Vec<&'static str>,
}

/// Where the MADT that replaces the firmware's is on the disc.
const MADT_PATH: &str = "/boot/madt";

impl Iso {
    /// Begins a disc that starts a boot image with a boot line.
    pub fn new(image: Vec<u8>, boot_line: impl Into<String>) -> Self {
        Self {
            image,
            boot_line: boot_line.into(),
            modules: Vec::new(),
            madt: None,
            hidden: Vec::new(),
        }
    }

    /// Replaces the firmware's MADT: what the machine is said to have need not be there.
    #[must_use]
    pub fn madt(mut self, table: Vec<u8>) -> Self {
        self.madt = Some(table);
        self
    }

    /// Hides a table of the firmware, by its signature, as if the machine had none.
    #[must_use]
    pub fn without_table(mut self, signature: &'static str) -> Self {
        self.hidden.push(signature);
        self
    }

    /// Adds a file that the boot line names by its path.
    #[must_use]
    pub fn module(mut self, path: &str, bytes: Vec<u8>) -> Self {
        self.modules.push((path.into(), bytes));
        self
    }

    /// Adds all files of a boot archive.
    ///
    /// # Errors
    /// It is no archive.
    pub fn files_of(mut self, archive: &[u8]) -> Result<Self, Problem> {
        let archive =
            Archive::parse(archive).map_err(|error| Problem::of_host("boot archive", error))?;
        for file in archive.files() {
            self = self.module(&format!("/{}", file.name), file.bytes.to_vec());
        }
        Ok(self)
    }

    /// Writes the disc. `name` names the directory for its parts.
    ///
    /// # Errors
    /// GRUB cannot hand the boot line over, a tool fails, or a file cannot be written.
    pub fn write(&self, name: &str, out: &Path) -> Result<(), Problem> {
        let root = paths::scratch(name).join("disc");
        if root.exists() {
            fs::remove_dir_all(&root).map_err(|error| Problem::of_host(root.display(), error))?;
        }
        let on_disc = |path: &str| root.join(path.trim_start_matches('/'));
        files::write(&on_disc(MENU_PATH), self.menu()?.as_bytes())?;
        files::write(&on_disc(IMAGE_PATH), &self.image)?;
        for (path, bytes) in &self.modules {
            files::write(&on_disc(path), bytes)?;
        }
        if let Some(table) = &self.madt {
            files::write(&on_disc(MADT_PATH), table)?;
        }
        if let Some(parent) = out.parent() {
            fs::create_dir_all(parent)
                .map_err(|error| Problem::of_host(parent.display(), error))?;
        }
        let (out, root) = (out.to_string_lossy(), root.to_string_lossy());
        tools::run("grub-mkrescue", &["-o", &out, &root], "", LIMIT).map(drop)
    }

    /// Writes the menu that GRUB reads.
    ///
    /// # Errors
    /// GRUB cannot hand the boot line over.
    pub fn menu(&self) -> Result<String, Problem> {
        let modules: Vec<&str> = self.modules.iter().map(|(path, _)| path.as_str()).collect();
        let menu = grub::config(IMAGE_PATH, &self.boot_line, &modules)?;
        let mut hidden = self.hidden.clone();
        hidden.extend(self.madt.as_ref().map(|_| "APIC"));
        let replacement = self.madt.as_ref().map_or("", |_| MADT_PATH);
        Ok(match hidden.is_empty() {
            true => menu,
            false => format!("acpi --exclude={} {replacement}\n{menu}", hidden.join(",")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::archive::ArchiveWriter;
    use partition::Options;

    #[test]
    fn the_menu_names_every_file_of_the_archive() {
        let line = "primary_kernel=/boot/a failover_kernel=/boot/b primary_cmdline=\"a b\"";
        assert!(Options::parse(line).is_ok());
        let archive = ArchiveWriter::default()
            .file("boot/a", b"1")
            .image("/boot/b", b"2")
            .finish();
        let iso = Iso::new(Vec::new(), line).files_of(&archive).unwrap();
        let menu = iso.menu().unwrap();
        for line in [
            "    module2 /boot/a /boot/a\n",
            "    module2 /boot/b /boot/b\n",
            "    module2 /boot/b.crc32c /boot/b.crc32c\n",
            "        primary_cmdline='a b'\n",
        ] {
            assert!(menu.contains(line), "{line} in {menu}");
        }
        assert!(Iso::new(Vec::new(), line).files_of(b"none").is_err());
    }

    struct Without(&'static str);

    impl System for Without {
        fn has(&self, program: &str) -> bool {
            program != self.0
        }

        fn output(&self, command: &[&str]) -> Option<String> {
            panic!("asked for {command:?}")
        }

        fn as_root(&self, command: &[&str], _: Option<&str>) -> Result<(), Problem> {
            panic!("told to {command:?}")
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        assert_eq!(check(&Without("nothing")), Ok(()));
        let text = check(&Without("xorriso")).unwrap_err().text().to_owned();
        assert!(
            text.contains("xorriso (package xorriso), which writes the disc"),
            "{text}"
        );
        let text = check(&Without(OVMF[0])).unwrap_err().text().to_owned();
        assert!(
            text.contains("package ovmf") && !text.contains("xorriso"),
            "{text}"
        );
    }
}
