//! What is asked of Linux itself, through sysfs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::problem::Problem;

/// Where sysfs is; another place in tests.
#[derive(Clone, Debug)]
pub struct Sysfs(PathBuf);

impl Default for Sysfs {
    fn default() -> Self {
        Self("/sys".into())
    }
}

impl Sysfs {
    /// Takes a CPU offline or brings it online. One that already is, stays.
    ///
    /// # Errors
    /// Linux refuses.
    pub fn set_cpu_online(&self, cpu: u32, online: bool) -> Result<(), Problem> {
        let path = self.cpu(cpu).join("online");
        let wanted = if online { "1" } else { "0" };
        if read(&path).is_some_and(|now| now == wanted) {
            return Ok(());
        }
        fs::write(&path, wanted).map_err(Problem::with(path.display()))
    }

    /// CPUs that can be taken offline and brought online, rising. Those that are there for ever have no such file.
    pub fn removable_cpus(&self) -> Vec<u32> {
        let mut cpus: Vec<u32> = entries(&self.0.join("devices/system/cpu"))
            .filter_map(|name| name.strip_prefix("cpu")?.parse().ok())
            .filter(|cpu| self.cpu(*cpu).join("online").exists())
            .collect();
        cpus.sort_unstable();
        cpus
    }

    /// Whether a CPU is online.
    pub fn is_online(&self, cpu: u32) -> bool {
        read(&self.cpu(cpu).join("online")).is_none_or(|state| state == "1")
    }

    /// The APIC id of a CPU that was online once: Linux says it in /proc/cpuinfo of those that are.
    pub fn apic_id(&self, cpu: u32, cpuinfo: &str) -> Option<u32> {
        cpuinfo.split("\n\n").find_map(|block| {
            let field = |name: &str| {
                block.lines().find_map(|line| {
                    let (key, value) = line.split_once(':')?;
                    (key.trim() == name).then(|| value.trim().parse::<u32>().ok())?
                })
            };
            (field("processor") == Some(cpu)).then(|| field("apicid"))?
        })
    }

    /// Puts every block of memory to use that is not. Returns how many.
    pub fn online_memory(&self) -> usize {
        let memory = self.0.join("devices/system/memory");
        entries(&memory)
            .filter(|name| name.starts_with("memory"))
            .map(|name| memory.join(name).join("state"))
            .filter(|state| read(state).is_some_and(|state| state == "offline"))
            .filter(|state| fs::write(state, "online").is_ok())
            .count()
    }

    /// Falls asleep, and returns when the machine has been taken over.
    ///
    /// # Errors
    /// Linux refuses to sleep.
    pub fn suspend(&self) -> Result<(), Problem> {
        let path = self.0.join("power/state");
        fs::write(&path, "mem").map_err(Problem::with(path.display()))
    }

    fn cpu(&self, cpu: u32) -> PathBuf {
        self.0.join(format!("devices/system/cpu/cpu{cpu}"))
    }
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().into())
}

fn entries(directory: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Sysfs) {
        let directory = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let sysfs = Sysfs(directory.path().into());
        (directory, sysfs)
    }

    #[test]
    fn cpus_come_and_go() {
        let (_directory, sysfs) = tree(&[
            ("devices/system/cpu/cpu0/topology/x", ""),
            ("devices/system/cpu/cpu10/online", "1\n"),
            ("devices/system/cpu/cpu2/online", "0\n"),
            ("devices/system/cpu/cpufreq/x", ""),
        ]);
        assert_eq!(sysfs.removable_cpus(), [2, 10]);
        assert!(sysfs.is_online(0) && sysfs.is_online(10) && !sysfs.is_online(2));
        sysfs.set_cpu_online(2, true).unwrap();
        assert!(sysfs.is_online(2));
        assert!(sysfs.set_cpu_online(7, true).is_err());
    }

    #[test]
    fn only_memory_that_is_offline_is_put_to_use() {
        let (_directory, sysfs) = tree(&[
            ("devices/system/memory/memory2/state", "offline\n"),
            ("devices/system/memory/memory3/state", "online\n"),
            ("devices/system/memory/probe", ""),
        ]);
        assert_eq!(sysfs.online_memory(), 1);
        assert_eq!(sysfs.online_memory(), 0);
    }

    #[test]
    fn a_cpus_apic_id_is_found() {
        let cpuinfo =
            "processor\t: 0\napicid\t\t: 1\nflags\t: apicid\n\nprocessor\t: 1\napicid\t\t: 3\n";
        let sysfs = Sysfs::default();
        assert_eq!(sysfs.apic_id(1, cpuinfo), Some(3));
        assert_eq!(sysfs.apic_id(2, cpuinfo), None);
    }
}
