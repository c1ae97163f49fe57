//! The rules of every crate: the workspace's lints hold in it, and it holds no unsafe code unless it is named here.

use std::collections::BTreeSet;
use std::fs;

use cargo_metadata::MetadataCommand;

/// Programs and libraries that may hold unsafe code, and why. The compiler keeps everything else safe.
const UNSAFE: &[(&str, &str)] = &[
    ("arch", "descriptor tables, page tables, ports"),
    ("ipi", "registers of interrupt controllers"),
    ("sharedmem", "the mapping layer, and the CRC instruction"),
    ("understudy", "the boot image: the machine itself"),
    ("instance", "the machine itself"),
    ("understudyctl", "maps the shared region; system calls"),
    ("fuzz", "maps a shared region, in one file"),
    (
        "simulation",
        "suspends coroutines, and maps a shared region",
    ),
    ("fuzzer", "the entry points that libFuzzer calls"),
    ("crash-load", "a system call"),
    ("linux-guest", "ioctls"),
];

#[test]
fn every_crate_keeps_the_rules_and_is_safe_unless_it_is_named() {
    let metadata = MetadataCommand::new().no_deps().exec();
    let mut seen = BTreeSet::new();
    for package in metadata.expect("cargo's metadata").workspace_packages() {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest");
        assert!(
            manifest.contains("\n[lints]\nworkspace = true\n"),
            "{}: the workspace's lints do not hold in it: add `[lints] workspace = true`",
            package.manifest_path
        );
        let shipped = |target: &&cargo_metadata::Target| target.is_lib() || target.is_bin();
        for target in package.targets.iter().filter(shipped) {
            let root = fs::read_to_string(&target.src_path).expect("a crate's root");
            let is_safe = root.contains("\n#![forbid(unsafe_code)]\n");
            let may_be_unsafe = UNSAFE.iter().any(|(name, _)| *name == target.name);
            assert!(
                is_safe != may_be_unsafe,
                "{}: write `#![forbid(unsafe_code)]` into it, or say here why it may hold unsafe code; not both",
                target.src_path
            );
            seen.insert(target.name.clone());
        }
    }
    for (name, _) in UNSAFE {
        assert!(
            seen.contains(*name),
            "{name}: there is no such program or library any more"
        );
    }
}
