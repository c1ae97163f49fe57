//! Checks the cores, their counters and their interrupt controllers.

use sharedmem::MAX_CORES;

use super::Finding;
use crate::cpus::{field, number_of};
use crate::hand_off;
use crate::root::Root;

const SUBJECT: &str = "cores";

/// The bit of IA32_APIC_BASE for x2APIC mode (Intel SDM vol. 3A, 11.12.1).
const X2APIC_ENABLED: u64 = 1 << 10;

const IA32_APIC_BASE: u64 = 0x1b;

/// Checks the processors.
pub fn findings(root: &Root) -> Vec<Finding> {
    let cpuinfo = root.text("proc/cpuinfo").unwrap_or_default();
    let count = cpuinfo
        .split("\n\n")
        .filter(|block| field(block, "processor").is_some())
        .count();
    // Under understudy, Linux does not see the monitor's core.
    let hidden = usize::from(hand_off::is_there(root));
    let flags: Vec<&str> = field(&cpuinfo, "flags")
        .unwrap_or_default()
        .split(' ')
        .collect();
    vec![
        cores(count + hidden),
        counter(root, &flags),
        apic(root, &cpuinfo, &flags),
    ]
}

fn cores(count: usize) -> Finding {
    match count {
        0 => Finding::no(
            SUBJECT,
            "/proc/cpuinfo shows no core",
            "run this on an x86-64 Linux",
        ),
        1 => Finding::no(
            SUBJECT,
            "1: the monitor needs one, and the primary needs another",
            "use a machine with 3 or more",
        ),
        2 => Finding::warning(
            SUBJECT,
            "2: one for the monitor, one for the primary, and none to lend to a new backup",
            "with 3 or more, a failed kernel can be loaded again while the other one serves",
        ),
        count if count > MAX_CORES => Finding::warning(
            SUBJECT,
            format!("{count}: the first {MAX_CORES} would be used"),
            "the others stay idle",
        ),
        count => Finding::ok(
            SUBJECT,
            format!(
                "{count}: one for the monitor, {} for the primary",
                count - 1
            ),
        ),
    }
}

/// Checks the time-stamp counter, by which all kernels measure keepalives and time-outs.
fn counter(root: &Root, flags: &[&str]) -> Finding {
    const SUBJECT: &str = "clock";
    let source = root
        .text("sys/devices/system/clocksource/clocksource0/current_clocksource")
        .unwrap_or_else(|| "unknown".into());
    let missing: Vec<&str> = ["constant_tsc", "nonstop_tsc"]
        .into_iter()
        .filter(|flag| !flags.contains(flag))
        .collect();
    match (missing.is_empty(), source.as_str()) {
        (true, "tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page") => Finding::ok(
            SUBJECT,
            "the time-stamp counter is constant and never stops",
        ),
        (true, source) => Finding::warning(
            SUBJECT,
            format!("this kernel's clock is {source}, though the time-stamp counter is constant"),
            "look for \"tsc\" in the kernel's log: if it found that the cores' counters differ, set a longer \
             failover_timeout",
        ),
        (false, _) => Finding::warning(
            SUBJECT,
            format!("the processor lacks {}", missing.join(", ")),
            "if the time-stamp counter changes its pace, time-outs are wrong by as much; fix the frequency in the \
             firmware, or set a longer failover_timeout",
        ),
    }
}

fn apic(root: &Root, cpuinfo: &str, flags: &[&str]) -> Finding {
    const SUBJECT: &str = "APIC";
    if !flags.contains(&"apic") {
        return Finding::no(
            SUBJECT,
            "the processor has no local APIC",
            "boot without nolapic; without one, no core can be stopped",
        );
    }
    let mode = match apic_base(root) {
        Some(base) if base & X2APIC_ENABLED != 0 => "in x2APIC mode",
        Some(_) => "in xAPIC mode",
        None if flags.contains(&"x2apic") => {
            "x2APIC is there; only /dev/cpu/0/msr shows the mode (modprobe msr)"
        }
        None => "in xAPIC mode, because there is no x2APIC",
    };
    let id = number_of(cpuinfo, 0, "apicid");
    let id = id.map_or(String::new(), |id| format!("; APIC id of CPU 0: {id}"));
    Finding::ok(SUBJECT, format!("{mode}{id}"))
}

fn apic_base(root: &Root) -> Option<u64> {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::open(root.path("dev/cpu/0/msr")).ok()?;
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, IA32_APIC_BASE).ok()?;
    Some(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::root::tests::{put, root_of};

    fn machine(cores: usize, flags: &str) -> (tempfile::TempDir, Root) {
        let (directory, root) = root_of(&[(
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            "tsc",
        )]);
        let blocks: Vec<String> = (0..cores)
            .map(|cpu| {
                format!(
                    "processor\t: {cpu}\napicid\t\t: {}\nflags\t\t: {flags}\n",
                    cpu * 2
                )
            })
            .collect();
        put(&root, "proc/cpuinfo", blocks.join("\n").as_bytes());
        (directory, root)
    }

    fn levels(cores: usize, flags: &str) -> [Level; 3] {
        let (_directory, root) = machine(cores, flags);
        <[Finding; 3]>::try_from(findings(&root))
            .unwrap()
            .map(|finding| finding.level)
    }

    const GOOD: &str = "fpu apic constant_tsc nonstop_tsc x2apic";

    #[test]
    fn cores_are_counted() {
        let of = |cores| levels(cores, GOOD)[0];
        assert_eq!(
            [0, 1, 2, 3, 512, 513].map(of),
            [
                Level::No,
                Level::No,
                Level::Warning,
                Level::Ok,
                Level::Ok,
                Level::Warning
            ]
        );
    }

    #[test]
    fn the_monitors_core_counts_where_it_runs() {
        let (_directory, root) = machine(2, GOOD);
        put(&root, "sys/firmware/acpi/tables/UNDS", b"");
        assert_eq!(findings(&root)[0].level, Level::Ok);
    }

    #[test]
    fn a_counter_without_a_promise_and_no_apic_are_told() {
        assert_eq!(levels(4, GOOD), [Level::Ok; 3]);
        assert_eq!(levels(4, "apic"), [Level::Ok, Level::Warning, Level::Ok]);
        assert_eq!(levels(4, "constant_tsc nonstop_tsc")[2], Level::No);
        let (_directory, root) = machine(4, GOOD);
        put(
            &root,
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            b"hpet",
        );
        assert_eq!(findings(&root)[1].level, Level::Warning);
    }

    #[test]
    fn the_mode_of_the_apic_is_read_where_it_can_be() {
        let (_directory, root) = machine(4, GOOD);
        assert!(findings(&root)[2].text.contains("modprobe msr"));
        let mut msrs = vec![0; 0x30];
        msrs[0x1b..0x23].copy_from_slice(&0xfee0_0d00_u64.to_le_bytes());
        put(&root, "dev/cpu/0/msr", &msrs);
        let text = &findings(&root)[2].text;
        assert_eq!(text, "in x2APIC mode; APIC id of CPU 0: 0");
    }
}
