//! Fuzzing: builds the crate `fuzz` with coverage instrumentation, and lets libFuzzer search for bytes that break a
//! property.
//!
//! The workspace's stable toolchain is enough. `cargo fuzz` needs a nightly one for the sanitizers; we use no sanitizer
//! of memory, and stable `rustc` accepts LLVM's coverage passes. Our code is safe Rust except for a few places, and
//! panics where it would reach out of bounds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use harness::paths;
use harness::problem::Problem;

/// Naming the triple keeps RUSTFLAGS away from build scripts.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Shows libFuzzer where an input leads: counters on every edge, and the operands of comparisons.
const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// An input that takes longer is a finding. The slowest of the corpora takes some milliseconds.
const TIMEOUT_S: u32 = 10;

/// Memory beyond which an input is a finding.
const MEMORY_MIB: u32 = 2048;

/// Limits of a committed corpus. A test of the crate `fuzz` checks them, too.
const CORPUS_FILES_MAX: usize = 64;
const CORPUS_BYTES_MAX: u64 = 64 << 10;

/// Lists the targets, each on a line with what it is fed.
///
/// # Errors
/// The crate does not build.
pub fn list() -> Result<String, Problem> {
    let mut command = cargo();
    command.args([
        "run",
        "--quiet",
        "--package",
        "fuzz",
        "--bin",
        "replay",
        "--",
        "--list",
    ]);
    let output = command
        .output()
        .map_err(|error| Problem::of_host("cargo", error))?;
    if !output.status.success() {
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Problem::BrokenSetUp(complaints));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Selects the target with this name; all targets for `None`.
///
/// # Errors
/// There is no target of this name.
pub fn select(name: Option<&str>) -> Result<Vec<String>, Problem> {
    let list = list()?;
    let names = list.lines().filter_map(|line| line.split(' ').next());
    let chosen: Vec<String> = names
        .filter(|known| name.is_none_or(|name| name == *known))
        .map(String::from)
        .collect();
    match name {
        Some(name) if chosen.is_empty() => Err(Problem::BrokenSetUp(format!(
            "{name}: there is no such target; --list shows them"
        ))),
        _ => Ok(chosen),
    }
}

/// A fuzzer, built.
pub struct Fuzzer {
    program: PathBuf,
}

impl Fuzzer {
    /// Builds the fuzzer in a target directory of its own, because its flags differ from all others.
    ///
    /// # Errors
    /// Cargo fails; libFuzzer needs a C++ compiler.
    pub fn build() -> Result<Self, Problem> {
        let build_dir = paths::target().join("fuzz");
        let status = cargo()
            .args(["build", "--quiet", "--profile", "fuzz", "--target", TRIPLE])
            .args(["--package", "fuzz", "--bin", "fuzzer"])
            .args(["--features", "libfuzzer", "--target-dir"])
            .arg(&build_dir)
            .env("RUSTFLAGS", COVERAGE)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .status()
            .map_err(|error| Problem::of_host("cargo", error))?;
        if !status.success() {
            return Err(Problem::BrokenSetUp(
                "the fuzzer does not build; cargo says why above (libFuzzer takes a C++ compiler: on Debian, \
                 'apt-get install g++')".into(),
            ));
        }
        let program = build_dir.join(TRIPLE).join("fuzz").join("fuzzer");
        Ok(Self { program })
    }

    /// Searches for `time`. It begins with the committed corpus and with the inputs that earlier searches kept, and
    /// keeps new ones. A finding is an error of kind [`Problem::Failed`].
    ///
    /// # Errors
    /// See above, or a file cannot be read or written.
    pub fn look(&self, target: &str, time: Duration) -> Result<String, Problem> {
        let (found, log) = (
            grown(target).join("found"),
            paths::log(&format!("fuzz-{target}")),
        );
        let begin = Instant::now();
        let before = files_in(&found)?;
        let status = self.run(target, &log, |command| {
            command
                .arg(format!("-max_total_time={}", time.as_secs().max(1)))
                .arg(format!("-timeout={TIMEOUT_S}"))
                .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
                .arg(format!("-artifact_prefix={}/", found.display()))
                .args(dictionary(target))
                .args([grown(target).join("corpus"), committed(target)]);
        })?;
        let said = fs::read(&log).map_err(|error| Problem::of_host(log.display(), error))?;
        let report = report(&String::from_utf8_lossy(&said), begin.elapsed());
        if status.success() {
            return Ok(report);
        }
        let new = files_in(&found)?
            .into_iter()
            .find(|file| !before.contains(file));
        Err(match new {
            Some(input) => Problem::Failed(format!(
                "{report}; found after {:.0} s: {}\nlog: {}\nto see it again:\n    cargo run --package fuzz \
                 --bin replay -- {target} {}",
                begin.elapsed().as_secs_f64(),
                input.display(),
                log.display(),
                input.display()
            )),
            None => Problem::BrokenSetUp(format!("libFuzzer does not run; log: {}", log.display())),
        })
    }

    /// Adds to the committed corpus the fewest inputs that together reach all that any known input reaches; the
    /// smallest of them if they are too many.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn keep(&self, target: &str) -> Result<String, Problem> {
        let log = paths::log(&format!("fuzz-{target}-merge"));
        let (committed, merged) = (committed(target), grown(target).join("merged"));
        let before = files_in(&committed)?;
        // The first time it does not exist.
        let _ = fs::remove_dir_all(&merged);
        for file in &before {
            copy(file, &merged)?;
        }
        let status = self.run(target, &log, |command| {
            // Edges only: counting how often each is passed would keep far too many inputs.
            command
                .args(["-set_cover_merge=1", "-use_counters=0"])
                .args([merged.clone(), grown(target).join("corpus")]);
        })?;
        if !status.success() {
            return Err(Problem::Failed(format!("log: {}", log.display())));
        }
        let size_bytes = |file: &PathBuf| fs::metadata(file).map_or(0, |data| data.len());
        let mut new = files_in(&merged)?;
        new.retain(|file| !before.iter().any(|old| old.file_name() == file.file_name()));
        new.sort_by_key(size_bytes);
        let mut total_bytes: u64 = before.iter().map(size_bytes).sum();
        let (there, free) = (before.len(), CORPUS_FILES_MAX.saturating_sub(before.len()));
        let mut kept = 0;
        for file in new.iter().take(free) {
            total_bytes += size_bytes(file);
            if total_bytes > CORPUS_BYTES_MAX {
                break;
            }
            copy(file, &committed)?;
            kept += 1;
        }
        let of = new.len();
        Ok(format!(
            "{there} inputs were committed, {kept} of {of} that reach more are now"
        ))
    }

    fn run(
        &self,
        target: &str,
        log: &Path,
        arguments: impl FnOnce(&mut Command),
    ) -> Result<ExitStatus, Problem> {
        for folder in ["corpus", "found", "merged"] {
            let folder = grown(target).join(folder);
            fs::create_dir_all(&folder)
                .map_err(|error| Problem::of_host(folder.display(), error))?;
        }
        harness::files::write(log, b"")?;
        let file = fs::File::create(log).map_err(|error| Problem::of_host(log.display(), error))?;
        let mut command = Command::new(&self.program);
        arguments(&mut command);
        command
            .current_dir(paths::workspace())
            .env("FUZZ_TARGET", target)
            .stdout(std::process::Stdio::null())
            .stderr(file)
            .status()
            .map_err(|error| Problem::of_host(self.program.display(), error))
    }
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::workspace());
    command
}

/// Returns the folder of the committed corpus.
fn committed(target: &str) -> PathBuf {
    paths::workspace().join("fuzz/corpus").join(target)
}

/// Returns the folder of what a fuzzer leaves.
fn grown(target: &str) -> PathBuf {
    paths::artifacts().join("fuzz").join(target)
}

fn dictionary(target: &str) -> Option<String> {
    let file = paths::workspace().join(format!("fuzz/dictionaries/{target}.dict"));
    file.is_file().then(|| format!("-dict={}", file.display()))
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Problem::of_host(folder.display(), error)),
    }
}

/// Copies a file into a folder.
fn copy(file: &Path, folder: &Path) -> Result<(), Problem> {
    let name = file.file_name().unwrap_or_default();
    harness::files::write(&folder.join(name), &harness::files::read(file)?)
}

/// Reports the runs and what they reached, from libFuzzer's last line of progress:
/// `#123  DONE  cov: 45 ft: 67 corp: 8/90b ...`.
fn report(said: &str, took: Duration) -> String {
    let word = |line: &str, name: &str| {
        let mut words = line.split_whitespace();
        words
            .find(|word| *word == name)
            .and_then(|_| words.next().map(String::from))
    };
    let told = said.lines().rev().find_map(|line| {
        let runs: u64 = line
            .strip_prefix('#')?
            .split_whitespace()
            .next()?
            .parse()
            .ok()?;
        Some((runs, word(line, "cov:")?, word(line, "corp:")?))
    });
    let Some((runs, edges, corpus)) = told else {
        return "the inputs that are there".into();
    };
    let per_second = runs as f64 / took.as_secs_f64().max(0.001);
    let corpus = corpus.split('/').next().unwrap_or_default();
    format!("{runs} runs ({per_second:.0}/s), {edges} edges, {corpus} inputs kept")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_tells_is_reported() {
        let said = "INFO: Seed: 1\n#2\tINITED cov: 4 ft: 5 corp: 1/3b exec/s: 0 rss: 29Mb\n\
                    #900\tDONE   cov: 45 ft: 67 corp: 8/90b lim: 4 exec/s: 9 rss: 30Mb\nDone 900 runs in 3 second(s)\n";
        assert_eq!(
            report(said, Duration::from_secs(3)),
            "900 runs (300/s), 45 edges, 8 inputs kept"
        );
        assert_eq!(
            report("not begun", Duration::ZERO),
            "the inputs that are there"
        );
    }
}
