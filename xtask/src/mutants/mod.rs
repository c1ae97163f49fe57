//! Puts deliberate bugs, one at a time, into a copy of the sources: the simulation has to find each, or a test on the
//! host that is named with the bug.

mod comparison_list;
mod core_list;
mod device_list;
mod dma_list;
mod ending_list;
mod host;
mod host_list;
mod list;
mod mutant;
mod slice_list;
mod watcher_list;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::simulation;
use harness::files::{read, write};
use harness::paths;
use harness::problem::{Problem, require};

pub use list::MUTANTS;
pub use mutant::{HostMutant, Mutant};

/// Seeds within which each bug has to be found.
pub const SEEDS: u64 = 10_000;

/// Returns the bugs that a test on the host has to find.
fn host_mutants() -> impl Iterator<Item = &'static HostMutant> {
    host_list::HOST_MUTANTS
        .iter()
        .chain(core_list::CORE_MUTANTS)
        .chain(comparison_list::COMPARISON_MUTANTS)
        .chain(watcher_list::WATCHER_MUTANTS)
        .chain(device_list::DEVICE_MUTANTS)
        .chain(dma_list::DMA_MUTANTS)
        .chain(ending_list::ENDING_MUTANTS)
        .chain(slice_list::SLICE_MUTANTS)
}

/// The result of one bug.
#[derive(Clone, Debug)]
pub enum MutantOutcome {
    /// The first seed that shows it, and the law that it breaks.
    Found {
        /// The seed.
        seed: u64,
        /// The law.
        law: String,
        /// How long it took.
        took: Duration,
    },
    /// No seed shows it.
    Survived,
}

impl fmt::Display for MutantOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { seed, law, took } => {
                write!(
                    f,
                    "found by seed {seed} ({:.1} s): {law}",
                    took.as_secs_f64()
                )
            }
            Self::Survived => write!(f, "SURVIVED {SEEDS} seeds"),
        }
    }
}

/// Tries the bugs whose name contains `filter`, and prints each result. Returns true if all were found.
///
/// # Errors
/// The copy cannot be made or built, or a mutant's text is not in its file exactly once.
pub fn run(filter: Option<&str>) -> Result<bool, Problem> {
    let copy = Copy::make()?;
    let is_selected = |mutant: &&Mutant| filter.is_none_or(|filter| mutant.name.contains(filter));
    let (mut tried, mut found) = (0, 0);
    for mutant in MUTANTS.iter().filter(is_selected) {
        let verdict = copy.try_out(mutant)?;
        println!("{:<28}{verdict}", mutant.name);
        if matches!(verdict, MutantOutcome::Survived) {
            println!("{:<28}{}", "", mutant.what);
        }
        tried += 1;
        found += usize::from(matches!(verdict, MutantOutcome::Found { .. }));
    }
    let is_selected = |host: &&HostMutant| filter.is_none_or(|f| host.mutant.name.contains(f));
    for host in host_mutants().filter(is_selected) {
        let is_found = copy.try_on_host(host)?;
        let verdict = if is_found { "found by" } else { "SURVIVED" };
        println!(
            "{:<28}{verdict} cargo test -p {}",
            host.mutant.name, host.test
        );
        tried += 1;
        found += usize::from(is_found);
    }
    println!("{found} of {tried} deliberate bugs found");
    Ok(found == tried)
}

/// A copy of the sources.
struct Copy {
    sources: PathBuf,
    target: PathBuf,
    /// The simulation without a bug.
    right: PathBuf,
}

impl Copy {
    /// Makes the copy, or brings it up to date.
    fn make() -> Result<Self, Problem> {
        let base = paths::target().join("mutants");
        let copy = Self {
            sources: base.join("sources"),
            target: base.join("target"),
            right: base.join("right-sim"),
        };
        let files = tracked_files()?;
        copy.remove_all_but(&files)?;
        for file in files {
            let (from, to) = (paths::workspace().join(&file), copy.sources.join(&file));
            let content = read(&from)?;
            // A file that has not changed keeps its time, so that it is not built again.
            if fs::read(&to).ok().as_ref() != Some(&content) {
                write(&to, &content)?;
            }
        }
        simulation::build(&copy.sources, &copy.target)?;
        fs::copy(copy.program(), &copy.right)
            .map_err(|error| Problem::of_host(copy.right.display(), error))?;
        Ok(copy)
    }

    /// Removes files that were copied before and are not among `files` any more.
    fn remove_all_but(&self, files: &[String]) -> Result<(), Problem> {
        let kept: BTreeSet<PathBuf> = files.iter().map(|file| self.sources.join(file)).collect();
        let mut folders = vec![self.sources.clone()];
        while let Some(folder) = folders.pop() {
            // The first time there is no copy yet.
            let entries = fs::read_dir(&folder).into_iter().flatten();
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if !kept.contains(&path) {
                    fs::remove_file(&path)
                        .map_err(|error| Problem::of_host(path.display(), error))?;
                }
            }
        }
        Ok(())
    }

    /// Returns the simulation that was built last.
    fn program(&self) -> PathBuf {
        self.target.join("simulation").join("sim")
    }

    fn try_out(&self, mutant: &Mutant) -> Result<MutantOutcome, Problem> {
        self.with(mutant, || {
            simulation::build(&self.sources, &self.target).and_then(|()| self.search())
        })
    }

    /// Puts a bug in, calls `look`, and takes the bug out again.
    fn with<T>(
        &self,
        mutant: &Mutant,
        look: impl FnOnce() -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let file = self.sources.join(mutant.file);
        let right = String::from_utf8_lossy(&read(&file)?).into_owned();
        let places = right.matches(mutant.right).count();
        require(places == 1, || {
            format!(
                "{}: its text is {places} times in {}, not once",
                mutant.name, mutant.file
            )
        })?;
        write(
            &file,
            right.replacen(mutant.right, mutant.wrong, 1).as_bytes(),
        )?;
        let verdict = look();
        write(&file, right.as_bytes())?;
        verdict
    }

    fn search(&self) -> Result<MutantOutcome, Problem> {
        let begin = Instant::now();
        let (said, is_failure) = simulate(&self.program(), &format!("--seeds=0..{SEEDS}"))?;
        let took = begin.elapsed();
        let found = said.lines().find_map(|line| {
            let (seed, law) = line.strip_prefix("seed ")?.split_once(": ")?;
            Some((seed.parse().ok()?, law.to_string()))
        });
        // It ended by a signal, or before it ran a seed.
        let ended = || is_failure.then(|| (0, "the simulation ended by itself".to_string()));
        let Some((seed, law)) = found.or_else(ended) else {
            return Ok(MutantOutcome::Survived);
        };
        let (_, is_failure) = simulate(&self.right, &format!("--seed={seed}"))?;
        require(!is_failure, || {
            format!("seed {seed} breaks a law without any bug: {law}")
        })?;
        Ok(MutantOutcome::Found { seed, law, took })
    }
}

/// Runs a simulation. Returns what it printed, and whether it failed.
fn simulate(program: &Path, seeds: &str) -> Result<(String, bool), Problem> {
    let output = Command::new(program)
        .arg(seeds)
        .output()
        .map_err(|error| Problem::of_host(program.display(), error))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((said, !output.status.success()))
}

fn tracked_files() -> Result<Vec<String>, Problem> {
    let output = Command::new("git")
        .current_dir(paths::workspace())
        .args(["ls-files", "-z"])
        .output()
        .map_err(|error| Problem::of_host("git", error))?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_there = |name: &&str| !name.is_empty() && paths::workspace().join(name).is_file();
    Ok(names
        .split('\0')
        .filter(is_there)
        .map(str::to_string)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Mutant> {
        MUTANTS
            .iter()
            .chain(host_mutants().map(|host| &host.mutant))
    }

    #[test]
    fn each_mutants_text_is_in_its_file_exactly_once() {
        for mutant in all() {
            let text = fs::read_to_string(paths::workspace().join(mutant.file)).unwrap();
            assert_eq!(text.matches(mutant.right).count(), 1, "{}", mutant.name);
            assert_ne!(mutant.right, mutant.wrong, "{}", mutant.name);
        }
    }

    #[test]
    fn the_document_lists_every_mutant() {
        let names: BTreeSet<_> = all().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), all().count(), "a name stands for one mutant");
        let document = fs::read_to_string(paths::workspace().join("docs/testing.md")).unwrap();
        for name in names {
            assert!(document.contains(&format!("`{name}`")), "{name} is missing");
        }
    }
}
