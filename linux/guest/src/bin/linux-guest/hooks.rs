//! The takeover hooks that a client waits for. They are part of the service because the service is in memory already; a
//! shell and its tools would have to be started one by one.
//!
//! Each can be rehearsed in a kernel that has the devices only for a while: then it leaves nothing behind and writes
//! nothing.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount, umount};
use sharedmem::timeline::Edge;

use crate::network::Interface;
use crate::stamp::stamp;

/// The MAC address of the first card; the next ones' are one more each.
const MAC: &str = "52:54:00:12:34:";
const FIRST_MAC: u8 = 0x56;

/// Where the label of an ext4 is, and how long it may be.
const LABEL_AT: u64 = 0x478;
const LABEL_BYTES: usize = 16;

/// How long devices may take to appear: drivers find theirs in their own time. A hook has a limit of its own.
const DEVICE_LIMIT: Duration = Duration::from_secs(15);

/// Returns the hook that a program called `name` is.
pub fn named(name: &str) -> Option<fn(bool) -> io::Result<()>> {
    match name {
        "10-disk" => Some(disk),
        "20-network" => Some(network),
        _ => None,
    }
}

/// Mounts the data of all disks; ext4 replays its own journal. No disk waits for another, which may be dead.
fn disk(is_rehearsal: bool) -> io::Result<()> {
    let mounting = (0..count_of("disks")?).map(|index| {
        let mount = move || match is_rehearsal {
            true => rehearse_disk(index),
            false => mount_disk(index),
        };
        (format!("disk {index}"), thread::spawn(mount))
    });
    join_all(mounting.collect())?;
    if is_rehearsal {
        return Ok(());
    }
    if let Ok(device) = File::open("/dev/understudy") {
        // The first primary has taken over from nobody, and is refused.
        stamp(&device, Edge::DiskReadable);
    }
    Ok(())
}

fn mount_disk(index: u32) -> io::Result<()> {
    let device = wait_for(|| find_disk(index))?;
    let directory = Path::new("/").join(data_directory(index));
    mount_data(&device, &directory, MsFlags::empty(), None)?;
    list(&directory)
}

fn rehearse_disk(index: u32) -> io::Result<()> {
    let Some(device) = find_disk(index) else {
        return Ok(());
    };
    let directory = Path::new("/").join(data_directory(index));
    mount_data(&device, &directory, MsFlags::MS_RDONLY, Some("noload"))?;
    let listed = list(&directory);
    umount(&directory)?;
    listed
}

/// Waits until all have ended, at most for [`DEVICE_LIMIT`] and a second, and returns what went wrong.
fn join_all(threads: Vec<(String, JoinHandle<io::Result<()>>)>) -> io::Result<()> {
    let until = Instant::now() + DEVICE_LIMIT + Duration::from_secs(1);
    let mut failures = Vec::new();
    for (what, thread) in threads {
        while !thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        // One that hangs in the kernel is left there.
        let outcome = match thread.is_finished() {
            true => thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("panicked"))),
            false => Err(io::Error::other("hangs")),
        };
        if let Err(error) = outcome {
            failures.push(format!("{what}: {error}"));
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(io::Error::other(failures.join("; "))),
    }
}

/// Returns where the file system of a disk is mounted: `data`, `data1`, in the root.
pub fn data_directory(index: u32) -> PathBuf {
    match index {
        0 => "data".into(),
        _ => format!("data{index}").into(),
    }
}

/// Finds a disk by its label. What it is called depends on its driver, and on who was faster.
fn find_disk(index: u32) -> Option<PathBuf> {
    let label = format!("data{index}");
    let names = fs::read_dir("/sys/block").ok()?;
    let mut devices = names.filter_map(|name| Some(Path::new("/dev").join(name.ok()?.file_name())));
    devices.find(|device| label_of(device).is_some_and(|found| found == label))
}

fn label_of(device: &Path) -> Option<String> {
    let mut bytes = [0; LABEL_BYTES];
    let file = File::open(device).ok()?;
    file.read_exact_at(&mut bytes, LABEL_AT).ok()?;
    let label = bytes.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(label).into_owned())
}

fn mount_data(
    device: &Path,
    directory: &Path,
    flags: MsFlags,
    options: Option<&str>,
) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    mount(Some(device), directory, Some("ext4"), flags, options).map_err(Into::into)
}

fn list(directory: &Path) -> io::Result<()> {
    fs::read_dir(directory)?.try_for_each(|entry| entry.map(drop))
}

/// Takes the role and the machine's addresses. With `arp_notify` set, Linux tells the neighbours.
fn network(is_rehearsal: bool) -> io::Result<()> {
    if !is_rehearsal {
        fs::write("/run/role", "primary")?;
    }
    let bringing_up = (0..count_of("cards")? as u8).map(|index| {
        let bring_up = move || bring_up_card(index, is_rehearsal);
        (format!("card {index}"), thread::spawn(bring_up))
    });
    join_all(bringing_up.collect())
}

fn bring_up_card(index: u8, is_rehearsal: bool) -> io::Result<()> {
    let name = match is_rehearsal {
        true => find_card(index),
        false => Some(wait_for(|| find_card(index))?),
    };
    let Some(name) = name else { return Ok(()) };
    let interface = Interface::new(&name)?;
    interface.set_address(Ipv4Addr::new(10, 0, 2 + index, 15))?;
    interface.set_up(true)?;
    if index == 0 {
        interface.set_gateway(Ipv4Addr::new(10, 0, 2, 2))?;
    }
    if is_rehearsal {
        interface.set_up(false)?;
        interface.clear_address()?;
    }
    Ok(())
}

/// Finds the name of a card's interface by its MAC address.
fn find_card(index: u8) -> Option<String> {
    let mac = format!("{MAC}{:02x}", FIRST_MAC + index);
    let interfaces = fs::read_dir("/sys/class/net").ok()?;
    let mut interfaces = interfaces.filter_map(Result::ok);
    let is_it = |path: &Path| {
        fs::read_to_string(path.join("address")).is_ok_and(|address| address.trim() == mac)
    };
    let found = interfaces.find(|interface| is_it(&interface.path()))?;
    found.file_name().into_string().ok()
}

/// Returns how many disks or cards this machine has: a word of the kernel's command line says it.
pub fn count_of(what: &str) -> io::Result<u32> {
    Ok(count_in(&fs::read_to_string("/proc/cmdline")?, what))
}

fn count_in(words: &str, what: &str) -> u32 {
    // The last of several counts, as in Linux itself.
    let mut counts = words
        .split_whitespace()
        .rev()
        .filter_map(|word| word.strip_prefix(what)?.strip_prefix('=')?.parse().ok());
    counts.next().unwrap_or(1)
}

/// Waits until something is found.
fn wait_for<T>(mut found: impl FnMut() -> Option<T>) -> io::Result<T> {
    let until = Instant::now() + DEVICE_LIMIT;
    loop {
        if let Some(it) = found() {
            return Ok(it);
        }
        if Instant::now() > until {
            return Err(io::Error::other("does not appear"));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_known_by_their_names() {
        assert!(named("10-disk").is_some() && named("20-network").is_some());
        assert!(named("linux-guest").is_none() && named("").is_none());
    }

    #[test]
    fn a_disk_is_known_by_its_label() {
        let disk = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(label_of(disk.path()), None);
        disk.as_file().write_all_at(b"data1", LABEL_AT).unwrap();
        disk.as_file().set_len(4096).unwrap();
        assert_eq!(label_of(disk.path()).unwrap(), "data1");
        assert_eq!(data_directory(0), Path::new("data"));
        assert_eq!(data_directory(1), Path::new("data1"));
    }

    #[test]
    fn the_command_line_says_how_many_there_are() {
        let words = "console=ttyS0 disks=2 cards=x cards";
        assert_eq!((count_in(words, "disks"), count_in(words, "cards")), (2, 1));
    }
}
