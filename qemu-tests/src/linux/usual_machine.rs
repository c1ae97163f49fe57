//! The machine that all Linuxes are compared on: q35, 4 CPUs, 1 GiB, a network card and a disk by virtio.

use std::path::Path;

/// QEMU's arguments for it. The service's port is at a free one of the host's.
pub fn hardware(disk: &Path) -> Vec<String> {
    reached_at(disk, &[80])
}

/// The same, with each of these ports of the guest at a free one of the host's.
pub fn reached_at(disk: &Path, guest_ports: &[u16]) -> Vec<String> {
    let disk = disk.display().to_string().replace(',', ",,");
    let forwards = guest_ports
        .iter()
        .map(|port| format!(",hostfwd=tcp:127.0.0.1:0-:{port}"));
    let network = format!("user,id=n0{}", forwards.collect::<String>());
    let drive = format!("if=none,id=d0,format=raw,file={disk}");
    [
        "-machine",
        "q35",
        "-accel",
        "tcg",
        "-cpu",
        "max",
        "-smp",
        "4",
        "-m",
        "1G",
        "-netdev",
        &network,
        "-device",
        "virtio-net-pci,netdev=n0,disable-legacy=on",
        "-drive",
        &drive,
        "-device",
        "virtio-blk-pci,drive=d0,disable-legacy=on",
    ]
    .map(String::from)
    .to_vec()
}
