//! What a file is, by its first bytes, in words for a message.

use alloc::format;
use alloc::string::String;

/// The boot sector's signature and the setup header's (Linux' Documentation/arch/x86/boot.rst).
const BOOT_SECTOR: (usize, &[u8]) = (0x1fe, &[0x55, 0xaa]);
const SETUP_HEADER: (usize, &[u8]) = (0x202, b"HdrS");

const CONTENTS: [(usize, &[u8], &str); 14] = [
    (0, b"\x7fELF", "an ELF file"),
    (0, b"070701", "a cpio archive (newc)"),
    (
        0,
        b"070702",
        "a cpio archive with checksums (crc); make it with --format=newc",
    ),
    (
        0,
        b"070707",
        "a cpio archive in the old portable format; make it with --format=newc",
    ),
    (
        0,
        b"\xc7\x71",
        "a cpio archive in the old binary format; make it with --format=newc",
    ),
    (257, b"ustar", "a tar archive"),
    (0, b"\x1f\x8b", "gzip-compressed"),
    (0, b"\xfd7zXZ\0", "xz-compressed"),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed"),
    (0, b"BZh", "bzip2-compressed"),
    (0, b"\x02\x21\x4c\x18", "lz4-compressed"),
    (0, b"\x5d\0\0", "lzma-compressed"),
    (0, b"MZ", "a PE (EFI or Windows) program"),
    (0, b"#!", "a script"),
];

fn has(bytes: &[u8], (offset, magic): (usize, &[u8])) -> bool {
    bytes
        .get(offset..)
        .is_some_and(|rest| rest.starts_with(magic))
}

/// Returns whether the bytes are a Linux kernel with a setup header. Asked before anything else: it can look like a PE
/// program too.
pub fn is_bzimage(bytes: &[u8]) -> bool {
    has(bytes, BOOT_SECTOR) && has(bytes, SETUP_HEADER)
}

/// Describes what the bytes look like: `gzip-compressed`, `a Linux bzImage`, ...
pub fn describe(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "empty".into();
    }
    if is_bzimage(bytes) {
        return "a Linux bzImage".into();
    }
    if let Some((_, _, what)) = CONTENTS
        .iter()
        .find(|(offset, magic, _)| has(bytes, (*offset, magic)))
    {
        return (*what).into();
    }
    let head = &bytes[..bytes.len().min(64)];
    if bytes.iter().all(|byte| *byte == 0) {
        "zeros only".into()
    } else if head
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r'))
    {
        "text".into()
    } else {
        format!("unknown (begins with {:02x?})", &head[..head.len().min(8)])
    }
}

/// Returns whether the bytes are compressed, which nothing here undoes.
pub fn is_compressed(bytes: &[u8]) -> bool {
    CONTENTS
        .iter()
        .any(|(offset, magic, what)| what.ends_with("compressed") && has(bytes, (*offset, magic)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn content_is_named() {
        assert_eq!(describe(b""), "empty");
        assert_eq!(describe(b"\x1f\x8b\x08\0"), "gzip-compressed");
        assert_eq!(describe(&[0; 100]), "zeros only");
        assert_eq!(describe(b"hello\n"), "text");
        assert_eq!(describe(&[1, 2]), "unknown (begins with [01, 02])");
        let mut kernel = vec![0; 1024];
        kernel[..2].copy_from_slice(b"MZ");
        assert_eq!(describe(&kernel), "a PE (EFI or Windows) program");
        kernel[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        assert_eq!(describe(&kernel), "a Linux bzImage");
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(describe(&tar), "a tar archive");
        assert!(is_compressed(b"\x28\xb5\x2f\xfd...") && !is_compressed(b"\x7fELF"));
    }
}
