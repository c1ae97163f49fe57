//! The machine that all Linuxes are compared on: q35, 4 CPUs, 1 GiB, a network card and a disk by virtio.

use std::path::Path;

/// QEMU's arguments for it. The service's port is at a free one of the host's.
pub fn hardware(disk: &Path) -> Vec<String> {
    let disk = disk.display().to_string().replace(',', ",,");
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
        "user,id=n0,hostfwd=tcp:127.0.0.1:0-:80",
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
