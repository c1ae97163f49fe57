//! Writes boot archives: cpio in the "newc" format, as `partition::archive` and Linux read it.

use crc::{CRC_32_ISCSI, Crc};

const MAGIC: &str = "070701";
const TRAILER: &str = "TRAILER!!!";
/// A regular file, readable by all.
const MODE_FILE: u32 = 0o100_644;

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
    pub fn file(mut self, path: &str, content: &[u8]) -> Self {
        self.entries += 1;
        self.entry(path.trim_start_matches('/'), MODE_FILE, content);
        self
    }

    /// Adds an image at `path`, and beside it the checksum by which the monitor tells a damaged one.
    #[must_use]
    pub fn image(self, path: &str, content: &[u8]) -> Self {
        self.file(path, content)
            .file(&format!("{path}.crc32c"), crc32c(content).as_bytes())
    }

    /// The archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entries = 0;
        self.entry(TRAILER, 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
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
            0,
            0,
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

/// The CRC-32C of `content` as eight hexadecimal digits.
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
