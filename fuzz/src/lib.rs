//! Properties that must hold for any bytes, and a fuzzer that looks for bytes for which they do not.
//!
//! | folder | what is in it |
//! |---|---|
//! | `src/properties/` | one subject a file: a property takes bytes and panics if something does not hold |
//! | `src/bin/fuzzer.rs` | libFuzzer around one property; `cargo xtask fuzz` builds and runs it |
//! | `src/bin/replay.rs` | runs one property on files, without libFuzzer |
//! | `tests/` | all properties on the corpora and on damaged copies: `cargo test --package fuzz` |
//! | `corpus/TARGET/` | inputs from which a fuzzer starts |
//! | `dictionaries/` | words that an input hardly contains by chance |
//!
//! A corpus holds real inputs, inputs that reach code that no other reaches, and inputs that once found a bug.
//!
//! A property feeds its subject as the kernel does. It checks more than that nothing panics: accepted input keeps the
//! promises on which later code relies; what is written reads back the same; and where the code promises a bound, the
//! work is counted. Some numbers are right only if a peer means well (a checksum, a stamp, a sequence number). They are
//! made right for some inputs, because the code behind them would never be reached otherwise.
//!
//! The fuzzer is built with the coverage that stable `rustc` offers, with debug assertions and overflow checks.

#![deny(unsafe_code)]

mod echo_server;
pub mod properties;
mod region;
mod round_trip;

use properties as p;

/// Code that takes bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also that of its corpus and its dictionary.
    pub name: &'static str,
    /// What the bytes are.
    pub doc: &'static str,
    /// Panics if the property does not hold for these bytes.
    pub property: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 16] = [
    Target {
        name: "command-line",
        doc: "the boot command line, and the plan that it makes of a machine",
        property: p::command_line::check,
    },
    Target {
        name: "hand-off",
        doc: "the boot loader's information: PVH and Multiboot2",
        property: p::hand_off::check,
    },
    Target {
        name: "acpi",
        doc: "ACPI tables, and the copies that a Linux is given",
        property: p::acpi::check,
    },
    Target {
        name: "config-space",
        doc: "PCI configuration space, found and made quiet",
        property: p::config_space::check,
    },
    Target {
        name: "elf",
        doc: "images of native instances",
        property: p::elf::check,
    },
    Target {
        name: "bzimage",
        doc: "images of Linux, and their layout in a slot",
        property: p::bzimage::check,
    },
    Target {
        name: "archive",
        doc: "the boot archive (cpio)",
        property: p::archive::check,
    },
    Target {
        name: "shared-region",
        doc: "the control block as a hostile peer leaves it",
        property: p::shared_region::check,
    },
    Target {
        name: "slice",
        doc: "the control block of a compute slice as a computation out of control leaves it",
        property: p::slice::check,
    },
    Target {
        name: "journal",
        doc: "the ring and its cursors as a hostile peer leaves them, also while they are read",
        property: p::journal::check,
    },
    Target {
        name: "records",
        doc: "payloads of whole journal records: input, connections, status",
        property: p::records::check,
    },
    Target {
        name: "checkpoint",
        doc: "payloads of checkpoint records",
        property: p::checkpoint::check,
    },
    Target {
        name: "resp",
        doc: "what clients of the service send: RESP, inline commands, whole commands",
        property: p::resp::check,
    },
    Target {
        name: "http",
        doc: "what clients of the status page send",
        property: p::http::check,
    },
    Target {
        name: "page",
        doc: "the status page of a primary whose predecessor left hostile bytes",
        property: p::page::check,
    },
    Target {
        name: "frames",
        doc: "frames from the network, and the connections they make",
        property: p::frames::check,
    },
];

/// Returns the target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
