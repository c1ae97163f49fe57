//! A native instance: an ELF of ours. It waits on the seat and makes its state from the journal.

use super::{Capabilities, Defaults, Kind};

/// The kind.
pub static NATIVE: Kind = Kind {
    name: "native",
    recognises: |bytes| bytes.starts_with(&elf::abi::ELFMAGIC),
    capabilities: Capabilities {
        reads_journal: true,
        boots_on_lent_core: false,
        lends_core: false,
        takes_keepalive_interrupts: true,
        drives_console: true,
        resets_through_memory: false,
        needs_low_memory: false,
        needs_bar_sizes: false,
        accepts_upload: true,
        memory_block_bytes: None,
    },
    defaults: Defaults {
        backup_bytes: None,
        boot_timeout_ns: None,
        keepalive: None,
    },
};
