//! What is read out of a boot archive reads the same when it is put into a new one.

use partition::BootFiles;
use partition::archive::Archive;

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let archive = match Archive::parse(data) {
        Ok(archive) => archive,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut written = Vec::new();
    for file in archive.files() {
        // No part of an entry lies outside the archive.
        let place = file.bytes.as_ptr_range();
        assert!(data.as_ptr_range().start <= place.start && place.end <= data.as_ptr_range().end);
        put(&mut written, file.name, 0o100_644, file.bytes);
        let found = archive.find(file.name).expect("what is listed is found");
        assert!(
            archive
                .files()
                .iter()
                .any(|other| { (other.name, other.bytes.as_ptr()) == (file.name, found.as_ptr()) })
        );
    }
    put(&mut written, "TRAILER!!!", 0, b"");
    let again = Archive::parse(&written).expect("our own archive");
    let is_closing = |name: &str| name == "TRAILER!!!";
    if !archive.files().iter().any(|file| is_closing(file.name)) {
        assert_eq!(again.files(), archive.files());
    }
    let files = BootFiles::new([("", data)]).expect("it was read before");
    assert_eq!(files.names().count(), archive.files().len());
    let other: String = files.names().chain(["x"]).collect();
    let lost = files.find(&other).map(|_| ());
    assert!(files.names().count() == 1 || lost.is_err());
}

/// Returns an entry as `cpio --format=newc` writes it.
fn put(archive: &mut Vec<u8>, name: &str, mode: u32, bytes: &[u8]) {
    let size = bytes.len() as u32;
    let name_size = name.len() as u32 + 1;
    archive.extend_from_slice(b"070701");
    for field in [1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0] {
        archive.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    archive.extend_from_slice(name.as_bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend_from_slice(bytes);
    archive.resize(archive.len().next_multiple_of(4), 0);
}
