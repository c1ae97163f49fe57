//! The machine that Linux tenants run on: CPUs, memory, a network card and a disk by virtio.

use std::path::Path;

/// QEMU's machine, without what it boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// QEMU's machine type.
    pub chipset: &'static str,
    /// CPUs.
    pub cpus: u32,
    /// Memory, as QEMU reads it.
    pub memory: &'static str,
    /// Whether Linux is given x2APIC, which takes interrupt remapping.
    pub has_x2apic: bool,
    /// Ports of the guest that are at a free one of the host's.
    pub ports: Vec<u16>,
}

/// Makes the usual machine, on which all are compared. It has x2APIC as today's machines have, and because an emulated
/// APIC that is accessed by memory now and then loses an access (see [`emulator`](crate::emulator)).
impl Default for Hardware {
    fn default() -> Self {
        Self {
            chipset: "q35",
            cpus: 4,
            memory: "1G",
            has_x2apic: true,
            ports: vec![80],
        }
    }
}

impl Hardware {
    /// Returns QEMU's arguments.
    pub fn arguments(&self, disk: &Path) -> Vec<String> {
        let (remapping, iommu): (&str, &[&str]) = match self.has_x2apic {
            true => (
                ",kernel-irqchip=split",
                &["-device", "intel-iommu,intremap=on,eim=on"],
            ),
            false => ("", &[]),
        };
        let machine = format!("{}{remapping}", self.chipset);
        let cpus = self.cpus.to_string();
        let forwards = self
            .ports
            .iter()
            .map(|port| format!(",hostfwd=tcp:127.0.0.1:0-:{port}"));
        let network = format!("user,id=n0{}", forwards.collect::<String>());
        // QEMU reads two commas as one.
        let disk = disk.display().to_string().replace(',', ",,");
        let drive = format!("if=none,id=d0,format=raw,file={disk}");
        let board = [
            "-machine",
            &machine,
            "-accel",
            "tcg",
            "-cpu",
            "max",
            "-smp",
            &cpus,
            "-m",
            self.memory,
        ];
        let devices = [
            "-netdev",
            &network,
            "-device",
            "virtio-net-pci,netdev=n0,disable-legacy=on",
            "-drive",
            &drive,
            "-device",
            "virtio-blk-pci,drive=d0,disable-legacy=on",
        ];
        // The IOMMU comes before the devices that are behind it.
        let all = board.iter().chain(iommu).chain(&devices);
        all.map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_name_what_is_asked_for() {
        let usual = Hardware::default();
        let said = usual.arguments(Path::new("/tmp/a,b.img")).join(" ");
        assert!(
            said.starts_with("-machine q35,kernel-irqchip=split "),
            "{said}"
        );
        assert!(said.contains("-smp 4 -m 1G -device intel-iommu"), "{said}");
        assert!(said.contains("file=/tmp/a,,b.img"), "{said}");
        let other = Hardware {
            has_x2apic: false,
            ports: vec![80, 6379],
            ..usual
        };
        let said = other.arguments(Path::new("d")).join(" ");
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
