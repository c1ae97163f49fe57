//! The boot archive: cpio in the "newc" format (Linux' Documentation/driver-api/early-userspace/buffer-format.rst), one
//! or several of them one after the other with zeros between.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::content;
use crate::links::Links;

pub(crate) const MAGIC: &[u8] = b"070701";
const HEADER_BYTES: usize = 110;
const TRAILER: &[u8] = b"TRAILER!!!";

/// Bits of the mode that tell the kind of file.
const KIND_MASK: u32 = 0o170_000;
const KIND_REGULAR: u32 = 0o100_000;
const KIND_SYMBOLIC_LINK: u32 = 0o120_000;

/// What is wrong with an archive; offsets are in bytes from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveError {
    /// It is something else, named.
    NotAnArchive(String),
    /// No entry begins at this offset, where one should.
    BadMagic(usize),
    /// A header field, named, of the entry at this offset is not a hexadecimal number.
    BadField(&'static str, usize),
    /// The entry at this offset goes past the end.
    Truncated(usize),
    /// The name of the entry at this offset is not UTF-8 with a zero at its end.
    BadName(usize),
    /// It ends without the entry that closes an archive.
    NoTrailer,
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("boot archive: ")?;
        match self {
            Self::NotAnArchive(what) => write!(f, "is {what}; should be a cpio archive (newc)"),
            Self::BadMagic(at) => write!(f, "bad magic at offset {at}, should be 070701"),
            Self::BadField(field, at) => {
                write!(f, "{field} of the entry at offset {at} is not a number")
            }
            Self::Truncated(at) => write!(f, "truncated: the entry at offset {at} passes the end"),
            Self::BadName(at) => write!(f, "the name of the entry at offset {at} is not text"),
            Self::NoTrailer => f.write_str("truncated: the closing entry TRAILER!!! is missing"),
        }
    }
}

impl core::error::Error for ArchiveError {}

/// A regular file in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// Its path without leading `/` and `./`.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
}

/// An archive that was read through to its end.
#[derive(Clone, Debug, Default)]
pub struct Archive<'a> {
    files: Vec<File<'a>>,
    links: Links,
}

impl<'a> Archive<'a> {
    /// Reads an archive.
    ///
    /// # Errors
    /// Names what is wrong and where.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ArchiveError> {
        if !bytes.starts_with(MAGIC) {
            return Err(ArchiveError::NotAnArchive(content::describe(bytes)));
        }
        let (mut files, mut links) = (Vec::new(), Links::default());
        // The names of one file, in the archive that is being read: which of `files`, and the file's number.
        let mut shared: Vec<(usize, [u32; 3])> = Vec::new();
        let mut offset = 0;
        let mut closed = false;
        // Outside an archive zeros are padding, and the next one begins at a multiple of 4, as in Linux.
        while let Some(byte) = bytes.get(offset) {
            if closed && *byte == 0 {
                offset += 1;
                continue;
            }
            let entry = read_entry(bytes, offset)?;
            closed = entry.name == TRAILER;
            let text =
                |bytes| core::str::from_utf8(bytes).map_err(|_| ArchiveError::BadName(offset));
            match entry.mode & KIND_MASK {
                _ if closed => share(&mut files, &core::mem::take(&mut shared)),
                KIND_REGULAR => {
                    if let Some(number) = entry.shared {
                        shared.push((files.len(), number));
                    }
                    files.push(File {
                        name: plain(text(entry.name)?),
                        bytes: entry.data,
                    });
                }
                KIND_SYMBOLIC_LINK => links.add(plain(text(entry.name)?), text(entry.data)?),
                _ => {}
            }
            offset = entry.end;
        }
        if !closed {
            return Err(ArchiveError::NoTrailer);
        }
        Ok(Self { files, links })
    }

    /// Returns the content of the file at `path`; a leading `/` or `./` does not matter. Of two files at one path the
    /// later counts.
    pub fn find(&self, path: &str) -> Option<&'a [u8]> {
        let find = |path: &str| self.files.iter().rev().find(|file| file.name == path);
        let file = find(plain(path)).or_else(|| find(&self.links.resolve(path)?))?;
        Some(file.bytes)
    }

    /// Returns the symbolic links.
    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// Returns the regular files, in the archive's order.
    pub fn files(&self) -> &[File<'a>] {
        &self.files
    }
}

/// Gives all names of one file its content: only one entry, mostly the last, has it.
fn share(files: &mut [File<'_>], shared: &[(usize, [u32; 3])]) {
    for (place, number) in shared {
        let same = shared.iter().rev().filter(|(_, other)| other == number);
        let content = same.map(|(other, _)| files[*other].bytes);
        if let Some(bytes) = content.into_iter().find(|bytes| !bytes.is_empty()) {
            files[*place].bytes = bytes;
        }
    }
}

/// Returns a path without leading `/` and `./`.
pub(crate) fn plain(path: &str) -> &str {
    let mut rest = path;
    while let Some(shorter) = rest.strip_prefix('/').or(rest.strip_prefix("./")) {
        rest = shorter;
    }
    rest
}

struct Entry<'a> {
    name: &'a [u8],
    mode: u32,
    data: &'a [u8],
    /// If it is one of several names of a file: the file's number, in the device it was on.
    shared: Option<[u32; 3]>,
    end: usize,
}

fn read_entry(bytes: &[u8], offset: usize) -> Result<Entry<'_>, ArchiveError> {
    let truncated = ArchiveError::Truncated(offset);
    let rest = &bytes[offset..];
    if !offset.is_multiple_of(4) || !rest.starts_with(&MAGIC[..MAGIC.len().min(rest.len())]) {
        return Err(ArchiveError::BadMagic(offset));
    }
    let header = rest.get(..HEADER_BYTES).ok_or(truncated.clone())?;
    // 13 fields of 8 hexadecimal digits follow the magic.
    let field = |index: usize, name| {
        let digits = &header[MAGIC.len() + index * 8..][..8];
        hexadecimal(digits).ok_or(ArchiveError::BadField(name, offset))
    };
    let (mode, size, name_size) = (
        field(1, "mode")?,
        field(6, "filesize")? as usize,
        field(11, "namesize")? as usize,
    );
    let number = [
        field(0, "ino")?,
        field(7, "devmajor")?,
        field(8, "devminor")?,
    ];
    let names = field(4, "nlink")?;
    let name = rest[HEADER_BYTES..]
        .get(..name_size)
        .ok_or(truncated.clone())?;
    let Some((0, name)) = name.split_last() else {
        return Err(ArchiveError::BadName(offset));
    };
    let data_start = (HEADER_BYTES + name_size).next_multiple_of(4);
    let data = rest.get(data_start..).and_then(|data| data.get(..size));
    // The last entry's padding may be cut off.
    let end = (data_start + size).next_multiple_of(4).min(rest.len());
    Ok(Entry {
        name,
        mode,
        data: data.ok_or(truncated)?,
        shared: (names > 1).then_some(number),
        end: offset + end,
    })
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |value, digit| {
        Some(value << 4 | char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{archive, entry, linked_entry};
    use alloc::string::ToString;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn files_are_found_by_path() {
        let mut bytes = archive(&[("boot/a", b"one"), ("./boot/b", b""), ("boot/a", b"two")]);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        let archive = Archive::parse(&bytes).unwrap();
        assert_eq!(archive.find("/boot/a"), Some(&b"two"[..]));
        assert_eq!(archive.find("boot/b"), Some(&b""[..]));
        assert_eq!(archive.find("boot"), None);
        assert_eq!(archive.find("/boot/c"), None);
        let names: Vec<_> = archive.files().iter().map(|file| file.name).collect();
        assert_eq!(names, ["boot/a", "boot/b", "boot/a"]);
    }

    #[test]
    fn links_of_both_kinds_are_followed() {
        let hard = |name, data| linked_entry(name, 0o100_644, data, 2);
        let trailer = || entry("TRAILER!!!", 0, b"");
        let bytes = [
            hard("boot/a", b""),
            hard("boot/b", b"image"),
            entry("a", 0o120_777, b"boot/a"),
            entry("lost", 0o120_777, b"nowhere"),
            trailer(),
            // In another archive the number is another file's.
            hard("boot/c", b""),
            trailer(),
        ]
        .concat();
        let archive = Archive::parse(&bytes).unwrap();
        for path in ["boot/a", "boot/b", "/a"] {
            assert_eq!(archive.find(path), Some(&b"image"[..]), "{path}");
        }
        assert_eq!(archive.find("boot/c"), Some(&b""[..]));
        assert_eq!(archive.find("lost"), None);
    }

    #[test]
    fn archives_may_follow_each_other() {
        let mut bytes = archive(&[("a", b"1")]);
        bytes.extend([0; 8]);
        bytes.extend(archive(&[("b", b"2")]));
        bytes.extend(archive(&[("c", b"3")]));
        let all = Archive::parse(&bytes).unwrap();
        assert_eq!(all.files().len(), 3);
        assert_eq!(all.find("c"), Some(&b"3"[..]));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let good = archive(&[("a", b"12345")]);
        let first = entry("boot", 0o040_755, b"").len();
        let error = |bytes: &[u8]| Archive::parse(bytes).unwrap_err();
        assert_eq!(
            error(b"\x1f\x8b\x08\0").to_string(),
            "boot archive: is gzip-compressed; should be a cpio archive (newc)"
        );
        assert_eq!(error(b""), ArchiveError::NotAnArchive("empty".into()));
        let trailer = good.len() - entry("TRAILER!!!", 0, b"").len();
        assert_eq!(error(&good[..trailer]), ArchiveError::NoTrailer);
        assert_eq!(error(&good[..trailer - 8]), ArchiveError::Truncated(first));
        assert_eq!(error(&good[..first + 50]), ArchiveError::Truncated(first));
        let damaged = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            error(&bytes)
        };
        assert_eq!(damaged(first + 2, b'x'), ArchiveError::BadMagic(first));
        assert_eq!(
            damaged(first + 60, b'+'),
            ArchiveError::BadField("filesize", first)
        );
        assert_eq!(damaged(first + 110, 0xff), ArchiveError::BadName(first));
        assert_eq!(damaged(first + 111, b'!'), ArchiveError::BadName(first));
        assert_eq!(damaged(first + 54, b'f'), ArchiveError::Truncated(first));
        let mut odd = good.clone();
        odd.extend([0; 3]);
        odd.extend(&good);
        assert_eq!(error(&odd), ArchiveError::BadMagic(good.len() + 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_damaged_archive_gets_an_answer(
            changes in proptest::collection::vec((0usize..1000, any::<u8>()), 0..5), cut in 0usize..1000,
        ) {
            let mut bytes = archive(&[("boot/a", b"12345"), ("boot/b", &[7; 100])]);
            let length = bytes.len();
            for (offset, value) in changes {
                bytes[offset % length] = value;
            }
            bytes.truncate(cut.max(1));
            let _ = Archive::parse(&bytes);
        }

        #[test]
        fn what_is_put_in_comes_out(
            files in proptest::collection::vec(("[a-z]{1,9}", proptest::collection::vec(any::<u8>(), 0..20)), 0..6),
        ) {
            let given: Vec<(&str, &[u8])> = files.iter().map(|(n, d)| (n.as_str(), d.as_slice())).collect();
            let bytes = archive(&given);
            let archive = Archive::parse(&bytes).unwrap();
            let found: Vec<(&str, &[u8])> = archive.files().iter().map(|f| (f.name, f.bytes)).collect();
            prop_assert_eq!(found, given);
        }

        #[test]
        fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut disguised = vec![];
            disguised.extend(MAGIC);
            disguised.extend(&bytes);
            prop_assert!(Archive::parse(&bytes).is_err() && Archive::parse(&disguised).is_err());
        }
    }
}
