//! Checks the firmware and its ACPI tables.

use super::Finding;
use crate::cpus::number_of;
use crate::hand_off;
use crate::root::Root;

const SUBJECT: &str = "firmware";

const TABLES: &str = "sys/firmware/acpi/tables";

/// What a BIOS leaves: the description of the machine.
const BIOS_SIGNS: [&str; 2] = ["sys/firmware/dmi/tables", "sys/class/dmi/id"];

const SECURE_BOOT: &str =
    "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// FADT (ACPI 6.5, 5.2.9): the flags, and the bit for a reset register.
const FADT_FLAGS: usize = 112;
const RESET_REG_SUP: u32 = 1 << 10;

/// MADT (5.2.12): offset of its entries.
const MADT_ENTRIES: usize = 44;

/// Checks the firmware.
pub fn findings(root: &Root) -> Vec<Finding> {
    let mut findings = vec![kind(root)];
    findings.push(iommu(root));
    // Under understudy, the tables are its own.
    if !hand_off::is_there(root) {
        findings.push(reset_register(root));
        findings.push(processor_order(root));
    }
    findings
}

fn kind(root: &Root) -> Finding {
    if !root.has("sys/firmware/efi") {
        return match BIOS_SIGNS.iter().any(|sign| root.has(sign)) {
            true => Finding::ok(SUBJECT, "legacy BIOS: boot by GRUB (multiboot2)"),
            false => Finding::no(
                SUBJECT,
                "neither a UEFI nor a BIOS is to be seen: this is a container, or a hypervisor has loaded this kernel",
                "run this on the machine itself; the machine must boot by GRUB (multiboot2)",
            ),
        };
    }
    // Four bytes of attributes come before the value.
    let variable = root.bytes(SECURE_BOOT).unwrap_or_default();
    match variable.get(4) {
        Some(1) => Finding::no(
            SUBJECT,
            "UEFI with Secure Boot",
            "switch Secure Boot off in the firmware's set-up: the boot image is not signed",
        ),
        _ => Finding::ok(
            SUBJECT,
            "UEFI without Secure Boot: boot by GRUB (multiboot2)",
        ),
    }
}

/// Says whose the IOMMU is, and what is lost by that.
fn iommu(root: &Root) -> Finding {
    const SUBJECT: &str = "IOMMU";
    if !root.has(TABLES) {
        return unreadable(root, SUBJECT, "the ACPI tables");
    }
    let has_table = ["DMAR", "IVRS"].map(|name| root.has(format!("{TABLES}/{name}")));
    match (hand_off::is_there(root), has_table.contains(&true)) {
        (false, true) => Finding::ok(
            SUBJECT,
            "it will be understudy's: devices reach the primary's memory and no other; kernels have neither VFIO nor \
             x2APIC (iommu=tenant on the boot line leaves it to the primary)",
        ),
        (false, false) => Finding::warning(
            SUBJECT,
            "there is none: a device that does not obey at a takeover is stopped by the bridge above it, if that \
             obeys; at any other time devices reach all memory",
            "switch it on in the firmware's set-up (VT-d, AMD-Vi), if the machine has one",
        ),
        (true, true) => Finding::warning(
            SUBJECT,
            "it is left to this kernel (iommu=tenant): until a takeover devices reach what this kernel lets them, and \
             after it there are neither VFIO nor x2APIC",
            "without need for VFIO or x2APIC, leave iommu=tenant out of the boot line",
        ),
        (true, false) => Finding::ok(
            SUBJECT,
            "this kernel has none; one that there is, is understudy's",
        ),
    }
}

fn reset_register(root: &Root) -> Finding {
    const SUBJECT: &str = "reset";
    let Ok(fadt) = root.bytes(format!("{TABLES}/FACP")) else {
        return unreadable(root, SUBJECT, "the FADT");
    };
    let flags = fadt.get(FADT_FLAGS..).and_then(<[u8]>::first_chunk);
    match flags.map(|bytes| u32::from_le_bytes(*bytes)) {
        Some(flags) if flags & RESET_REG_SUP != 0 => Finding::ok(
            SUBJECT,
            "the firmware has an ACPI reset register; understudy puts a word of its own in its place",
        ),
        Some(_) => Finding::warning(
            SUBJECT,
            "the firmware has no ACPI reset register; understudy gives the kernels one of its own",
            "try `reboot` in the primary once: it must restart the same kernel, and not the machine",
        ),
        None => Finding::no(SUBJECT, "the FADT is cut off", "update the firmware"),
    }
}

/// Checks that the first processor in the table is the boot processor, because kernels take the first for the one that
/// must be left alone.
fn processor_order(root: &Root) -> Finding {
    const SUBJECT: &str = "MADT";
    let Ok(madt) = root.bytes(format!("{TABLES}/APIC")) else {
        return unreadable(root, SUBJECT, "the MADT");
    };
    let ids = enabled_processors(&madt);
    let cpuinfo = root.text("proc/cpuinfo").unwrap_or_default();
    let boot_id = number_of(&cpuinfo, 0, "initial apicid").or(number_of(&cpuinfo, 0, "apicid"));
    match (ids.first(), boot_id) {
        (Some(first), Some(boot)) if *first == boot => Finding::ok(
            SUBJECT,
            format!("{} processors, the boot processor first", ids.len()),
        ),
        (Some(first), Some(boot)) => Finding::no(
            SUBJECT,
            format!("its first processor has APIC id {first}, but the boot processor has {boot}"),
            "kernels from 6.9 on would use one core only; look for the processors' order in the firmware's set-up, or \
             use kernel 6.1",
        ),
        (None, _) => Finding::no(SUBJECT, "it lists no processor", "update the firmware"),
        (_, None) => Finding::warning(
            SUBJECT,
            "/proc/cpuinfo does not show which one is the boot processor",
            "check it by hand",
        ),
    }
}

/// Returns the APIC ids of the enabled processors, in the table's order.
fn enabled_processors(madt: &[u8]) -> Vec<u32> {
    let mut ids = Vec::new();
    let mut rest = madt.get(MADT_ENTRIES..).unwrap_or_default();
    while let [kind, length, ..] = *rest {
        if length < 2 {
            break;
        }
        let Some((entry, next)) = rest.split_at_checked(length.into()) else {
            break;
        };
        rest = next;
        let word = |offset: usize| Some(u32::from_le_bytes(*entry.get(offset..)?.first_chunk()?));
        let found = match (kind, entry.get(3)) {
            (0, Some(id)) => Some((u32::from(*id), word(4))),
            (9, _) => word(4).map(|id| (id, word(8))),
            _ => None,
        };
        if let Some((id, Some(flags))) = found
            && flags & 1 != 0
        {
            ids.push(id);
        }
    }
    ids
}

fn unreadable(root: &Root, subject: &'static str, what: &str) -> Finding {
    Finding::warning(
        subject,
        format!("{what} cannot be read"),
        root.advice_to_read("boot a kernel with ACPI, outside of any container"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::root::tests::{put, root_of};

    fn madt(entries: &[&[u8]]) -> Vec<u8> {
        [&[0; MADT_ENTRIES][..], &entries.concat()].concat()
    }

    fn local(id: u8, flags: u8) -> [u8; 8] {
        [0, 8, 0, id, flags, 0, 0, 0]
    }

    #[test]
    fn the_one_that_boots_must_come_first() {
        let (_directory, root) =
            root_of(&[("proc/cpuinfo", "processor : 0\ninitial apicid : 0\n")]);
        assert_eq!(processor_order(&root).level, Level::Warning);
        let of = |entries: &[&[u8]]| {
            put(&root, "sys/firmware/acpi/tables/APIC", &madt(entries));
            processor_order(&root).level
        };
        assert_eq!(of(&[&local(0, 1), &local(2, 1)]), Level::Ok);
        // Disabled processors, and entries that are no processors, do not count.
        assert_eq!(
            of(&[
                &local(9, 0),
                &[1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                &local(0, 1)
            ]),
            Level::Ok
        );
        assert_eq!(of(&[&local(2, 1), &local(0, 1)]), Level::No);
        let x2apic = [9, 16, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(of(&[&x2apic]), Level::Ok);
        for broken in [&[0, 0][..], &[0, 200], &[9, 4, 0, 0], &[0]] {
            assert_eq!(of(&[broken]), Level::No);
        }
    }

    #[test]
    fn secure_boot_is_in_the_way() {
        let (_directory, root) = root_of(&[]);
        assert_eq!(kind(&root).level, Level::No);
        put(&root, "sys/class/dmi/id/bios_vendor", b"SeaBIOS");
        assert!(kind(&root).text.starts_with("legacy BIOS"));
        put(&root, SECURE_BOOT, &[6, 0, 0, 0, 0]);
        assert_eq!(kind(&root).level, Level::Ok);
        put(&root, SECURE_BOOT, &[6, 0, 0, 0, 1]);
        assert_eq!(kind(&root).level, Level::No);
    }

    #[test]
    fn a_reset_register_is_looked_for_and_an_iommu_is_told() {
        let (_directory, root) = root_of(&[]);
        assert_eq!(reset_register(&root).level, Level::Warning);
        // No table at all can be seen: nobody knows whether there is one of an IOMMU.
        assert!(iommu(&root).text.contains("cannot be read"));
        let mut fadt = vec![0; 244];
        put(&root, "sys/firmware/acpi/tables/FACP", &fadt);
        assert_eq!(reset_register(&root).level, Level::Warning);
        fadt[FADT_FLAGS + 1] = 4;
        put(&root, "sys/firmware/acpi/tables/FACP", &fadt);
        assert_eq!(reset_register(&root).level, Level::Ok);
        put(&root, "sys/firmware/acpi/tables/FACP", &fadt[..100]);
        assert_eq!(reset_register(&root).level, Level::No);
        assert!(iommu(&root).text.starts_with("there is none"));
        put(&root, "sys/firmware/acpi/tables/IVRS", b"IVRS");
        assert_eq!(iommu(&root).level, Level::Ok);
        put(&root, "sys/firmware/acpi/tables/UNDS", b"UNDS");
        assert_eq!(iommu(&root).level, Level::Warning);
        let (_directory, root) = root_of(&[]);
        put(&root, "sys/firmware/acpi/tables/UNDS", b"UNDS");
        assert_eq!(iommu(&root).level, Level::Ok);
    }
}
