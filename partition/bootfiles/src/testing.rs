//! Archives that are made in tests.

use alloc::format;
use alloc::vec::Vec;

use crate::archive::MAGIC;

/// Makes an entry.
pub fn entry(name: &str, mode: u32, data: &[u8]) -> Vec<u8> {
    linked_entry(name, mode, data, 1)
}

/// Makes an entry of file number 1, which has so many names.
pub fn linked_entry(name: &str, mode: u32, data: &[u8], names: u32) -> Vec<u8> {
    let fields = [
        1,
        mode,
        0,
        0,
        names,
        0,
        data.len() as u32,
        0,
        0,
        0,
        0,
        name.len() as u32 + 1,
        0,
    ];
    let mut bytes = MAGIC.to_vec();
    for field in fields {
        bytes.extend(format!("{field:08X}").bytes());
    }
    bytes.extend(name.bytes());
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Makes an archive of regular files, with the entry of their folder.
pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = entry("boot", 0o040_755, b"");
    for (name, data) in files {
        bytes.extend(entry(name, 0o100_644, data));
    }
    bytes.extend(entry("TRAILER!!!", 0, b""));
    bytes
}
