//! The incident disk: a small raw image. Its first sector holds a label; the guest appends a text record of each
//! takeover.

use std::path::Path;

use crate::files;
use crate::problem::Problem;

const LABEL: &[u8] = b"UNDERSTUDY-INCIDENTS-1\n";
const SECTOR_BYTES: usize = 512;
const DISK_BYTES: usize = 1 << 20;

/// Writes an empty incident disk.
///
/// # Errors
/// The file cannot be written.
pub fn create(path: &Path) -> Result<(), Problem> {
    let mut bytes = vec![0; DISK_BYTES];
    bytes[..LABEL.len()].copy_from_slice(LABEL);
    files::write(path, &bytes)
}

/// Returns the records on an incident disk, the oldest first.
///
/// # Errors
/// The file cannot be read, or has lost its label.
pub fn records(path: &Path) -> Result<Vec<String>, Problem> {
    let bytes = files::read(path)?;
    if !bytes.starts_with(LABEL) {
        return Err(Problem::Failed(format!(
            "{} has lost its label",
            path.display()
        )));
    }
    let sectors = bytes
        .chunks(SECTOR_BYTES)
        .skip(1)
        .take_while(|sector| sector[0] != 0);
    Ok(sectors
        .map(|sector| {
            String::from_utf8_lossy(sector)
                .trim_end_matches('\0')
                .into()
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_follow_the_label() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/disk.img");
        create(&path).unwrap();
        assert_eq!(records(&path), Ok(vec![]));
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 1 << 20);
        bytes[512..519].copy_from_slice(b"first\nx");
        bytes[1024..1030].copy_from_slice(b"second");
        bytes[2048..2052].copy_from_slice(b"lost");
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(records(&path), Ok(vec!["first\nx".into(), "second".into()]));
        bytes[0] = 0;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(records(&path), Err(Problem::Failed(_))));
    }
}
