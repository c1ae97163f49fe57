//! Checks the size and the place of memory.

use super::Finding;
use crate::root::Root;

const SUBJECT: &str = "memory";

const MIB: u64 = 1 << 20;

/// Enough for a small backup, the shared region and a primary that is hardly larger.
const LEAST_BYTES: u64 = 384 * MIB;

/// With less, the backup's share is a noticeable loss for the primary.
const EASY_BYTES: u64 = 1024 * MIB;

/// Size of a backup's slot and the shared region, each of which needs one piece below 4 GiB.
const PIECE_BYTES: u64 = (128 + 32) * MIB;

/// Checks the memory.
pub fn findings(root: &Root) -> Vec<Finding> {
    let meminfo = root.text("proc/meminfo").unwrap_or_default();
    let iomem = root.text("proc/iomem").unwrap_or_default();
    vec![total(&meminfo), largest(root, &iomem)]
}

fn total(meminfo: &str) -> Finding {
    let bytes = meminfo.lines().find_map(|line| {
        let text = line.strip_prefix("MemTotal:")?.trim();
        text.strip_suffix(" kB")?
            .parse::<u64>()
            .ok()?
            .checked_mul(1024)
    });
    let Some(bytes) = bytes else {
        return Finding::warning(
            SUBJECT,
            "/proc/meminfo does not show its size",
            "check it by hand",
        );
    };
    let text = format!("{} MiB", bytes / MIB);
    match bytes {
        ..LEAST_BYTES => Finding::no(
            SUBJECT,
            text,
            format!("two Linux kernels need at least {} MiB", LEAST_BYTES / MIB),
        ),
        LEAST_BYTES..EASY_BYTES => Finding::warning(
            SUBJECT,
            text,
            "failover_mem=126M is taken from it for good, which the primary may notice",
        ),
        _ => Finding::ok(
            SUBJECT,
            format!("{text}, of which a backup takes 126 (failover_mem)"),
        ),
    }
}

fn largest(root: &Root, iomem: &str) -> Finding {
    const SUBJECT: &str = "low memory";
    let ram = iomem.lines().filter_map(range);
    let Some(bytes) = ram
        .map(|(start, end)| end - start)
        .max()
        .filter(|bytes| *bytes > 1)
    else {
        return Finding::warning(
            SUBJECT,
            "/proc/iomem does not show where the memory is",
            root.advice_to_read("run this outside of any container"),
        );
    };
    let text = format!("the largest piece below 4 GiB has {} MiB", bytes / MIB);
    match bytes < PIECE_BYTES {
        true => Finding::no(
            SUBJECT,
            text,
            format!("{} MiB in one piece are needed there", PIECE_BYTES / MIB),
        ),
        false => Finding::ok(SUBJECT, text),
    }
}

/// Returns the part below 4 GiB of a memory line of /proc/iomem; the end is exclusive.
fn range(line: &str) -> Option<(u64, u64)> {
    let (range, name) = line.split_once(" : ")?;
    if name != "System RAM" {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    let end = number(end)?.saturating_add(1).min(1 << 32);
    let start = number(start)?;
    (start < end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::root::tests::root_of;

    #[test]
    fn memory_is_weighed() {
        let of = |mib: u64| total(&format!("MemTotal:    {} kB\nMemFree: 1 kB", mib << 10)).level;
        assert_eq!(
            [256, 512, 4096].map(of),
            [Level::No, Level::Warning, Level::Ok]
        );
        assert_eq!(total("").level, Level::Warning);
    }

    #[test]
    fn only_memory_below_4_gib_in_one_piece_counts() {
        let (_directory, root) = root_of(&[]);
        let of = |iomem| largest(&root, iomem).level;
        let good = "00001000-0009ffff : System RAM\n00100000-7fffffff : System RAM\n  01000000-01ffffff : Kernel code";
        assert_eq!(of(good), Level::Ok);
        assert!(largest(&root, good).text.contains("2047 MiB"));
        assert_eq!(
            of("00100000-063fffff : System RAM\n100000000-1ffffffff : System RAM"),
            Level::No
        );
        // Users other than root see this.
        assert_eq!(of("00000000-00000000 : System RAM"), Level::Warning);
        assert_eq!(of("zz-7 : System RAM\n-\n"), Level::Warning);
    }
}
