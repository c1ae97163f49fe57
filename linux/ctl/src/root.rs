//! The system's files: /proc, /sys, /boot, /dev. In tests they are below another directory.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::problem::Problem;

/// Where the system's files are.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self("/".into())
    }
}

impl Root {
    /// Returns where a file is, by its path without the leading slash.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.join(path)
    }

    /// Returns whether a file exists.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// Returns a short text without the blanks around it; `None` if it cannot be read.
    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let bytes = fs::read(self.path(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().into())
    }

    /// Returns the bytes of a file.
    ///
    /// # Errors
    /// Returns an error if it cannot be read.
    pub fn bytes(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, Problem> {
        let path = self.path(path);
        fs::read(&path).map_err(Problem::with(path.display()))
    }

    /// Writes into a file that exists.
    ///
    /// # Errors
    /// Returns an error if there is none, or if the system refuses the text.
    pub fn write(&self, path: impl AsRef<Path>, text: &str) -> Result<(), Problem> {
        let path = self.path(path);
        File::options()
            .write(true)
            .truncate(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(Problem::with(format!("{} = {text}", path.display())))
    }

    /// Returns the names in a directory, in order; none if there is no such directory.
    pub fn names(&self, path: impl AsRef<Path>) -> Vec<String> {
        let entries = fs::read_dir(self.path(path))
            .into_iter()
            .flatten()
            .flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names
    }

    /// Returns the last part of a link's target, such as the name of a driver.
    pub fn link_name(&self, path: impl AsRef<Path>) -> Option<String> {
        let target = fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    /// Returns the release of the running kernel.
    pub fn kernel_release(&self) -> String {
        self.text("proc/sys/kernel/osrelease").unwrap_or_default()
    }

    /// Returns whether root runs this; `None` if that cannot be seen.
    fn is_root(&self) -> Option<bool> {
        let status = self.text("proc/self/status")?;
        let user = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        Some(user.split_whitespace().next()? == "0")
    }

    /// Returns what to do where something cannot be read: `otherwise`, and before it to become root if that helps.
    pub fn advice_to_read(&self, otherwise: &str) -> String {
        match self.is_root() {
            Some(true) => otherwise.into(),
            _ => format!("run this as root; then, if it stays so, {otherwise}"),
        }
    }

    /// Writes a line to the kernel's log, which outlives this kernel. In an init, standard output may not reach
    /// anybody.
    pub fn log(&self, what: impl Display) {
        let line = format!("understudyctl: {what}\n");
        if self.write("dev/kmsg", &line).is_err() {
            eprint!("{line}");
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Makes a root with these files in it.
    pub fn root_of(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root(directory.path().into());
        for (path, content) in files {
            put(&root, path, content.as_bytes());
        }
        (directory, root)
    }

    /// Puts a file into a root.
    pub fn put(root: &Root, path: &str, content: &[u8]) {
        let path = root.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn root_is_not_told_to_become_root() {
        let (_directory, root) = root_of(&[]);
        assert!(
            root.advice_to_read("look elsewhere")
                .starts_with("run this as root")
        );
        put(&root, "proc/self/status", b"Name:\tx\nUid:\t1000\t1000\n");
        assert!(
            root.advice_to_read("look elsewhere")
                .starts_with("run this as root")
        );
        put(&root, "proc/self/status", b"Name:\tx\nUid:\t0\t0\n");
        assert_eq!(root.advice_to_read("look elsewhere"), "look elsewhere");
    }

    #[test]
    fn only_what_is_there_is_written_to() {
        let (_directory, root) = root_of(&[("sys/power/state", "freeze mem\n")]);
        assert_eq!(root.text("sys/power/state").unwrap(), "freeze mem");
        root.write("sys/power/state", "mem").unwrap();
        assert_eq!(root.text("sys/power/state").unwrap(), "mem");
        assert_eq!(root.write("dev/kmsg", "x").unwrap_err().exit_code(), 4);
        assert!(!root.has("dev/kmsg"));
        assert_eq!(root.names("sys"), ["power"]);
        assert!(root.names("none").is_empty());
    }
}
