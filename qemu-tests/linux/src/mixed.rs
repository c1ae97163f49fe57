//! A machine with a Linux and a native instance, either of them the first primary.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::tenants::{HOOKS, USUAL_WORDS, initrd};
use harness::archive::ArchiveWriter;
use harness::images::Images;
use harness::machine::{Launch, QemuMachine};
use harness::problem::Problem;
use harness::setup::LocalSystem;
use harness::{files, paths};
use linux_kit::cache::Cache;
use linux_kit::file_system;
use linux_kit::hardware::Hardware;
use linux_kit::packages::{LinuxKernel, PackageStore, Series};

/// The port of a Linux' service, and of a native instance's status page.
pub const HTTP_PORT: u16 = 80;

/// The port of a native instance's service.
pub const REDIS_PORT: u16 = 6379;

const NATIVE_PATH: &str = "/boot/instance";
const LINUX_PATH: &str = "/boot/vmlinuz";
const INITRD_PATH: &str = "/boot/initrd";

const JOURNAL_HOOK: &str = include_str!("../../../linux/examples/takeover.d/40-journal");
const REBOOT_HOOK: &str = include_str!("../../../linux/examples/takeover.d/50-reboot");

/// Which of the two is the first primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The Linux.
    Linux,
    /// The native instance.
    Native,
}

/// A machine with both.
#[derive(Clone, Debug)]
pub struct Mixed {
    /// Name of files and logs.
    pub name: String,
    /// The Linux' kernel.
    pub series: Series,
    /// The first primary.
    pub first: First,
    /// A primary that is silent for so long is dead.
    pub timeout: Duration,
    /// What a program of the Linux appends to the journal when it is the primary.
    pub records: Vec<Vec<u8>>,
    /// Whether the Linux reboots when it has brought everything up as the first primary.
    pub reboots: bool,
    /// Further words for the boot line.
    pub append: String,
}

impl Mixed {
    /// Returns the Linux' kernel.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had.
    pub fn kernel(&self) -> Result<LinuxKernel, Problem> {
        PackageStore::new(&LocalSystem, Cache::of_user()?).kernel(self.series)
    }

    /// Builds what is missing and starts the machine.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had; something does not build; QEMU does not start.
    pub fn start(
        &self,
        images: &Images,
        log: &Path,
        limit: Duration,
    ) -> Result<QemuMachine, Problem> {
        linux_kit::check()?;
        let archive = self.archive(images)?;
        let disk = paths::scratch(&self.name).join("data.img");
        file_system::make_disk(&disk)?;
        let launch = Launch {
            kernel: images.kernel.clone(),
            archive,
            log: log.to_path_buf(),
            limit,
            is_echoed: false,
        };
        let hardware = Hardware {
            ports: vec![HTTP_PORT, REDIS_PORT],
            ..Hardware::default()
        };
        let mut arguments = hardware.arguments(&[&disk]);
        arguments.extend(["-append".into(), self.boot_line()]);
        QemuMachine::start_with(&arguments, &launch)
    }

    fn archive(&self, images: &Images) -> Result<PathBuf, Problem> {
        let kernel = self.kernel()?;
        // Linux unpacks one archive after the other.
        let mut initrd = initrd(&kernel, &Hardware::default())?;
        initrd.resize(initrd.len().next_multiple_of(4), 0);
        initrd.extend(self.further_files());
        let archive = ArchiveWriter::default()
            .image(NATIVE_PATH, &images.instance)
            .file(LINUX_PATH, &files::read(&kernel.image)?)
            .file(INITRD_PATH, &initrd);
        let path = paths::scratch(&self.name).join("boot.cpio");
        files::write(&path, &archive.finish())?;
        Ok(path)
    }

    /// Packs the records, and the program that appends them.
    fn further_files(&self) -> Vec<u8> {
        let mut archive = ArchiveWriter::default().directory("lib/records");
        for (index, record) in self.records.iter().enumerate() {
            archive = archive.file(&format!("lib/records/{index}"), record);
        }
        if !self.records.is_empty() {
            archive = archive.program(&format!("{HOOKS}/40-journal"), JOURNAL_HOOK.as_bytes());
        }
        if self.reboots {
            archive = archive.program(&format!("{HOOKS}/50-reboot"), REBOOT_HOOK.as_bytes());
        }
        archive.finish()
    }

    /// Returns the boot line.
    pub fn boot_line(&self) -> String {
        let (linux, native) = match self.first {
            First::Linux => ("primary", "failover"),
            First::Native => ("failover", "primary"),
        };
        format!(
            "{linux}_kernel={LINUX_PATH} {linux}_initrd={INITRD_PATH} {linux}_cmdline=\"{USUAL_WORDS}\" \
             {native}_kernel={NATIVE_PATH} failover_timeout={}ms pmem=64M {} {}",
            self.timeout.as_millis(),
            Hardware::default().boot_words(),
            self.append
        )
        .trim_end()
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partition::Options;

    #[test]
    fn the_boot_line_is_one_the_monitor_takes() {
        let mut mixed = Mixed {
            name: "x".into(),
            series: Series::V6_1,
            first: First::Linux,
            timeout: Duration::from_millis(500),
            records: Vec::new(),
            reboots: false,
            append: "debug=1".into(),
        };
        let options = Options::parse(&mixed.boot_line()).unwrap();
        assert_eq!(
            (
                options.primary_kernel.as_str(),
                options.failover_kernel.as_str()
            ),
            (LINUX_PATH, NATIVE_PATH)
        );
        assert_eq!(options.primary_initrd, INITRD_PATH);
        mixed.first = First::Native;
        let options = Options::parse(&mixed.boot_line()).unwrap();
        assert_eq!(options.primary_kernel, NATIVE_PATH);
        assert_eq!(options.failover_cmdline, USUAL_WORDS);
        assert!(options.debug && options.status_port == Some(HTTP_PORT));
    }
}
