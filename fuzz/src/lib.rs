//! What must hold whatever bytes come in, and a fuzzer that looks for bytes for which it does not.
//!
//! | folder | what is in it |
//! |---|---|
//! | `src/properties/` | one subject a file: bytes in, a panic if something does not hold |
//! | `src/bin/fuzzer.rs` | libFuzzer around one of them; `cargo xtask fuzz` builds and runs it |
//! | `src/bin/replay.rs` | one of them on files, without libFuzzer |
//! | `tests/` | all of them on the corpora, and on thousands of damaged copies: `cargo test --package fuzz` |
//! | `corpus/TARGET/` | inputs from which a fuzzer starts: real ones, those that reach what no other reaches, and those that once found a bug |
//! | `dictionaries/` | words that an input is hardly made of by chance |
//!
//! A property feeds its subject as the kernel does, and wants more than that nothing panics: what is accepted is what the code after it relies on; what is
//! written is read back the same; and where the code promises a bound, the work is counted. Numbers that only a well-meaning peer gets right (a checksum,
//! a stamp, a sequence number) are made right for some inputs, or nothing behind them would ever be reached.
//!
//! The fuzzer is built with the coverage that stable `rustc` offers, with debug assertions and checks of overflow.

#![deny(unsafe_code)]

mod echo_server;
pub mod properties;
mod region;
mod round_trip;

use properties as p;

/// Something that takes bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name; also that of its corpus and of its dictionary.
    pub name: &'static str,
    /// What is fed.
    pub doc: &'static str,
    /// Panics if something does not hold for these bytes.
    pub property: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 14] = [
    Target {
        name: "command-line",
        doc: "the boot command line, and the plan that it makes of a machine",
        property: p::command_line::check,
    },
    Target {
        name: "hand-off",
        doc: "what the boot loader hands over: PVH and Multiboot2",
        property: p::hand_off::check,
    },
    Target {
        name: "acpi",
        doc: "ACPI tables, and the copies that a Linux is given",
        property: p::acpi::check,
    },
    Target {
        name: "elf",
        doc: "images of native instances",
        property: p::elf::check,
    },
    Target {
        name: "bzimage",
        doc: "images of Linux, and how they are laid out",
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
        name: "journal",
        doc: "the ring and its cursors as a hostile peer leaves them, also while they are read",
        property: p::journal::check,
    },
    Target {
        name: "records",
        doc: "payloads of journal records that are whole: input, connections, status",
        property: p::records::check,
    },
    Target {
        name: "checkpoint",
        doc: "payloads of journal records that tell the state",
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
        doc: "frames from the network, and the connections that come of them",
        property: p::frames::check,
    },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
