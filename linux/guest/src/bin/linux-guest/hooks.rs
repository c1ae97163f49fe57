//! The takeover hooks that a client waits for. They are part of the service because the service is in memory already; a
//! shell and its tools would have to be started one by one.
//!
//! Each can be rehearsed in a kernel that has the devices only for a while: then it leaves nothing behind and writes
//! nothing.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount, umount};
use sharedmem::timeline::Edge;

use crate::network::Interface;
use crate::stamp::stamp;

const DISK: &str = "/dev/vda";
const DATA: &str = "/data";
const INTERFACE: &str = "eth0";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// How long a device may take to appear: drivers find theirs in their own time.
const DEVICE_LIMIT: Duration = Duration::from_secs(5);

/// Returns the hook that a program called `name` is.
pub fn named(name: &str) -> Option<fn(bool) -> io::Result<()>> {
    match name {
        "10-disk" => Some(disk),
        "20-network" => Some(network),
        _ => None,
    }
}

/// Mounts the data; ext4 replays its own journal.
fn disk(is_rehearsal: bool) -> io::Result<()> {
    if is_rehearsal {
        mount_data(MsFlags::MS_RDONLY, Some("noload"))?;
        let listed = list(DATA);
        umount(DATA)?;
        return listed;
    }
    await_path(DISK)?;
    mount_data(MsFlags::empty(), None)?;
    list(DATA)?;
    if let Ok(device) = File::open("/dev/understudy") {
        // The first primary has taken over from nobody, and is refused.
        stamp(&device, Edge::DiskReadable);
    }
    Ok(())
}

fn mount_data(flags: MsFlags, options: Option<&str>) -> io::Result<()> {
    mount(Some(DISK), DATA, Some("ext4"), flags, options).map_err(Into::into)
}

fn list(directory: &str) -> io::Result<()> {
    fs::read_dir(directory)?.try_for_each(|entry| entry.map(drop))
}

/// Takes the role and the machine's address. With `arp_notify` set, Linux tells the neighbours.
fn network(is_rehearsal: bool) -> io::Result<()> {
    if !is_rehearsal {
        fs::write("/run/role", "primary")?;
        await_path("/sys/class/net/eth0")?;
    }
    let interface = Interface::new(INTERFACE)?;
    interface.set_address(ADDRESS)?;
    interface.set_up(true)?;
    interface.set_gateway(GATEWAY)?;
    if is_rehearsal {
        interface.set_up(false)?;
        interface.clear_address()?;
    }
    Ok(())
}

fn await_path(path: &str) -> io::Result<()> {
    let until = Instant::now() + DEVICE_LIMIT;
    while !Path::new(path).exists() {
        if Instant::now() > until {
            return Err(io::Error::other(format!("{path} does not appear")));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_known_by_their_names() {
        assert!(named("10-disk").is_some() && named("20-network").is_some());
        assert!(named("linux-guest").is_none() && named("").is_none());
    }
}
