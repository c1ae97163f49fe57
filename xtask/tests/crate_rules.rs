//! The rules of every crate: the workspace's lints hold in it, and it holds no unsafe code unless it is named here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;

/// Programs and libraries that may hold unsafe code, and why. The compiler keeps everything else safe.
const UNSAFE: &[(&str, &str)] = &[
    ("arch", "descriptor tables, page tables, ports"),
    ("ipi", "registers of interrupt controllers"),
    ("sharedmem", "the mapping layer, and the CRC instruction"),
    ("compute", "turns memory into regions"),
    (
        "compute_c",
        "what a program in C calls, and pointers of its",
    ),
    ("compute-node", "the way into the image"),
    ("compute_node", "the machine itself"),
    ("compute_slice", "the mapping layer of a compute slice"),
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
    ("kvm-loop", "gives KVM the memory of its virtual machine"),
    ("linux-guest", "ioctls"),
    ("instruction_counter", "a plugin: calls QEMU"),
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
        let shipped = |target: &&cargo_metadata::Target| {
            target.is_lib() || target.is_bin() || target.is_cdylib()
        };
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

/// Most lines of Rust in a crate. A larger one has a part that wants to be a crate of its own.
const LINES_MAX: usize = 9_000;

#[test]
fn no_crate_is_too_large() {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo's metadata");
    let packages = metadata.workspace_packages();
    let roots: Vec<&Path> = packages
        .iter()
        .filter_map(|package| package.manifest_path.as_std_path().parent())
        .collect();
    for root in &roots {
        // A crate may lie in the folder of another, as `harness` does.
        let is_another = |path: &Path| path != *root && roots.contains(&path);
        let lines = lines_of_rust(root, &is_another);
        assert!(lines > 0, "{}: nothing was counted", root.display());
        assert!(
            lines <= LINES_MAX,
            "{}: {lines} lines of Rust; divide it",
            root.display()
        );
    }
}

fn lines_of_rust(root: &Path, is_another: &impl Fn(&Path) -> bool) -> usize {
    let mut pending: Vec<PathBuf> = vec![root.to_path_buf()];
    let mut lines = 0;
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the workspace") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if !is_another(&path) {
                    pending.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                lines += fs::read_to_string(&path)
                    .expect("a source file")
                    .lines()
                    .count();
            }
        }
    }
    lines
}
