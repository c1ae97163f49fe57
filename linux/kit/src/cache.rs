//! The cache of unpacked packages: outside the tree, kept between runs. An entry is complete or absent.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use harness::problem::Problem;

/// The name of an entry begins with this until the entry is complete.
const PARTIAL_PREFIX: &str = ".partial-";

/// A directory of entries.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens the user's cache: `$UNDERSTUDY_CACHE`, else `$XDG_CACHE_HOME/understudy`, else `~/.cache/understudy`.
    ///
    /// # Errors
    /// The environment names none of these.
    pub fn of_user() -> Result<Self, Problem> {
        Self::of_environment(|name| env::var_os(name))
    }

    fn of_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Problem> {
        // The XDG base directory specification ignores empty and relative paths; we do so for all three.
        let path = |name| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        path("UNDERSTUDY_CACHE")
            .or_else(|| Some(path("XDG_CACHE_HOME")?.join("understudy")))
            .or_else(|| Some(path("HOME")?.join(".cache/understudy")))
            .map(Self::at)
            .ok_or_else(|| {
                Problem::BrokenSetUp(
                    "no place for a cache: UNDERSTUDY_CACHE=/absolute/path would work".into(),
                )
            })
    }

    /// Opens the cache at `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the entry `name`. If it is absent, `fill` makes it in the directory that it is given; a second process
    /// waits for the first.
    ///
    /// # Errors
    /// `fill`'s, or the cache is not writable. The entry is absent then.
    pub fn entry(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<(), Problem>,
    ) -> Result<PathBuf, Problem> {
        let entry = self.root.join(name);
        if entry.is_dir() {
            return Ok(entry);
        }
        let _lock = self.lock()?;
        if entry.is_dir() {
            return Ok(entry);
        }
        self.clear_partial()?;
        let partial = self.root.join(format!("{PARTIAL_PREFIX}{name}"));
        fs::create_dir(&partial).map_err(|error| Problem::of_host(partial.display(), error))?;
        let filled = fill(&partial).and_then(|()| {
            fs::rename(&partial, &entry).map_err(|error| Problem::of_host(entry.display(), error))
        });
        match filled {
            Ok(()) => Ok(entry),
            Err(problem) => {
                self.clear_partial()?;
                Err(problem)
            }
        }
    }

    /// Returns the newest entry whose name begins with `prefix`.
    pub fn newest(&self, prefix: &str) -> Option<PathBuf> {
        let entries = fs::read_dir(&self.root).ok()?.filter_map(Result::ok);
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .max_by_key(|entry| entry.metadata().and_then(|data| data.modified()).ok())
            .map(|entry| entry.path())
    }

    /// Locks the cache. The lock ends with the file's handle, however the process ends.
    fn lock(&self) -> Result<File, Problem> {
        let path = self.root.join(".lock");
        fs::create_dir_all(&self.root)
            .and_then(|()| File::create(&path))
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|error| Problem::of_host(path.display(), error))
    }

    /// Removes partial entries. Only the holder of the lock makes them, so all are of killed runs, or of this one.
    fn clear_partial(&self) -> Result<(), Problem> {
        let broken = |error| Problem::of_host(self.root.display(), error);
        for entry in fs::read_dir(&self.root).map_err(broken)? {
            let entry = entry.map_err(broken)?;
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(PARTIAL_PREFIX)
            {
                fs::remove_dir_all(entry.path()).map_err(broken)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use std::time::Duration;

    fn names(root: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != ".lock")
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_environment_says_where_it_is() {
        let cache = |set: &[(&str, &str)]| {
            let value = |name: &str| set.iter().find(|(key, _)| *key == name);
            Cache::of_environment(|name| value(name).map(|(_, path)| path.into()))
                .map(|cache| cache.root)
        };
        let (home, xdg) = (("HOME", "/home/x"), ("XDG_CACHE_HOME", "/xdg"));
        let own = ("UNDERSTUDY_CACHE", "/own");
        assert_eq!(cache(&[home, xdg, own]), Ok("/own".into()));
        assert_eq!(cache(&[home, xdg]), Ok("/xdg/understudy".into()));
        assert_eq!(
            cache(&[home, ("XDG_CACHE_HOME", "")]),
            Ok("/home/x/.cache/understudy".into())
        );
        let problem = cache(&[("UNDERSTUDY_CACHE", "relative")]).unwrap_err();
        assert!(problem.text().contains("UNDERSTUDY_CACHE"), "{problem}");
    }

    #[test]
    fn an_entry_is_filled_once() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("new/cache"));
        let fills = AtomicU32::new(0);
        let fill = |path: &Path| {
            fills.fetch_add(1, Ordering::Relaxed);
            // Long enough for the others to arrive.
            thread::sleep(Duration::from_millis(50));
            harness::files::write(&path.join("file"), b"whole")
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let entry = cache.entry("a_1", fill).unwrap();
                    assert_eq!(fs::read(entry.join("file")).unwrap(), b"whole");
                });
            }
        });
        assert_eq!(fills.into_inner(), 1);
        assert_eq!(names(cache.root()), ["a_1"]);
    }

    #[test]
    fn an_entry_that_was_not_completed_is_absent() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path());
        fs::create_dir(directory.path().join(".partial-killed")).unwrap();
        let failure = Problem::Skipped("half".into());
        let failed = cache.entry("a", |path| {
            harness::files::write(&path.join("file"), b"half")?;
            Err(failure.clone())
        });
        assert_eq!(failed, Err(failure));
        assert!(names(directory.path()).is_empty());
        assert!(cache.entry("a", |_| Ok(())).is_ok());
    }

    #[test]
    fn the_newest_of_a_series_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path());
        assert_eq!(cache.newest("linux-6.1."), None);
        for name in ["linux-6.1.0-9", "linux-6.1.0-10", "linux-6.12.1"] {
            cache.entry(name, |_| Ok(())).unwrap();
            // Times of files are as coarse as the kernel's tick.
            thread::sleep(Duration::from_millis(20));
        }
        let newest = cache.newest("linux-6.1.").unwrap();
        assert!(newest.ends_with("linux-6.1.0-10"), "{}", newest.display());
    }
}
