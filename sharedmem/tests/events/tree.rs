//! The files of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the files below `directory` of the workspace whose text can be read, with their text.
pub fn files(directory: &str) -> Vec<(PathBuf, String)> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    let mut left = vec![workspace.join(directory)];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory of the workspace");
            left.extend(entries.map(|entry| entry.expect("an entry of it").path()));
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push((path, text));
        }
    }
    assert!(!found.is_empty(), "there is no {directory}");
    found
}
