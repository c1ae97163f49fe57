//! The takeover hooks: executable files in a directory, run in the order of their names, each with a time limit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use crate::problem::Problem;

/// How a hook went.
#[derive(Debug)]
pub struct Outcome {
    /// Its file name.
    pub name: String,
    /// Its status, or why there is none.
    pub result: Result<ExitStatus, String>,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// Whether it did what it should.
    pub fn is_good(&self) -> bool {
        matches!(&self.result, Ok(status) if status.success())
    }
}

/// The hooks in `directory`, sorted by name. None, if there is no such directory.
///
/// # Errors
/// It cannot be read.
pub fn find(directory: &Path) -> Result<Vec<PathBuf>, Problem> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let broken = |error| Problem::System(directory.display().to_string(), error);
    let mut hooks = Vec::new();
    for entry in fs::read_dir(directory).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        let is_program = fs::metadata(&path)
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        if is_program {
            hooks.push(path);
        }
    }
    hooks.sort();
    Ok(hooks)
}

/// Runs one hook. One that takes longer than `limit` is killed, with all that it has started.
pub fn run(hook: &Path, limit: Duration, environment: &[(&str, String)]) -> Outcome {
    let started = Instant::now();
    let result = Command::new(hook)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        // A group of its own, so that it can be killed as a whole.
        .process_group(0)
        .spawn()
        .map_err(|error| error.to_string())
        .and_then(|child| wait(child, started + limit));
    Outcome {
        name: hook
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        result,
        took: started.elapsed(),
    }
}

fn wait(mut child: Child, until: Instant) -> Result<ExitStatus, String> {
    // Most hooks take milliseconds, and the machine's clients wait for them.
    let mut pause = Duration::from_micros(200);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Err(error) => return Err(error.to_string()),
            Ok(None) if Instant::now() >= until => break,
            Ok(None) => thread::sleep(pause),
        }
        pause = (pause * 3 / 2).min(Duration::from_millis(20));
    }
    if let Ok(group) = i32::try_from(child.id()) {
        // SAFETY: a negative number names the process group that the child leads; it has not been waited for, so the number is still its own.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
    let _ = child.wait();
    Err("took too long and was killed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(directory: &Path, name: &str, text: &str, mode: u32) {
        let path = directory.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn programs_are_run_in_the_order_of_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let line = |text: &str| format!("echo {text} $UNDERSTUDY_EPOCH >> {}", out.display());
        script(directory.path(), "20-b", &line("b"), 0o755);
        script(directory.path(), "10-a", &line("a"), 0o755);
        script(directory.path(), "30-off", &line("c"), 0o644);
        fs::create_dir(directory.path().join("40-directory")).unwrap();
        let hooks = find(directory.path()).unwrap();
        assert_eq!(hooks.len(), 2);
        for hook in hooks {
            assert!(run(&hook, LIMIT, &[("UNDERSTUDY_EPOCH", "7".into())]).is_good());
        }
        assert_eq!(fs::read_to_string(out).unwrap(), "a 7\nb 7\n");
        assert!(find(&directory.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn a_hook_that_fails_or_cannot_be_run_is_told() {
        let directory = tempfile::tempdir().unwrap();
        script(directory.path(), "a", "exit 3", 0o755);
        let outcome = run(&directory.path().join("a"), LIMIT, &[]);
        assert_eq!(outcome.result.as_ref().unwrap().code(), Some(3));
        assert!(!outcome.is_good() && outcome.name == "a");
        assert!(
            run(&directory.path().join("none"), LIMIT, &[])
                .result
                .is_err()
        );
    }

    #[test]
    fn a_hook_that_lingers_is_killed_with_what_it_has_started() {
        let directory = tempfile::tempdir().unwrap();
        let late = directory.path().join("late");
        let text = format!("(sleep 2; touch {}) & sleep 60", late.display());
        script(directory.path(), "a", &text, 0o755);
        let outcome = run(&directory.path().join("a"), Duration::from_millis(300), &[]);
        assert!(outcome.result.unwrap_err().contains("killed"));
        assert!(outcome.took < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(2500));
        assert!(!late.exists(), "what it had started went on");
    }
}
