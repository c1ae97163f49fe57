//! A machine with two Linux tenants: their initrds, the boot archive, the boot line, and QEMU's arguments.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::archive::ArchiveWriter;
use harness::images::Images;
use harness::machine::{Launch, QemuMachine};
use harness::problem::Problem;
use harness::setup::LocalSystem;
use harness::{files, paths};
use linux_kit::cache::Cache;
use linux_kit::hardware::Hardware;
use linux_kit::initrd::{Initrd, USUAL_MODULES};
use linux_kit::kmod::ModuleTree;
use linux_kit::packages::{KernelSource, LinuxKernel, PackageStore};
use linux_kit::{ctl, file_system, guest, module};

/// Words for both kernels that make the boot short and quiet; none is needed. A backup boots on one CPU. With
/// `noreplace-smp` it does not stop to patch its code when the other CPUs come up after the takeover.
pub(crate) const USUAL_WORDS: &str = "console=ttyS0 printk.devkmsg=on mitigations=off random.trust_cpu=on \
    cryptomgr.notests noreplace-smp loglevel=5";

const INIT: &str = include_str!("tenant-init.sh");

/// The directory of the takeover hooks, which bring up a first primary, too.
pub(crate) const HOOKS: &str = "/etc/understudy/takeover.d";

/// The hooks that are part of the service's program, and the hook that no client waits for.
const OWN_HOOKS: [&str; 2] = ["10-disk", "20-network"];
/// Their limit in seconds: they wait for devices for some time less.
const HOOK_LIMIT_S: &[u8] = b"20\n";
const RAM_DISK_HOOK: &str = include_str!("../../../linux/examples/takeover.d/30-ram-disk");

/// Starts the virtual machine that never ends.
const VIRTUAL_MACHINE_HOOK: &str = "#!/bin/sh\nkvm-loop > /dev/kmsg 2>&1 &\n";

/// Size of the file system in the RAM disk: a small one is made fast.
const RAM_DISK_BYTES: u64 = 12 << 20;

/// A pair of kernels and a machine for them.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Name of files and logs.
    pub name: String,
    /// The first primary's kernel.
    pub primary: KernelSource,
    /// The first backup's kernel.
    pub backup: KernelSource,
    /// The machine.
    pub hardware: Hardware,
    /// A primary that is silent for so long is dead.
    pub timeout: Duration,
    /// Further words for the boot line.
    pub append: String,
    /// Further words for both kernels.
    pub words: String,
    /// Whether both have KVM, and whoever is the primary runs a virtual machine that never ends.
    pub has_kvm: bool,
    /// Further files of the boot archive: their names and contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// Further arguments for QEMU.
    pub qemu_arguments: Vec<String>,
}

impl Pair {
    /// Describes a pair on the usual machine.
    pub fn new(
        name: impl Into<String>,
        primary: impl Into<KernelSource>,
        backup: impl Into<KernelSource>,
    ) -> Self {
        Self {
            name: name.into(),
            primary: primary.into(),
            backup: backup.into(),
            hardware: Hardware::default(),
            timeout: Duration::from_millis(250),
            append: String::new(),
            words: String::new(),
            has_kvm: false,
            files: Vec::new(),
            qemu_arguments: Vec::new(),
        }
    }

    /// Returns the releases of both kernels.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had.
    pub fn kernels(&self) -> Result<[LinuxKernel; 2], Problem> {
        let packages = PackageStore::new(&LocalSystem, Cache::of_user()?);
        Ok([
            packages.kernel_of(&self.primary)?,
            packages.kernel_of(&self.backup)?,
        ])
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
        let archive = self.archive()?;
        let scratch = paths::scratch(&self.name);
        let disks = file_system::make_disks(&scratch, self.hardware.disks.len())?;
        let launch = Launch {
            kernel: images.kernel.clone(),
            archive,
            log: log.to_path_buf(),
            limit,
            is_echoed: false,
        };
        let mut arguments = self.hardware.arguments(&disks);
        arguments.extend(["-append".into(), self.boot_line()]);
        arguments.extend(self.qemu_arguments.iter().cloned());
        QemuMachine::start_with(&arguments, &launch)
    }

    /// Builds what is missing and writes the boot archive.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had; something does not build.
    pub fn archive(&self) -> Result<PathBuf, Problem> {
        linux_kit::check()?;
        let kernels = self.kernels()?;
        let build = |kernel| match self.has_kvm {
            true => initrd_with_kvm(kernel, &self.hardware),
            false => initrd(kernel, &self.hardware),
        };
        let initrds = [build(&kernels[0])?, build(&kernels[1])?];
        boot_archive(&self.name, &kernels, &initrds, &self.files)
    }

    /// Returns the words that both kernels are given; the last are for the guest's hooks.
    pub fn kernel_words(&self) -> String {
        let hardware = &self.hardware;
        let (cards, disks) = (hardware.cards.len(), hardware.disks.len());
        let of_guest = format!("cards={cards} disks={disks}");
        format!("{USUAL_WORDS} {of_guest} {}", self.words)
            .trim_end()
            .into()
    }

    /// Returns the boot line.
    pub fn boot_line(&self) -> String {
        let tenant = |role: &str, letter: &str| {
            format!(
                "{role}_kernel=/boot/vmlinuz-{letter} {role}_initrd=/boot/initrd-{letter} {role}_cmdline=\"{}\"",
                self.kernel_words()
            )
        };
        let line = format!(
            "{} {} failover_timeout={}ms pmem=64M {} {}",
            tenant("primary", "a"),
            tenant("failover", "b"),
            self.timeout.as_millis(),
            self.hardware.boot_words(),
            self.append
        );
        line.trim_end().into()
    }
}

/// Writes the boot archive of a machine: kernels and initrds of the first primary and its backup, under the names of
/// [`Pair::boot_line`], and further files under theirs.
///
/// # Errors
/// A kernel cannot be read, or the archive cannot be written.
pub fn boot_archive(
    machine: &str,
    kernels: &[LinuxKernel; 2],
    initrds: &[Vec<u8>; 2],
    files: &[(String, Vec<u8>)],
) -> Result<PathBuf, Problem> {
    let mut archive = ArchiveWriter::default();
    for ((kernel, initrd), letter) in kernels.iter().zip(initrds).zip(["a", "b"]) {
        let image = harness::files::read(&kernel.image)?;
        archive = archive
            .file(&format!("boot/vmlinuz-{letter}"), &image)
            .file(&format!("boot/initrd-{letter}"), initrd);
    }
    for (name, content) in files {
        archive = archive.file(name, content);
    }
    let path = paths::scratch(machine).join("boot.cpio");
    harness::files::write(&path, &archive.finish())?;
    Ok(path)
}

/// Builds the initrd of a tenant, in either role, with the drivers for `hardware`.
///
/// # Errors
/// Something does not build.
pub fn initrd(kernel: &LinuxKernel, hardware: &Hardware) -> Result<Vec<u8>, Problem> {
    usual_initrd(kernel, hardware).map(Initrd::finish)
}

/// Builds the initrd of a tenant that loads KVM for AMD's processors, and as the primary runs a virtual machine.
fn initrd_with_kvm(kernel: &LinuxKernel, hardware: &Hardware) -> Result<Vec<u8>, Problem> {
    let initrd = usual_initrd(kernel, hardware)?
        .modules(&ModuleTree::of(kernel)?.in_order(&["kvm_amd"])?)
        .program("/bin/kvm-loop", &files::read(&guest::build_kvm_loop()?)?)
        .program(
            &format!("{HOOKS}/40-virtual-machine"),
            VIRTUAL_MACHINE_HOOK.as_bytes(),
        );
    Ok(initrd.finish())
}

fn usual_initrd(kernel: &LinuxKernel, hardware: &Hardware) -> Result<Initrd, Problem> {
    let busybox = PackageStore::new(&LocalSystem, Cache::of_user()?).busybox()?;
    let source = module::source();
    let cards = hardware.cards.iter().map(|card| card.kind.modules());
    let disks = hardware.disks.iter().map(|disk| disk.kind.modules());
    let drivers = cards.chain(disks).flatten().copied();
    let modules: Vec<&str> = USUAL_MODULES.into_iter().chain(drivers).collect();
    let mut initrd = Initrd::new(&busybox, INIT)?
        .modules(&ModuleTree::of(kernel)?.in_order(&modules)?)
        .modules(&module::build(kernel, &source)?)
        .modules(&module::build(kernel, &source.join("tests"))?)
        .program("/bin/linux-guest", &files::read(&guest::build()?)?)
        .program("/bin/understudyctl", &files::read(&ctl::build()?)?);
    for name in OWN_HOOKS {
        let hook = format!("{HOOKS}/{name}");
        initrd = initrd
            .symlink(&hook, "/bin/linux-guest")
            .file(&format!("{hook}.timeout"), HOOK_LIMIT_S);
    }
    let initrd = initrd
        .program(&format!("{HOOKS}/30-ram-disk"), RAM_DISK_HOOK.as_bytes())
        .file("/lib/ram-disk.gz", &ram_disk()?);
    Ok(initrd)
}

/// Makes an ext4 with a journal, and packs it. Busybox would make one without a journal, which would be damaged after
/// the death of the kernel that has it mounted.
fn ram_disk() -> Result<Vec<u8>, Problem> {
    let image = paths::artifacts().join("ram-disk.img");
    file_system::make_file_system(&image, RAM_DISK_BYTES, "ram-disk")?;
    let output = Command::new("gzip")
        .arg("-c")
        .arg(&image)
        .output()
        .map_err(|error| Problem::of_host("gzip", error))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(Problem::of_host(
            "gzip",
            String::from_utf8_lossy(&output.stderr),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linux_kit::packages::Series;
    use partition::Options;

    #[test]
    fn the_boot_line_is_one_the_monitor_takes() {
        let mut pair = Pair::new("x", Series::V6_12, Series::V6_1);
        pair.append = "failover_rearm=auto".into();
        let options = Options::parse(&pair.boot_line()).unwrap();
        assert_eq!(options.primary_initrd, "/boot/initrd-a");
        assert_eq!(
            options.failover_cmdline,
            format!("{USUAL_WORDS} cards=1 disks=1")
        );
        assert_eq!(options.failover_timeout_ns, 250_000_000);
        assert_eq!(options.pmem_bytes, 64 << 20);
    }
}
