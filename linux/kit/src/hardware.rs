//! The machine that Linux tenants run on: CPUs, memory, network cards and disks.

use std::path::Path;

use super::devices::{Card, Disk, Placed, card_arguments, disk_arguments};

/// QEMU's machine, without what it boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// QEMU's machine type.
    pub chipset: &'static str,
    /// QEMU's name of the processor.
    pub cpu: &'static str,
    /// CPUs.
    pub cpus: u32,
    /// Memory, as QEMU reads it.
    pub memory: &'static str,
    /// Whether Linux is given x2APIC, which takes interrupt remapping.
    pub has_x2apic: bool,
    /// Whether what remaps interrupts translates addresses, too, as an IOMMU does.
    pub has_translation: bool,
    /// Network cards.
    pub cards: Vec<Placed<Card>>,
    /// Disks.
    pub disks: Vec<Placed<Disk>>,
    /// Ports of the guest that are at a free one of the host's, on each card.
    pub ports: Vec<u16>,
}

/// Makes the usual machine, on which all are compared. It has x2APIC as today's machines have, and because an emulated
/// APIC that is accessed by memory now and then loses an access (see [`emulator`](harness::emulator)).
impl Default for Hardware {
    fn default() -> Self {
        Self {
            chipset: "q35",
            cpu: "max",
            cpus: 4,
            memory: "1G",
            has_x2apic: true,
            has_translation: true,
            cards: vec![Placed::on_root(Card::Virtio)],
            disks: vec![Placed::on_root(Disk::VirtioBlk)],
            ports: vec![80],
        }
    }
}

impl Hardware {
    /// Returns what the monitor's boot line needs on this machine: a Linux without an IOMMU of its own takes no x2APIC.
    pub fn boot_words(&self) -> &'static str {
        if self.has_x2apic { "iommu=tenant" } else { "" }
    }

    /// Returns QEMU's arguments; `files` are the contents of the disks.
    pub fn arguments(&self, files: &[impl AsRef<Path>]) -> Vec<String> {
        let (remapping, iommu): (&str, &[&str]) = match (self.has_x2apic, self.has_translation) {
            (true, true) => (
                ",kernel-irqchip=split",
                &["-device", "intel-iommu,intremap=on,eim=on"],
            ),
            (true, false) => (
                ",kernel-irqchip=split",
                &[
                    "-device",
                    "intel-iommu,intremap=on,eim=on,dma-translation=off",
                ],
            ),
            (false, _) => ("", &[]),
        };
        let machine = format!("{}{remapping}", self.chipset);
        let cpus = self.cpus.to_string();
        let board = [
            "-machine",
            &machine,
            "-accel",
            "tcg",
            "-cpu",
            self.cpu,
            "-smp",
            &cpus,
            "-m",
            self.memory,
        ];
        // The IOMMU comes before the devices that are behind it.
        let board = board.iter().chain(iommu).map(ToString::to_string);
        board
            .chain(card_arguments(&self.cards, &self.ports))
            .chain(disk_arguments(&self.disks, files))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_name_what_is_asked_for() {
        let usual = Hardware::default();
        let said = usual.arguments(&["/tmp/a,b.img"]).join(" ");
        assert!(
            said.starts_with("-machine q35,kernel-irqchip=split "),
            "{said}"
        );
        assert!(said.contains("-smp 4 -m 1G -device intel-iommu"), "{said}");
        assert!(said.contains("file=/tmp/a,,b.img"), "{said}");
        let untranslated = Hardware {
            has_translation: false,
            ..usual.clone()
        };
        let said = untranslated.arguments(&["d"]).join(" ");
        assert!(said.contains("eim=on,dma-translation=off "), "{said}");
        let other = Hardware {
            has_x2apic: false,
            ports: vec![80, 6379],
            ..usual
        };
        let said = other.arguments(&["d"]).join(" ");
        assert!(
            said.starts_with("-machine q35 ") && !said.contains("iommu"),
            "{said}"
        );
        assert!(
            said.contains("0-:80,hostfwd=tcp:127.0.0.1:0-:6379"),
            "{said}"
        );
    }
}
