//! The machine's PCI functions: which would come back after a takeover, and which would not.

use super::{Finding, Level};
use crate::root::Root;

const SUBJECT: &str = "device";

const DEVICES: &str = "sys/bus/pci/devices";

/// PCI functions that a new primary is told of, at most.
const FUNCTIONS_MAX: usize = sharedmem::linux::LINUX_FUNCTIONS_MAX;

/// Configuration space (PCI 3.0, 6.1 and 6.7): status register and its bit, the places, the identities of capabilities.
const STATUS: usize = 0x06;
const HAS_CAPABILITIES: u8 = 1 << 4;
const FIRST_CAPABILITY: usize = 0x34;
const INTERRUPT_PIN: usize = 0x3d;
const MSI: u8 = 0x05;
const MSI_X: u8 = 0x11;

/// Bytes of configuration space that everybody may read.
const PUBLIC_BYTES: usize = 64;

/// Class codes, their upper byte.
const STORAGE: u32 = 0x01;
const NETWORK: u32 = 0x02;
const DISPLAY: u32 = 0x03;
const BRIDGE: u32 = 0x06;

/// Drivers with which a takeover was tried.
const TRIED: [&str; 1] = ["virtio-pci"];

/// How a function interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interrupts {
    /// By messages, which any kernel can take over.
    Messages,
    /// By a line, which only the kernel with the I/O APIC can take.
    Line,
    /// Not at all.
    None,
    /// Only root may see.
    Hidden,
}

/// Looks at the devices.
pub fn findings(root: &Root) -> Vec<Finding> {
    let addresses = root.names(DEVICES);
    let mut findings: Vec<Finding> = addresses
        .iter()
        .filter_map(|address| function(root, address))
        .collect();
    if addresses.is_empty() {
        findings.push(Finding::warning(
            SUBJECT,
            "there are no PCI devices to be seen",
            "without a disk and a network a takeover brings back only what is in memory",
        ));
    }
    if addresses.len() > FUNCTIONS_MAX {
        findings.push(Finding::warning(
            SUBJECT,
            format!(
                "{} PCI functions: a new primary is told of {FUNCTIONS_MAX}",
                addresses.len()
            ),
            "those of the highest addresses would not come back",
        ));
    }
    findings
}

/// What is to be said of a function; nothing of one that nobody drives.
fn function(root: &Root, address: &str) -> Option<Finding> {
    let at = |name: &str| format!("{DEVICES}/{address}/{name}");
    let class = root.text(at("class"))?;
    let class = u32::from_str_radix(class.strip_prefix("0x")?, 16).ok()? >> 16;
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
            "a new primary leaves graphics alone; use the serial console or the network",
        ));
    }
    // Without its disk or its network, there is hardly a service.
    let level = match class {
        STORAGE | NETWORK => Level::No,
        _ => Level::Warning,
    };
    Some(match interrupts(&config) {
        Interrupts::Line => Finding::new(
            level,
            SUBJECT,
            format!("{name}: interrupts by a line only, and would not come back"),
            "take a device with MSI or MSI-X (in QEMU: virtio-blk-pci, virtio-net-pci), or do without it after a takeover",
        ),
        Interrupts::Hidden => Finding::warning(
            SUBJECT,
            format!("{name}: how it interrupts is shown to root only"),
            "run this as root",
        ),
        Interrupts::Messages | Interrupts::None if TRIED.contains(&driver.as_str()) => {
            Finding::ok(SUBJECT, format!("{name}: comes back"))
        }
        Interrupts::Messages | Interrupts::None => Finding::ok(
            SUBJECT,
            format!(
                "{name}: should come back, but its driver was not tried: rehearse with `understudyctl switch`"
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

/// The block devices and interfaces that hang on a function, or on the virtio device that it is.
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
    // A list that goes round in circles ends here: there is no room for more.
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
    use super::*;
    use crate::root::tests::{put, root_of};
    use std::os::unix::fs::symlink;

    /// Configuration space with these capabilities, one after the other.
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
        // Without the bit in the status register there is no list.
        let mut unsaid = config(1, &[MSI]);
        unsaid[STATUS] = 0;
        assert_eq!(interrupts(&unsaid), Interrupts::Line);
    }

    #[test]
    fn what_would_come_back_and_what_would_not() {
        let (_directory, root) = root_of(&[]);
        assert_eq!(findings(&root)[0].level, Level::Warning);
        add(&root, "0000:00:00.0", "0x060000", None, &config(0, &[]));
        add(
            &root,
            "0000:00:01.1",
            "0x010180",
            Some("ata_piix"),
            &config(1, &[]),
        );
        add(
            &root,
            "0000:00:02.0",
            "0x030000",
            Some("bochs-drm"),
            &config(0, &[]),
        );
        add(
            &root,
            "0000:00:03.0",
            "0x020000",
            Some("virtio-pci"),
            &config(1, &[MSI_X]),
        );
        add(
            &root,
            "0000:00:04.0",
            "0x010802",
            Some("nvme"),
            &config(1, &[MSI_X]),
        );
        add(
            &root,
            "0000:00:05.0",
            "0x0c0300",
            Some("uhci_hcd"),
            &config(4, &[]),
        );
        add(&root, "0000:00:06.0", "0x0c0500", None, &config(1, &[]));
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
                (Level::Warning, "00:05.0"),
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
                .contains("(storage nvme0n1, nvme): should come back")
        );
    }

    #[test]
    fn too_many_are_told() {
        let (_directory, root) = root_of(&[]);
        for index in 0..65 {
            let address = format!("0000:{index:02x}:00.0");
            add(&root, &address, "0x060400", None, &config(0, &[]));
        }
        assert!(findings(&root)[0].text.starts_with("65 PCI functions"));
    }
}
