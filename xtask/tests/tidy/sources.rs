//! The files that git tracks.

use std::fs;
use std::process::Command;
use std::sync::LazyLock;

use harness::paths;

/// The paths of all tracked files, from the workspace's root.
pub static FILES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let output = Command::new("git")
        .current_dir(paths::workspace())
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output()
        .expect("git lists the files");
    let names = String::from_utf8(output.stdout).expect("names of text");
    let is_there = |name: &&str| paths::workspace().join(name).is_file();
    let names = names.split_terminator('\0').filter(is_there);
    names.map(str::to_string).collect()
});

/// Returns the text of a tracked file.
pub fn text(file: &str) -> String {
    fs::read_to_string(paths::workspace().join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the tracked files with one of these extensions.
pub fn with_extension(extensions: &[&str]) -> impl Iterator<Item = &'static str> {
    let has_one = |file: &&str| {
        let extension = file.rsplit_once('.').map(|(_, extension)| extension);
        extension.is_some_and(|extension| extensions.contains(&extension))
    };
    FILES.iter().map(String::as_str).filter(has_one)
}
