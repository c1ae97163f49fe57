//! A trial of the Debian packages. They are installed in a fresh Debian, and two instances of it share a machine. The
//! first writes a file and panics; the second wakes up in its initramfs, mounts the disk of the first, and boots to the
//! end.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sharedmem::event::Trial;

use harness::archive::ArchiveWriter;
use harness::machine::{Launch, QemuMachine};
use harness::problem::{Problem, require, require_equal};
use harness::setup::{self, LocalSystem, System};
use harness::{emulator, files, paths};
use linux_kit::deb::{BuiltPackages, IMAGE_PATH, SOURCE, walk};
use linux_kit::hardware::Hardware;

const SUITE: &str = "bookworm";

/// What an installed Debian has and a minimal one does not have.
const INCLUDED: &str =
    "linux-image-amd64,linux-headers-amd64,dkms,initramfs-tools,grub2-common,systemd-sysv,udev";

/// What the trial needs.
pub const NEEDED: [setup::Need; 3] = [
    ("mmdebstrap", "mmdebstrap", "unpacks a fresh Debian"),
    ("mke2fs", "e2fsprogs", "makes its disk"),
    ("grub-script-check", "grub-common", "reads GRUB's entry"),
];

/// Three boots of a whole distribution, one after the other, in emulation.
const LIMIT: Duration = Duration::from_secs(900);

const KERNEL_PATH: &str = "/boot/vmlinuz";
const INITRD_PATH: &str = "/boot/initrd";
const WORDS: &str = "console=ttyS0 root=/dev/vda ro";

/// Runs the trial.
///
/// # Errors
/// It is not run by root, a tool is missing or fails, or the second instance does not come up with the file of the
/// first.
pub fn run(packages: &BuiltPackages) -> Result<(), Problem> {
    let user = LocalSystem.output(&["id", "-u"]).unwrap_or_default();
    if user.trim() != "0" {
        return Err(Problem::BrokenSetUp(
            "the files of a Debian belong to root: run this as root, or leave --try out".into(),
        ));
    }
    setup::check_programs(&LocalSystem, &NEEDED)?;
    let place = paths::scratch("deb-trial");
    let root = place.join("root");
    install(packages, &root)?;
    let disk = place.join("disk.img");
    make_disk(&root, &disk)?;
    let archive = place.join("boot.cpio");
    files::write(&archive, &boot_archive(&root)?)?;
    let log = paths::fresh_log("deb-trial")?;
    println!(
        "deb: booting it twice on one machine (console: {})",
        log.display()
    );
    emulator::once_more("deb", &log, || {
        let launch = Launch {
            kernel: root.join(IMAGE_PATH),
            archive: archive.clone(),
            log: log.clone(),
            limit: LIMIT,
            is_echoed: false,
        };
        take_over(&disk, &launch)
    })?;
    remove(&root)
}

/// Unpacks a fresh Debian into `root`, and installs the packages in it.
fn install(packages: &BuiltPackages, root: &Path) -> Result<(), Problem> {
    let broken = |error| Problem::of_host(root.display(), error);
    if root.exists() {
        fs::remove_dir_all(root).map_err(broken)?;
    }
    root.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .map_err(broken)?;
    println!("deb: installing the packages in a fresh Debian {SUITE}");
    let customize = paths::workspace().join(SOURCE).join("trial/customize");
    let directory = packages.main.parent().unwrap_or(root);
    let hook = format!(
        "PACKAGES='{}' '{}' \"$1\"",
        directory.display(),
        customize.display()
    );
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--quiet", "--variant=minbase", "--components=main"])
        .arg(format!("--include={INCLUDED}"))
        .arg(format!("--customize-hook={hook}"))
        .args([SUITE])
        .arg(root);
    succeed(command, "mmdebstrap")
}

fn make_disk(root: &Path, disk: &Path) -> Result<(), Problem> {
    // Of an earlier trial, with its file.
    if disk.exists() {
        fs::remove_file(disk).map_err(|error| Problem::of_host(disk.display(), error))?;
    }
    let mut command = Command::new("mke2fs");
    command
        .args(["-q", "-t", "ext4", "-d"])
        .args([root, disk])
        .arg("3G");
    succeed(command, "mke2fs")
}

/// Packs the kernel and the initramfs as they were installed; both instances have the same.
fn boot_archive(root: &Path) -> Result<Vec<u8>, Problem> {
    let read = |name: &str| files::read(&root.join("boot").join(name));
    let boot =
        fs::read_dir(root.join("boot")).map_err(|error| Problem::of_host(root.display(), error))?;
    let names: Vec<String> = boot
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    let find = |prefix: &str| {
        let name = names.iter().find(|name| name.starts_with(prefix));
        name.ok_or_else(|| Problem::BrokenSetUp(format!("{}: no boot/{prefix}*", root.display())))
    };
    let archive = ArchiveWriter::default()
        .file(KERNEL_PATH, &read(find("vmlinuz-")?)?)
        .file(INITRD_PATH, &read(find("initrd.img-")?)?);
    Ok(archive.finish())
}

fn take_over(disk: &Path, launch: &Launch) -> Result<(), Problem> {
    let hardware = Hardware {
        memory: "2G",
        ..Hardware::default()
    };
    let mut arguments = hardware.arguments(&[disk]);
    arguments.extend(["-append".into(), boot_line()]);
    let machine = QemuMachine::start_with(&arguments, launch)?;
    for (epoch, file) in [(1, "none"), (2, "epoch-1")] {
        let told = machine
            .console()
            .wait_for_event(LIMIT, |trial: &Trial| trial.epoch == epoch)?;
        println!("deb: epoch {epoch}: Linux {} is up", told.kernel);
        require_equal(
            "the file that the first one writes",
            told.file.as_str(),
            file,
        )?;
    }
    machine.end();
    Ok(())
}

fn boot_line() -> String {
    let tenant = |role: &str| {
        format!(
            "{role}_kernel={KERNEL_PATH} {role}_initrd={INITRD_PATH} {role}_cmdline=\"{WORDS}\""
        )
    };
    format!(
        "{} {} failover_mem=384M failover_timeout=1s {}",
        tenant("primary"),
        tenant("failover"),
        Hardware::default().boot_words()
    )
}

/// Removes the packages with their configuration, and checks that they leave nothing.
fn remove(root: &Path) -> Result<(), Problem> {
    // What the packages' scripts run needs /proc: /dev/fd is a link into it.
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork"]);
    command.arg(format!("--mount-proc={}", root.join("proc").display()));
    command.arg("chroot").arg(root).args([
        "apt-get",
        "purge",
        "--yes",
        "--quiet",
        "understudy",
        "understudy-dkms",
    ]);
    succeed(command, "apt-get purge")?;
    let mut left = Vec::new();
    walk(root, &mut |path| {
        let is_named = path
            .to_string_lossy()
            .replace(&*root.to_string_lossy(), "")
            .contains("understudy");
        let is_history =
            path.starts_with(root.join("var/log")) || path.starts_with(root.join("var/cache"));
        if is_named && !is_history {
            left.push(path.display().to_string());
        }
    })?;
    require(left.is_empty(), || {
        format!("the packages leave {}", left.join(", "))
    })?;
    println!("deb: removed, and nothing is left");
    Ok(())
}

/// Runs a command that must succeed.
fn succeed(mut command: Command, name: &str) -> Result<(), Problem> {
    let output = command
        .env(
            "PATH",
            env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin",
        )
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .map_err(|error| Problem::of_host(name, error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Problem::Failed(format!(
        "{name} fails:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use partition::Options;

    #[test]
    fn the_boot_line_is_one_the_monitor_takes() {
        let options = Options::parse(&boot_line()).unwrap();
        assert_eq!(options.primary_cmdline, WORDS);
        assert_eq!(options.failover_initrd, INITRD_PATH);
    }
}
