//! The CPUs of this kernel, in sysfs and /proc.

use crate::problem::Problem;
use crate::root::Root;

const CPUS: &str = "sys/devices/system/cpu";

/// Returns the CPUs that can be taken offline and brought online, in rising order. A CPU that cannot has no such file.
pub fn removable(root: &Root) -> Vec<u32> {
    let names = root.names(CPUS);
    let numbers = names
        .iter()
        .filter_map(|name| name.strip_prefix("cpu")?.parse().ok());
    let mut cpus: Vec<u32> = numbers.filter(|cpu| root.has(switch(*cpu))).collect();
    cpus.sort_unstable();
    cpus
}

/// Returns whether a CPU is online.
pub fn is_online(root: &Root, cpu: u32) -> bool {
    root.text(switch(cpu)).is_none_or(|state| state == "1")
}

/// Takes a CPU offline or brings it online. Does nothing if it already is.
///
/// # Errors
/// Returns an error if Linux refuses.
pub fn set_online(root: &Root, cpu: u32, online: bool) -> Result<(), Problem> {
    let wanted = if online { "1" } else { "0" };
    if root.text(switch(cpu)).is_some_and(|now| now == wanted) {
        return Ok(());
    }
    root.write(switch(cpu), wanted)
}

/// Returns the APIC id of a CPU. Linux shows it only while the CPU is online.
pub fn apic_id(root: &Root, cpu: u32) -> Option<u32> {
    number_of(&root.text("proc/cpuinfo")?, cpu, "apicid")
}

/// Returns a number in the block of a CPU in /proc/cpuinfo.
pub fn number_of(cpuinfo: &str, cpu: u32, name: &str) -> Option<u32> {
    cpuinfo
        .split("\n\n")
        .find(|block| field(block, "processor").is_some_and(|number| number.parse() == Ok(cpu)))
        .and_then(|block| field(block, name)?.parse().ok())
}

/// Returns a field of a block of /proc/cpuinfo.
pub fn field<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    block.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn switch(cpu: u32) -> String {
    format!("{CPUS}/cpu{cpu}/online")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::tests::root_of;

    #[test]
    fn cpus_come_and_go() {
        let (_directory, root) = root_of(&[
            ("sys/devices/system/cpu/cpu0/topology/x", ""),
            ("sys/devices/system/cpu/cpu10/online", "1\n"),
            ("sys/devices/system/cpu/cpu2/online", "0\n"),
            ("sys/devices/system/cpu/cpufreq/x", ""),
        ]);
        assert_eq!(removable(&root), [2, 10]);
        assert!(is_online(&root, 0) && is_online(&root, 10) && !is_online(&root, 2));
        set_online(&root, 2, true).unwrap();
        assert!(is_online(&root, 2));
        assert!(set_online(&root, 7, true).is_err());
    }

    #[test]
    fn a_cpus_apic_id_is_found() {
        let cpuinfo =
            "processor\t: 0\napicid\t\t: 1\nflags\t: apicid\n\nprocessor\t: 1\napicid\t\t: 3\n";
        let (_directory, root) = root_of(&[("proc/cpuinfo", cpuinfo)]);
        assert_eq!(apic_id(&root, 1), Some(3));
        assert_eq!(apic_id(&root, 2), None);
    }
}
