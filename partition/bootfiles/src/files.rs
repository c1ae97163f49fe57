//! The files a boot can use: those in the boot archives, and modules that are files themselves.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::archive::{Archive, ArchiveError, plain};
use crate::links::Links;

/// All files of a boot, by path.
#[derive(Clone, Debug, Default)]
pub struct BootFiles<'a> {
    files: Vec<(String, &'a [u8])>,
    links: Links,
}

/// There is no such file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// The path that was looked up.
    pub path: String,
    /// The paths there are.
    pub present: Vec<String>,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no {} in the boot archive", self.path)?;
        match self.present.split_first() {
            None => f.write_str("; it has no files"),
            Some((first, others)) => {
                write!(f, "; it has {first}")?;
                others
                    .iter()
                    .take(7)
                    .try_for_each(|path| write!(f, ", {path}"))?;
                match others.len().saturating_sub(7) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}

impl core::error::Error for NotFound {}

impl<'a> BootFiles<'a> {
    /// Collects the files of the modules, given by name and content. A module that has a name is a file under the first
    /// word of it: an image, an initrd. If it is an archive, or has no name, its files are there as well. Later ones
    /// win, and modules win over files in them.
    ///
    /// # Errors
    /// A module without a name is no archive, or a damaged one; of one with a name, which may be meant as a file, that
    /// is no error.
    pub fn new<'n>(
        modules: impl IntoIterator<Item = (&'n str, &'a [u8])>,
    ) -> Result<Self, ArchiveError> {
        let (mut inner, mut outer, mut links) = (Vec::new(), Vec::new(), Links::default());
        for (name, bytes) in modules {
            let path = plain(name.split_whitespace().next().unwrap_or_default());
            match Archive::parse(bytes) {
                Ok(archive) => {
                    inner.extend(archive.files().iter().map(|f| (f.name.into(), f.bytes)));
                    links.extend(archive.links());
                }
                Err(error) if path.is_empty() => return Err(error),
                Err(_) => {}
            }
            if !path.is_empty() {
                outer.push((path.into(), bytes));
            }
        }
        inner.append(&mut outer);
        Ok(Self {
            files: inner,
            links,
        })
    }

    /// Returns the content of the file at `path`; a leading `/` or `./` does not matter.
    ///
    /// # Errors
    /// There is none; says which there are.
    pub fn find(&self, path: &str) -> Result<&'a [u8], NotFound> {
        let find = |path: &str| self.files.iter().rev().find(|(name, _)| name == path);
        find(plain(path))
            .or_else(|| find(&self.links.resolve(path)?))
            .map(|(_, bytes)| *bytes)
            .ok_or_else(|| NotFound {
                path: path.into(),
                present: self
                    .names()
                    .map(String::from)
                    .chain(self.links.texts())
                    .collect(),
            })
    }

    /// Returns the paths of all files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{archive, entry};
    use alloc::string::ToString;

    #[test]
    fn archives_and_plain_modules_are_one() {
        let archived = archive(&[("boot/a", b"1"), ("boot/b", b"2")]);
        let files = BootFiles::new([
            ("/boot/initrd and more", archived.as_slice()),
            ("/boot/b version=2", &b"3"[..]),
        ])
        .unwrap();
        assert_eq!(files.find("/boot/a"), Ok(&b"1"[..]));
        assert_eq!(files.find("boot/b"), Ok(&b"3"[..]));
        assert_eq!(files.find("/boot/initrd"), Ok(archived.as_slice()));
        assert_eq!(files.names().count(), 4);
        let lost = files.find("/boot/c").unwrap_err();
        assert_eq!(
            lost.to_string(),
            "there is no /boot/c in the boot archive; it has boot/a, boot/b, boot/initrd, boot/b"
        );
    }

    #[test]
    fn a_link_leads_to_its_file_or_is_told() {
        let linked = [
            entry("boot/a", 0o120_777, b"a-1.0"),
            entry("boot/b", 0o120_777, b"b-1.0"),
            entry("boot/a-1.0", 0o100_644, b"image"),
            entry("TRAILER!!!", 0, b""),
        ]
        .concat();
        let files = BootFiles::new([("", linked.as_slice())]).unwrap();
        assert_eq!(files.find("/boot/a"), Ok(&b"image"[..]));
        assert_eq!(
            files.find("/boot/b").unwrap_err().to_string(),
            "there is no /boot/b in the boot archive; it has boot/a-1.0, boot/a -> a-1.0, boot/b -> b-1.0"
        );
    }

    #[test]
    fn what_is_no_archive_needs_a_name() {
        let text: &[u8] = b"text";
        let packed: &[u8] = b"\x1f\x8b\x08";
        let damaged: &[u8] = b"070701damaged";
        assert_eq!(
            BootFiles::new([("", text)]).unwrap_err(),
            ArchiveError::NotAnArchive("text".into())
        );
        assert_eq!(
            BootFiles::new([("", packed)]).unwrap_err(),
            ArchiveError::NotAnArchive("gzip-compressed".into())
        );
        assert!(BootFiles::new([("", damaged)]).is_err());
        for bytes in [text, packed, damaged] {
            let files = BootFiles::new([("/initrd", bytes)]).unwrap();
            assert_eq!(files.find("/initrd"), Ok(bytes));
        }
        let empty = BootFiles::new([]).unwrap();
        assert_eq!(
            empty.find("a").unwrap_err().to_string(),
            "there is no a in the boot archive; it has no files"
        );
    }
}
