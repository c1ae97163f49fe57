//! The ELF note by which the monitor knows an image.

use sharedmem::abi::NOTE_NAME;

/// Bytes of the name with the zeros behind it, in whole words.
const NAME_BYTES: usize = (NOTE_NAME.len() + 1).next_multiple_of(4);
const VERSION_BYTES: usize = 16;

/// A note: two revisions, and the version of the image.
#[repr(C, align(4))]
#[derive(Debug)]
pub struct Note {
    name_bytes: u32,
    descriptor_bytes: u32,
    kind: u32,
    name: [u8; NAME_BYTES],
    revisions: [u32; 2],
    version: [u8; VERSION_BYTES],
}

impl Note {
    /// Makes a note of type `kind`, to be placed in a static in the section `.note.understudy`.
    pub const fn new(kind: u32, revisions: [u32; 2], version: &str) -> Self {
        Self {
            name_bytes: NOTE_NAME.len() as u32 + 1,
            descriptor_bytes: 8 + VERSION_BYTES as u32,
            kind,
            name: padded(NOTE_NAME),
            revisions,
            version: padded(version),
        }
    }

    /// Returns the version.
    pub fn version(&self) -> &str {
        let bytes = self.version.split(|byte| *byte == 0).next();
        bytes
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or("")
    }
}

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
