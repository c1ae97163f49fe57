//! Writes boot archives: cpio in the "newc" format, as `partition::archive` and Linux read it.

use crc::{CRC_32_ISCSI, Crc};

const MAGIC: &str = "070701";
const TRAILER: &str = "TRAILER!!!";
/// Kinds of entries, each with the rights everyone has.
const MODE_FILE: u32 = 0o100_644;
const MODE_PROGRAM: u32 = 0o100_755;
const MODE_DIRECTORY: u32 = 0o040_755;
const MODE_SYMLINK: u32 = 0o120_777;
const MODE_CHARACTER_DEVICE: u32 = 0o020_600;

/// A boot archive being put together.
#[derive(Clone, Debug, Default)]
pub struct ArchiveWriter {
    bytes: Vec<u8>,
    entries: u32,
}

impl ArchiveWriter {
    /// Adds a file at `path`, which may begin with a slash.
    ///
    /// # Panics
    /// When the file has 4 GiB or more, which the format cannot hold.
    #[must_use]
    pub fn file(self, path: &str, content: &[u8]) -> Self {
        self.add(path, MODE_FILE, content, (0, 0))
    }

    /// Adds a file that can be executed.
    ///
    /// # Panics
    /// As [`file`](Self::file).
    #[must_use]
    pub fn program(self, path: &str, content: &[u8]) -> Self {
        self.add(path, MODE_PROGRAM, content, (0, 0))
    }

    /// Adds a directory. Linux makes none by itself: it comes before what is in it.
    #[must_use]
    pub fn directory(self, path: &str) -> Self {
        self.add(path, MODE_DIRECTORY, &[], (0, 0))
    }

    /// Adds a symbolic link to `target`.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.add(path, MODE_SYMLINK, target.as_bytes(), (0, 0))
    }

    /// Adds the node of a character device.
    #[must_use]
    pub fn device(self, path: &str, major: u32, minor: u32) -> Self {
        self.add(path, MODE_CHARACTER_DEVICE, &[], (major, minor))
    }

    /// Adds an image at `path`, and beside it the checksum by which the monitor tells a damaged one.
    #[must_use]
    pub fn image(self, path: &str, content: &[u8]) -> Self {
        self.file(path, content)
            .file(&format!("{path}.crc32c"), crc32c(content).as_bytes())
    }

    /// Ends the archive and returns it.
    pub fn finish(mut self) -> Vec<u8> {
        self.entries = 0;
        self.entry(TRAILER, 0, &[], (0, 0));
        self.bytes
    }

    fn add(mut self, path: &str, mode: u32, content: &[u8], device: (u32, u32)) -> Self {
        self.entries += 1;
        self.entry(path.trim_start_matches('/'), mode, content, device);
        self
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8], (major, minor): (u32, u32)) {
        let size = u32::try_from(content.len()).expect("a cpio entry is smaller than 4 GiB");
        let name_size = u32::try_from(name.len() + 1).expect("a path is shorter than 4 GiB");
        // inode, mode, uid, gid, links, time, size, device (2), special device (2), length of the name, checksum
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            major,
            minor,
            name_size,
            0,
        ];
        self.bytes.extend(MAGIC.as_bytes());
        for field in fields {
            self.bytes.extend(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Returns the CRC-32C of `content` as eight hexadecimal digits.
pub fn crc32c(content: &[u8]) -> String {
    format!("{:08x}", Crc::<u32>::new(&CRC_32_ISCSI).checksum(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use partition::BootFiles;
    use partition::archive::Archive;

    #[test]
    fn the_monitors_reader_reads_it() {
        let bytes = ArchiveWriter::default()
            .file("/boot/a", b"12345")
            .file("boot/empty", b"")
            .image("/boot/image", &[7; 1001])
            .finish();
        let archive = Archive::parse(&bytes).unwrap();
        let names: Vec<&str> = archive.files().iter().map(|file| file.name).collect();
        assert_eq!(
            names,
            ["boot/a", "boot/empty", "boot/image", "boot/image.crc32c"]
        );
        assert_eq!(archive.find("/boot/a"), Some(&b"12345"[..]));
        assert_eq!(archive.find("/boot/empty"), Some(&b""[..]));
        assert_eq!(archive.find("/boot/image"), Some(&[7; 1001][..]));
        assert_eq!(
            archive.find("/boot/image.crc32c"),
            Some(crc32c(&[7; 1001]).as_bytes())
        );
        assert_eq!(
            BootFiles::new([("", bytes.as_slice())])
                .unwrap()
                .names()
                .count(),
            4
        );
    }

    /// Reads the fields of each entry, eight hexadecimal digits each: see `cpio(5)`, "New ASCII Format".
    #[test]
    fn all_kinds_of_entries_are_what_they_should_be() {
        let bytes = ArchiveWriter::default()
            .directory("/dev")
            .device("/dev/console", 5, 1)
            .program("/init", b"#!/bin/sh\n")
            .symlink("/sh", "bin/busybox")
            .file("/text", b"12345")
            .finish();
        let mut rest = bytes.as_slice();
        let mut entries = Vec::new();
        while !rest.is_empty() {
            assert_eq!(&rest[..6], b"070701");
            let field = |index: usize| {
                let digits = std::str::from_utf8(&rest[6 + 8 * index..14 + 8 * index]).unwrap();
                u32::from_str_radix(digits, 16).unwrap()
            };
            let (size, name_size) = (field(6) as usize, field(11) as usize);
            let name = std::str::from_utf8(&rest[110..109 + name_size]).unwrap();
            entries.push((name, format!("{:o}", field(1)), field(9), field(10), size));
            rest = &rest[(110 + name_size).next_multiple_of(4) + size.next_multiple_of(4)..];
        }
        let entry = |name, mode: &str, major, minor, size| (name, mode.into(), major, minor, size);
        assert_eq!(
            entries,
            [
                entry("dev", "40755", 0, 0, 0),
                entry("dev/console", "20600", 5, 1, 0),
                entry("init", "100755", 0, 0, 10),
                entry("sh", "120777", 0, 0, 11),
                entry("text", "100644", 0, 0, 5),
                entry("TRAILER!!!", "0", 0, 0, 0),
            ]
        );
    }

    #[test]
    fn an_empty_archive_is_one() {
        assert!(
            Archive::parse(&ArchiveWriter::default().finish())
                .unwrap()
                .files()
                .is_empty()
        );
    }

    #[test]
    fn the_checksum_is_crc_32c() {
        // The check value of the CRC catalogue (CRC-32/ISCSI).
        assert_eq!(crc32c(b"123456789"), "e3069283");
    }
}
