//! The network cards and disks of a machine for Linux: of which kind, how many, and what they are behind.

use std::path::Path;

/// A kind of network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Card {
    /// virtio.
    Virtio,
    /// Intel 82574.
    E1000e,
    /// Intel 82576, which has virtual functions (SR-IOV).
    Igb,
    /// Realtek 8139C+, which interrupts by INTx only.
    Rtl8139,
}

/// A kind of disk, by its controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disk {
    /// virtio-blk.
    VirtioBlk,
    /// SCSI by virtio.
    VirtioScsi,
    /// NVMe.
    Nvme,
    /// SATA (AHCI).
    Ahci,
    /// A stick behind a controller for USB 3 (xHCI).
    Usb,
}

/// What a device is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Behind {
    /// Nothing: it is on the root bus.
    Root,
    /// A root port of its own.
    Port,
    /// A bridge of its own, which is behind a root port: one to conventional PCI, or a switch if the device is for PCI
    /// Express only.
    Bridge,
}

impl Behind {
    /// All places.
    pub const ALL: [Self; 3] = [Self::Root, Self::Port, Self::Bridge];

    /// Returns its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root bus",
            Self::Port => "root port",
            Self::Bridge => "bridge",
        }
    }
}

impl Card {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Virtio, Self::E1000e, Self::Igb, Self::Rtl8139];

    /// Returns its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Virtio => "virtio-net",
            Self::E1000e => "e1000e",
            Self::Igb => "igb",
            Self::Rtl8139 => "rtl8139",
        }
    }

    /// Returns the drivers that a Linux needs for it.
    pub fn modules(self) -> &'static [&'static str] {
        match self {
            Self::Virtio => &["virtio_pci", "virtio_net"],
            Self::E1000e => &["e1000e"],
            Self::Igb => &["igb"],
            Self::Rtl8139 => &["8139cp"],
        }
    }
}

impl Disk {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::VirtioBlk,
        Self::VirtioScsi,
        Self::Nvme,
        Self::Ahci,
        Self::Usb,
    ];

    /// Returns its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::VirtioBlk => "virtio-blk",
            Self::VirtioScsi => "virtio-scsi",
            Self::Nvme => "nvme",
            Self::Ahci => "ahci",
            Self::Usb => "usb",
        }
    }

    /// Returns the drivers that a Linux needs for it.
    pub fn modules(self) -> &'static [&'static str] {
        match self {
            Self::VirtioBlk => &["virtio_pci", "virtio_blk"],
            Self::VirtioScsi => &["virtio_pci", "virtio_scsi", "sd_mod"],
            Self::Nvme => &["nvme"],
            Self::Ahci => &["ahci", "sd_mod"],
            Self::Usb => &["xhci_pci", "usb_storage", "sd_mod"],
        }
    }
}

/// A device in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// Its kind.
    pub kind: T,
    /// What it is behind.
    pub behind: Behind,
    /// Whether the IOMMU, if there is one, translates what it accesses. Others than virtio cannot choose.
    pub is_translated: bool,
}

impl<T> Placed<T> {
    /// Places one on the root bus; it goes round an IOMMU if it can.
    pub fn on_root(kind: T) -> Self {
        Self {
            kind,
            behind: Behind::Root,
            is_translated: false,
        }
    }

    /// Returns the further properties of a virtio device.
    fn of_virtio(&self) -> &'static str {
        match self.is_translated {
            true => ",disable-legacy=on,iommu_platform=on",
            false => ",disable-legacy=on",
        }
    }

    /// Adds the arguments for what the device `name` is behind, and returns the bus to put it on. `chassis` is no other
    /// device's.
    fn place(
        &self,
        (name, chassis): (&str, usize),
        is_express_only: bool,
        arguments: &mut Vec<String>,
    ) -> String {
        if self.behind == Behind::Root {
            return String::new();
        }
        let mut device = |text: String| arguments.extend(["-device".into(), text]);
        device(format!(
            "pcie-root-port,id=rp-{name},chassis={chassis},slot=0"
        ));
        match (self.behind, is_express_only) {
            (Behind::Bridge, true) => {
                device(format!("x3130-upstream,id=up-{name},bus=rp-{name}"));
                device(format!(
                    "xio3130-downstream,id=down-{name},bus=up-{name},chassis={chassis},slot=1"
                ));
                format!(",bus=down-{name}")
            }
            (Behind::Bridge, false) => {
                device(format!("pcie-pci-bridge,id=br-{name},bus=rp-{name}"));
                format!(",bus=br-{name},addr=1")
            }
            _ => format!(",bus=rp-{name}"),
        }
    }
}

/// The first card's MAC address is `52:54:00:12:34:56`, and its address on its network 10.0.2.15; the next one's are
/// one more each: `:57`, and 10.0.3.15.
const FIRST_MAC: usize = 0x56;
const FIRST_NETWORK: usize = 2;

/// Returns QEMU's arguments for these cards, with forwards to these `ports` of the guest on each.
pub fn card_arguments(cards: &[Placed<Card>], ports: &[u16]) -> Vec<String> {
    let mut arguments = Vec::new();
    for (index, card) in cards.iter().enumerate() {
        let forwards = ports.iter();
        let forwards = forwards.map(|port| format!(",hostfwd=tcp:127.0.0.1:0-:{port}"));
        let forwards: String = forwards.collect();
        let network = FIRST_NETWORK + index;
        let netdev = format!("user,id=n{index},net=10.0.{network}.0/24{forwards}");
        arguments.extend(["-netdev".into(), netdev]);
        let is_express_only = matches!(card.kind, Card::E1000e | Card::Igb);
        let name = format!("n{index}");
        let bus = card.place((&name, index + 1), is_express_only, &mut arguments);
        let (model, further) = match card.kind {
            Card::Virtio => ("virtio-net-pci", card.of_virtio()),
            Card::E1000e => ("e1000e", ""),
            Card::Igb => ("igb", ""),
            Card::Rtl8139 => ("rtl8139", ""),
        };
        let mac = FIRST_MAC + index;
        let device = format!("{model},netdev={name},mac=52:54:00:12:34:{mac:02x}{further}{bus}");
        arguments.extend(["-device".into(), device]);
    }
    arguments
}

/// Returns QEMU's arguments for these disks; `files` are their contents.
pub fn disk_arguments(disks: &[Placed<Disk>], files: &[impl AsRef<Path>]) -> Vec<String> {
    let mut arguments = Vec::new();
    for (index, (disk, file)) in disks.iter().zip(files).enumerate() {
        // QEMU reads two commas as one.
        let file = file.as_ref().display().to_string().replace(',', ",,");
        let drive = format!("if=none,id=d{index},format=raw,file={file}");
        arguments.extend(["-drive".into(), drive]);
        let name = format!("d{index}");
        let is_express_only = disk.kind == Disk::Nvme;
        let bus = disk.place((&name, index + 101), is_express_only, &mut arguments);
        let virtio = disk.of_virtio();
        let (device, behind_it) = match disk.kind {
            Disk::VirtioBlk => (format!("virtio-blk-pci,drive={name}{virtio}{bus}"), None),
            Disk::VirtioScsi => (
                format!("virtio-scsi-pci,id=c{index}{virtio}{bus}"),
                Some("scsi-hd"),
            ),
            Disk::Nvme => (format!("nvme,drive={name},serial={name}{bus}"), None),
            Disk::Ahci => (format!("ich9-ahci,id=c{index}{bus}"), Some("ide-hd")),
            Disk::Usb => (format!("qemu-xhci,id=c{index}{bus}"), Some("usb-storage")),
        };
        arguments.extend(["-device".into(), device]);
        if let Some(kind) = behind_it {
            let device = format!("{kind},drive={name},bus=c{index}.0");
            arguments.extend(["-device".into(), device]);
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn placed<T>(kind: T, behind: Behind) -> Placed<T> {
        Placed {
            kind,
            behind,
            is_translated: true,
        }
    }

    #[test]
    fn a_device_is_on_the_bus_that_it_is_said_to_be_behind() {
        let usual = card_arguments(&[Placed::on_root(Card::Virtio)], &[80]).join(" ");
        let expected = "-netdev user,id=n0,net=10.0.2.0/24,hostfwd=tcp:127.0.0.1:0-:80 \
            -device virtio-net-pci,netdev=n0,mac=52:54:00:12:34:56,disable-legacy=on";
        assert_eq!(usual, expected);
        let igb = placed(Card::Igb, Behind::Bridge);
        let said = card_arguments(&[igb, igb], &[80, 81]).join(" ");
        for expected in [
            "-device x3130-upstream,id=up-n1,bus=rp-n1",
            "igb,netdev=n1,mac=52:54:00:12:34:57,bus=down-n1",
            "id=n1,net=10.0.3.0/24,hostfwd=tcp:127.0.0.1:0-:80,hostfwd=",
        ] {
            assert!(said.contains(expected), "{said}");
        }
        let disks = [
            placed(Disk::VirtioScsi, Behind::Port),
            placed(Disk::Ahci, Behind::Bridge),
        ];
        let said = disk_arguments(&disks, &["a,b", "c"]).join(" ");
        for expected in [
            "file=a,,b -device pcie-root-port,id=rp-d0",
            "virtio-scsi-pci,id=c0,disable-legacy=on,iommu_platform=on,bus=rp-d0",
            "ich9-ahci,id=c1,bus=br-d1,addr=1 -device ide-hd,drive=d1,bus=c1.0",
        ] {
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn no_two_devices_share_a_name_or_a_slot() {
        let mut arguments = card_arguments(&[placed(Card::E1000e, Behind::Bridge); 3], &[80]);
        let nvme = placed(Disk::Nvme, Behind::Bridge);
        arguments.extend(disk_arguments(&[nvme; 2], &["a", "b"]));
        let unique = |values: &[&str]| values.iter().collect::<HashSet<_>>().len();
        let fields = arguments.iter().flat_map(|text| text.split(','));
        let ids: Vec<&str> = fields.filter(|field| field.starts_with("id=")).collect();
        assert_eq!((unique(&ids), ids.len()), (20, 20), "{ids:?}");
        let slots = arguments
            .iter()
            .filter_map(|text| text.split_once("chassis="));
        let slots: Vec<&str> = slots.map(|(_, slot)| slot).collect();
        assert_eq!((unique(&slots), slots.len()), (10, 10), "{slots:?}");
    }
}
