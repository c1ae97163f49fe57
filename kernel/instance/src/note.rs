//! The ELF note that marks this file as an instance image: ABI revision, journal revision, version.

use sharedmem::abi::{ABI_REVISION, JOURNAL_REVISION, NOTE_NAME, NOTE_TYPE};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Bytes of the name with the zeros behind it, in whole words.
const NAME_BYTES: usize = (NOTE_NAME.len() + 1).next_multiple_of(4);
const VERSION_BYTES: usize = 16;

#[repr(C, align(4))]
struct Note {
    name_bytes: u32,
    descriptor_bytes: u32,
    kind: u32,
    name: [u8; NAME_BYTES],
    abi_revision: u32,
    journal_revision: u32,
    version: [u8; VERSION_BYTES],
}

#[used]
#[unsafe(link_section = ".note.understudy")]
static NOTE: Note = Note {
    name_bytes: NOTE_NAME.len() as u32 + 1,
    descriptor_bytes: 8 + VERSION_BYTES as u32,
    kind: NOTE_TYPE,
    name: padded(NOTE_NAME),
    abi_revision: ABI_REVISION,
    journal_revision: JOURNAL_REVISION,
    version: padded(VERSION),
};

/// Returns the text's bytes, padded with zeros.
const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut index = 0;
    while index < text.len() {
        bytes[index] = text.as_bytes()[index];
        index += 1;
    }
    bytes
}

/// Returns this image's version, as the note has it.
pub fn version() -> &'static str {
    // The volatile read returns what the file has, which tests change after compilation.
    // SAFETY: the note is a static that nobody writes.
    let note: &'static Note = unsafe { &*core::ptr::read_volatile(&&raw const NOTE) };
    let bytes = note.version.split(|byte| *byte == 0).next();
    bytes
        .and_then(|bytes| core::str::from_utf8(bytes).ok())
        .unwrap_or("")
}
