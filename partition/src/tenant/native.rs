//! A native instance: an ELF of ours. It waits on the seat and makes its state from the journal.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Capabilities, Defaults, ImageCheck, Kind};
use crate::image::Image;
use crate::refusal::Refusal;

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
        drives_screen: false,
        may_virtualize: false,
        resets_through_memory: false,
        needs_low_memory: false,
        needs_bar_sizes: false,
        accepts_upload: true,
        loads_below_4_gib: false,
        memory_block_bytes: None,
    },
    defaults: Defaults {
        backup_bytes: None,
        boot_timeout_ns: None,
        keepalive: None,
    },
    bytes_below_4_gib: |_, _| 0,
    check,
};

fn check(check: &ImageCheck<'_>) -> Result<String, Refusal> {
    let named = check.image();
    let path = named.kernel;
    let sound = Image::load(check.files, path).and_then(|(image, _)| {
        image.check_revisions(check.revisions)?;
        Ok(image)
    });
    let image = sound.map_err(|error| {
        // The refusal names the path already.
        let text = error.to_string();
        let reason = text.strip_prefix(&format!("{path}: ")).unwrap_or(&text);
        Refusal::new(named.name("kernel"), path, reason, "")
    })?;
    let kib = image.size_bytes().div_ceil(1024);
    Ok(format!("{path}: version {}, {kib} KiB", image.version))
}
