//! Builds things once: what was built from the same parts is not built again.

use std::fs::{self, File};
use std::path::Path;

use harness::archive::crc32c;
use harness::files;
use harness::problem::Problem;

/// Runs `build` in `directory`, unless what is there was built from the same `parts`. A second process waits for the
/// first.
///
/// # Errors
/// `build`'s; nothing counts as built then.
pub fn once(
    directory: &Path,
    parts: &Parts,
    build: impl FnOnce() -> Result<(), Problem>,
) -> Result<(), Problem> {
    let broken = |error| Problem::of_host(directory.display(), error);
    fs::create_dir_all(directory).map_err(broken)?;
    let lock = File::create(directory.join(".lock")).map_err(broken)?;
    lock.lock().map_err(broken)?;
    let stamp = directory.join(".built-from");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == parts.0) {
        return Ok(());
    }
    // A build that fails half-way leaves nothing that counts as built.
    files::write(&stamp, b"")?;
    build()?;
    files::write(&stamp, parts.0.as_bytes())
}

/// What something is built from: a text that differs when a part does.
#[derive(Clone, Debug, Default)]
pub struct Parts(String);

impl Parts {
    /// Adds a part that is known by its name.
    #[must_use]
    pub fn with_name(mut self, name: impl std::fmt::Display) -> Self {
        self.0 += &format!("{name}\n");
        self
    }

    /// Adds a part that is known by its content.
    #[must_use]
    pub fn with_content(self, name: &str, content: &[u8]) -> Self {
        let name = format!("{name} {} {}", content.len(), crc32c(content));
        self.with_name(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_built_again_when_a_part_changes_or_it_failed() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("new");
        let mut builds = 0;
        let mut build = |parts: Parts, outcome: Result<(), Problem>| {
            let before = builds;
            let _ = once(&place, &parts, || {
                builds += 1;
                outcome
            });
            builds - before
        };
        let parts = |content: &[u8]| {
            Parts::default()
                .with_name("gcc 12")
                .with_content("a.c", content)
        };
        assert_eq!(build(parts(b"1"), Ok(())), 1);
        assert_eq!(build(parts(b"1"), Ok(())), 0);
        assert_eq!(build(parts(b"2"), Ok(())), 1);
        assert_eq!(
            build(
                parts(b"2").with_name("more"),
                Err(Problem::Failed(String::new()))
            ),
            1
        );
        assert_eq!(build(parts(b"2"), Ok(())), 1, "the failure has spoilt it");
        assert_eq!(build(parts(b"2"), Ok(())), 0);
    }
}
