//! What dependencies may be: this file is the policy, and `cargo xtask dependencies` applies it.

/// Licences under which we use others' code, by their SPDX names. All are permissive, and allow ours, MIT OR
/// Apache-2.0.
pub const LICENCES: &[&str] = &[
    "Apache-2.0",
    "BSD-3-Clause",
    "BSL-1.0",
    "0BSD",
    "MIT",
    // libFuzzer's licence; nothing that we ship contains it.
    "NCSA",
    "Unicode-3.0",
];

/// Where dependencies come from: the community's registry, in which a published version cannot be changed.
pub const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Crates of which there may be several versions, and why.
pub const DUPLICATES: &[(&str, &str)] = &[
    (
        "bitflags",
        "smoltcp 0.14 and x2apic 0.5, the newest, take version 1; everybody else version 2",
    ),
    (
        "embedded-io",
        "postcard 1, the newest, can write to either of two versions; we let it write to neither",
    ),
    (
        "raw-cpuid",
        "x2apic 0.5, the newest, takes version 10; everybody else version 11",
    ),
    (
        "syn",
        "derive macros on their way from version 2 to version 3; used while building only",
    ),
    (
        "windows-link",
        "below windows-sys, and as that one: for a platform that we do not build for",
    ),
    (
        "windows-sys",
        "corosensei takes an older version than everybody else, for a platform that we do not build for",
    ),
];
