//! Checks the PCI functions: which would come back after a takeover, and which would not.

use super::Finding;
use crate::root::Root;

const SUBJECT: &str = "device";

const DEVICES: &str = "sys/bus/pci/devices";

/// Maximum number of PCI functions of a machine, virtual ones aside.
const FUNCTIONS_MAX: usize = sharedmem::linux::LINUX_FUNCTIONS_MAX;

/// Configuration space (PCI 3.0, 6.1 and 6.7): the status register and its bit, offsets, and identities of
/// capabilities.
const STATUS: usize = 0x06;
const HAS_CAPABILITIES: u8 = 1 << 4;
const FIRST_CAPABILITY: usize = 0x34;
const INTERRUPT_PIN: usize = 0x3d;
const MSI: u8 = 0x05;
const MSI_X: u8 = 0x11;

/// Length of the part of configuration space that every user may read, in bytes.
const PUBLIC_BYTES: usize = 64;

/// The upper byte of class codes.
const STORAGE: u32 = 0x01;
const NETWORK: u32 = 0x02;
const DISPLAY: u32 = 0x03;
const BRIDGE: u32 = 0x06;

/// Drivers with which a takeover was tested.
const TRIED: [&str; 7] = [
    "virtio-pci",
    "e1000e",
    "igb",
    "8139cp",
    "nvme",
    "ahci",
    "xhci_hcd",
];

/// Class code of an IDE controller, and the bits of its programming interface that say that a channel is on the bus and
/// not where an ISA controller is.
const IDE: u32 = 0x0101;
const IDE_NATIVE: u32 = 0b101;

/// What is said of a function that interrupts by a line.
const POLLED: &str = "it interrupts by a line, which a new primary polls every millisecond";

/// How a function interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interrupts {
    /// By messages, which any kernel can take over.
    Messages,
    /// By a line. It leads to the I/O APIC, which a new primary does not use; so the module polls it.
    Line,
    /// Not at all.
    None,
    /// Unknown, because only root may read it.
    Hidden,
}

/// Checks the devices.
pub fn findings(root: &Root) -> Vec<Finding> {
    let addresses = root.names(DEVICES);
    let mut findings: Vec<Finding> = addresses
        .iter()
        .filter_map(|address| function(root, address))
        .collect();
    if addresses.is_empty() {
        findings.push(Finding::warning(
            SUBJECT,
            "no PCI device is visible",
            "without a disk and a network, a takeover brings back only what is in memory",
        ));
    }
    let is_virtual = |address: &&String| {
        root.link_name(format!("{DEVICES}/{address}/physfn"))
            .is_some()
    };
    let count = addresses.iter().filter(|it| !is_virtual(it)).count();
    if count > FUNCTIONS_MAX {
        findings.push(Finding::no(
            SUBJECT,
            format!("{count} PCI functions, and the monitor has room for {FUNCTIONS_MAX}"),
            "it would refuse to boot; switch functions off in the firmware's set-up",
        ));
    }
    findings
}

/// Returns what was found about a function; nothing if it has no driver.
fn function(root: &Root, address: &str) -> Option<Finding> {
    let at = |name: &str| format!("{DEVICES}/{address}/{name}");
    let class = root.text(at("class"))?;
    let code = u32::from_str_radix(class.strip_prefix("0x")?, 16).ok()?;
    let class = code >> 16;
    let driver = root.link_name(at("driver"));
    let is_display = class == DISPLAY;
    if class == BRIDGE || (driver.is_none() && !is_display) {
        return None;
    }
    let driver = driver.unwrap_or_else(|| "no driver".into());
    let config = root.bytes(at("config")).unwrap_or_default();
    let name = format!(
        "{address} ({}{}, {driver})",
        kind(class),
        used_for(root, address)
    );
    if is_display {
        return Some(Finding::warning(
            SUBJECT,
            format!("{name}: would not come back"),
            "a new primary does not use graphics; use the serial console or the network",
        ));
    }
    if code >> 8 == IDE && code & IDE_NATIVE == 0 {
        return Some(Finding::no(
            SUBJECT,
            format!("{name}: would not come back, because it interrupts as an ISA device"),
            "use another disk (in QEMU: virtio-blk-pci), or do without it",
        ));
    }
    let is_tried = TRIED.contains(&driver.as_str());
    Some(match interrupts(&config) {
        Interrupts::Line if is_tried => Finding::ok(
            SUBJECT,
            format!("{name}: comes back, slowed down: {POLLED}"),
        ),
        Interrupts::Line => Finding::ok(
            SUBJECT,
            format!("{name}: should come back, slowed down: {POLLED}; its driver was never tested"),
        ),
        Interrupts::Hidden => Finding::warning(
            SUBJECT,
            format!("{name}: how it interrupts cannot be seen"),
            root.advice_to_read("run this outside of any container"),
        ),
        Interrupts::Messages | Interrupts::None if is_tried => {
            Finding::ok(SUBJECT, format!("{name}: comes back"))
        }
        Interrupts::Messages | Interrupts::None => Finding::ok(
            SUBJECT,
            format!(
                "{name}: should come back, but its driver was never tested: try `understudyctl switch`"
            ),
        ),
    })
}

fn kind(class: u32) -> &'static str {
    match class {
        STORAGE => "storage",
        NETWORK => "network",
        DISPLAY => "graphics",
        0x04 => "multimedia",
        0x07 => "serial",
        0x08 => "system",
        0x0c => "bus controller",
        _ => "other",
    }
}

/// Returns the block devices and network interfaces of a function, or of the virtio device in it.
fn used_for(root: &Root, address: &str) -> String {
    let device = format!("{DEVICES}/{address}");
    let virtio = root
        .names(&device)
        .into_iter()
        .filter(|name| name.starts_with("virtio"))
        .map(|name| format!("{device}/{name}"));
    let names: Vec<String> = [device.clone()]
        .into_iter()
        .chain(virtio)
        .flat_map(|place| {
            ["net", "block"]
                .into_iter()
                .flat_map(move |what| root.names(format!("{place}/{what}")))
        })
        .collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" {}", names.join(" ")),
    }
}

fn interrupts(config: &[u8]) -> Interrupts {
    let byte = |offset: usize| config.get(offset).copied().unwrap_or(0);
    if config.len() < PUBLIC_BYTES {
        return Interrupts::Hidden;
    }
    let mut at = match byte(STATUS) & HAS_CAPABILITIES {
        0 => 0,
        _ => usize::from(byte(FIRST_CAPABILITY) & !3),
    };
    if at >= config.len() {
        return Interrupts::Hidden;
    }
    // The bound ends a list with a loop: configuration space has no room for more entries.
    for _ in 0..48 {
        if at < PUBLIC_BYTES {
            break;
        }
        if matches!(byte(at), MSI | MSI_X) {
            return Interrupts::Messages;
        }
        at = usize::from(byte(at + 1) & !3);
    }
    match byte(INTERRUPT_PIN) {
        0 => Interrupts::None,
        _ => Interrupts::Line,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::root::tests::{put, root_of};
    use std::os::unix::fs::symlink;

    /// Makes configuration space with these capabilities, one after another.
    fn config(pin: u8, capabilities: &[u8]) -> Vec<u8> {
        let mut config = vec![0; 256];
        config[INTERRUPT_PIN] = pin;
        config[STATUS] = if capabilities.is_empty() {
            0
        } else {
            HAS_CAPABILITIES
        };
        config[FIRST_CAPABILITY] = 0x40;
        for (index, id) in capabilities.iter().enumerate() {
            let at = 0x40 + 16 * index;
            let is_last = index + 1 == capabilities.len();
            config[at] = *id;
            config[at + 1] = if is_last { 0 } else { at as u8 + 16 };
        }
        config
    }

    fn add(root: &Root, address: &str, class: &str, driver: Option<&str>, config: &[u8]) {
        let at = |name: &str| format!("{DEVICES}/{address}/{name}");
        put(root, &at("class"), class.as_bytes());
        put(root, &at("config"), config);
        if let Some(driver) = driver {
            symlink(
                format!("../../../bus/pci/drivers/{driver}"),
                root.path(at("driver")),
            )
            .unwrap();
        }
    }

    #[test]
    fn interrupts_are_found_by_the_capabilities() {
        assert_eq!(interrupts(&config(1, &[9, MSI_X])), Interrupts::Messages);
        assert_eq!(interrupts(&config(1, &[MSI])), Interrupts::Messages);
        assert_eq!(interrupts(&config(1, &[9, 0x10])), Interrupts::Line);
        assert_eq!(interrupts(&config(1, &[])), Interrupts::Line);
        assert_eq!(interrupts(&config(0, &[])), Interrupts::None);
        assert_eq!(interrupts(&config(1, &[MSI])[..64]), Interrupts::Hidden);
        assert_eq!(interrupts(&[]), Interrupts::Hidden);
        let mut circle = config(1, &[9, 9]);
        circle[0x51] = 0x40;
        assert_eq!(interrupts(&circle), Interrupts::Line);
        // Without the bit in the status register, there is no list.
        let mut unsaid = config(1, &[MSI]);
        unsaid[STATUS] = 0;
        assert_eq!(interrupts(&unsaid), Interrupts::Line);
    }

    #[test]
    fn what_would_come_back_and_what_would_not() {
        let (_directory, root) = root_of(&[]);
        assert_eq!(findings(&root)[0].level, Level::Warning);
        type Row<'a> = (&'a str, &'a str, Option<&'a str>, u8, &'a [u8]);
        let functions: [Row; 9] = [
            ("00:00.0", "0x060000", None, 0, &[]),
            ("00:01.1", "0x010180", Some("ata_piix"), 1, &[]),
            ("00:02.0", "0x030000", Some("bochs-drm"), 0, &[]),
            ("00:03.0", "0x020000", Some("virtio-pci"), 1, &[MSI_X]),
            ("00:04.0", "0x010802", Some("nvme"), 1, &[MSI_X]),
            ("00:05.0", "0x0c0300", Some("uhci_hcd"), 4, &[]),
            ("00:06.0", "0x0c0500", None, 1, &[]),
            ("00:07.0", "0x020000", Some("8139cp"), 1, &[]),
            ("00:08.0", "0x010400", Some("megaraid_sas"), 1, &[MSI_X]),
        ];
        for (address, class, driver, pin, capabilities) in functions {
            let config = config(pin, capabilities);
            add(&root, &format!("0000:{address}"), class, driver, &config);
        }
        put(
            &root,
            "sys/bus/pci/devices/0000:00:03.0/virtio0/net/eth0/mtu",
            b"1500",
        );
        put(
            &root,
            "sys/bus/pci/devices/0000:00:04.0/block/nvme0n1/size",
            b"1",
        );
        let found = findings(&root);
        let levels: Vec<(Level, &str)> = found
            .iter()
            .map(|finding| (finding.level, &finding.text[5..12]))
            .collect();
        assert_eq!(
            levels,
            [
                (Level::No, "00:01.1"),
                (Level::Warning, "00:02.0"),
                (Level::Ok, "00:03.0"),
                (Level::Ok, "00:04.0"),
                (Level::Ok, "00:05.0"),
                (Level::Ok, "00:07.0"),
                (Level::Ok, "00:08.0"),
            ]
        );
        assert!(
            found[2]
                .text
                .contains("(network eth0, virtio-pci): comes back")
        );
        assert!(
            found[3]
                .text
                .contains("(storage nvme0n1, nvme): comes back")
        );
        assert!(
            found[4]
                .text
                .contains("uhci_hcd): should come back, slowed down")
        );
        assert!(found[5].text.contains("8139cp): comes back, slowed down"));
        assert!(
            found[6]
                .text
                .contains("megaraid_sas): should come back, but")
        );
    }

    #[test]
    fn too_many_are_told() {
        let (_directory, root) = root_of(&[]);
        for index in 0..=FUNCTIONS_MAX + 1 {
            let (bus, function) = (index / 256, index % 256);
            let address = format!("0000:{bus:02x}:{:02x}.{}", function / 8, function % 8);
            put(&root, &format!("{DEVICES}/{address}/vendor"), b"0x1af4");
        }
        let finding = &findings(&root)[0];
        assert!(finding.text.starts_with("4098 PCI functions"));
        assert_eq!(finding.level, Level::No);
        // Virtual functions vanish with the one that they are of.
        for address in ["0000:00:00.1", "0000:00:00.2"] {
            symlink(
                "../0000:00:00.0",
                root.path(format!("{DEVICES}/{address}/physfn")),
            )
            .unwrap();
        }
        assert!(findings(&root).is_empty());
    }
}
