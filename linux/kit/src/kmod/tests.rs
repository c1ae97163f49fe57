//! Modules that contain nothing but their description.

use super::*;

/// Makes the smallest ELF object with a section `.modinfo`: header, strings, names of the sections, three section
/// headers.
pub fn object(modinfo: &[u8]) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.modinfo\0.shstrtab\0";
    const HEADER_BYTES: u64 = 64;
    let names_at = HEADER_BYTES + modinfo.len() as u64;
    let table_at = names_at + NAMES.len() as u64;
    // ELF64, little-endian, version 1; relocatable, x86-64; no entry, no program headers; three section headers, the
    // third with the names.
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\x3e\0\x01\0\0\0".to_vec();
    bytes.extend([0; 16]);
    bytes.extend(table_at.to_le_bytes());
    bytes.extend([0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 64, 0, 3, 0, 2, 0]);
    bytes.extend(modinfo);
    bytes.extend(NAMES);
    let sections = [
        (0, 0, 0, 0),
        (1, 1, HEADER_BYTES, modinfo.len() as u64),
        (10, 3, names_at, NAMES.len() as u64),
    ];
    for (name, kind, offset, size) in sections {
        bytes.extend([name, kind].map(u32::to_le_bytes).concat());
        bytes.extend([0, 0, offset, size, 0, 1, 0].map(u64::to_le_bytes).concat());
    }
    bytes
}

fn kernel(root: &Path) -> LinuxKernel {
    let write = |path: &str, bytes: &[u8]| files::write(&root.join(path), bytes).unwrap();
    write(
        "kernel/fs/ext4/ext4.ko",
        &object(b"name=ext4\0depends=jbd2,crc16\0license=GPL\0"),
    );
    write("kernel/fs/jbd2/jbd2.ko", &object(b"depends=\0"));
    write("kernel/lib/crc16.ko", &object(b"license=GPL\0"));
    write(
        "kernel/net/virtio_net.ko",
        &object(b"depends=virtio,net-failover\0"),
    );
    write("kernel/net/net_failover.ko", &object(b"depends=jbd2\0"));
    write("kernel/crypto/crc32c-intel.ko", &object(b""));
    write("kernel/bad.ko", b"no object");
    write("kernel/modules.order", b"");
    write("modules.builtin", b"kernel/drivers/virtio/virtio.ko\n");
    LinuxKernel {
        release: "6.0".into(),
        image: PathBuf::new(),
        modules: root.into(),
        headers: PathBuf::new(),
        libraries: PathBuf::new(),
    }
}

#[test]
fn a_module_comes_behind_what_it_depends_on_and_once() {
    let directory = tempfile::tempdir().unwrap();
    let tree = ModuleTree::of(&kernel(directory.path())).unwrap();
    let order = tree
        .in_order(&["virtio", "ext4", "virtio-net", "crc32c_intel", "jbd2"])
        .unwrap();
    let names: Vec<&str> = order.iter().map(|module| module.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "jbd2",
            "crc16",
            "ext4",
            "net_failover",
            "virtio_net",
            "crc32c_intel"
        ]
    );
    assert_eq!(order[0].bytes, object(b"depends=\0"));
}

#[test]
fn a_module_that_is_missing_or_none_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let tree = ModuleTree::of(&kernel(directory.path())).unwrap();
    let problem = tree.in_order(&["nfs"]).unwrap_err();
    assert_eq!(problem.text(), "Linux 6.0 has no module nfs");
    assert!(
        tree.in_order(&["bad"])
            .unwrap_err()
            .text()
            .contains("kernel/bad.ko")
    );
}

#[test]
fn what_is_packed_is_unpacked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.ko");
    fs::write(&path, object(b"depends=a\0")).unwrap();
    if !Command::new("xz")
        .arg(&path)
        .status()
        .is_ok_and(|status| status.success())
    {
        eprintln!("skipped: this host has no xz");
        return;
    }
    let packed = directory.path().join("x.ko.xz");
    assert_eq!(module_name(&packed), Some("x".into()));
    assert_eq!(read_object(&packed), Ok(object(b"depends=a\0")));
    fs::write(&packed, b"damaged").unwrap();
    assert!(read_object(&packed).unwrap_err().text().contains("x.ko.xz"));
}
