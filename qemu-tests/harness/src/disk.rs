//! The incident disk: a small raw image. Its first sector holds a label; the guest appends lines of text for each
//! takeover, beginning with a sector.

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

/// Returns the lines on an incident disk, the oldest first.
///
/// # Errors
/// The file cannot be read, or has lost its label.
pub fn lines(path: &Path) -> Result<Vec<String>, Problem> {
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
    let text: Vec<u8> = sectors
        .flat_map(|sector| sector.split(|byte| *byte == 0).next())
        .flatten()
        .copied()
        .collect();
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().map(String::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_follow_the_label() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/disk.img");
        create(&path).unwrap();
        assert_eq!(lines(&path), Ok(vec![]));
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 1 << 20);
        let long = "x".repeat(600);
        bytes[512..1120].copy_from_slice(format!("first\n{long}\n!").as_bytes());
        bytes[1536..1543].copy_from_slice(b"second\n");
        bytes[2560..2564].copy_from_slice(b"lost");
        std::fs::write(&path, &bytes).unwrap();
        let found = lines(&path).unwrap();
        assert_eq!(found, ["first", &long, "!second"]);
        bytes[0] = 0;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(lines(&path), Err(Problem::Failed(_))));
    }
}
