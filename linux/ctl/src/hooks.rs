//! Hooks: executable files in a directory, run in the order of their names, each with a time limit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use sharedmem::event::{self, Text};

use crate::problem::Problem;

/// The file `10-disk.timeout` holds the limit of the hook `10-disk`, in seconds.
const LIMIT_EXTENSION: &str = "timeout";

/// Maximum limit of a hook. What takes longer should be a service.
const LIMIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// A hook that has not run yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    path: PathBuf,
    limit: Duration,
}

/// The outcome of a hook.
#[derive(Debug)]
pub struct Outcome {
    /// Its file name.
    pub name: String,
    /// Its exit status, or why there is none.
    pub result: Result<ExitStatus, String>,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// Returns whether it succeeded.
    pub fn is_good(&self) -> bool {
        matches!(&self.result, Ok(status) if status.success())
    }

    /// Returns the event that is logged.
    pub fn event(&self) -> event::Hook {
        event::Hook {
            name: self.name.as_str().into(),
            took_us: self.took.as_micros() as u64,
            result: match &self.result {
                Ok(status) => Text::of(status),
                Err(reason) => reason.as_str().into(),
            },
        }
    }
}

/// Returns the hooks in `directory`, sorted by name; none if there is no such directory. `limit` is for hooks that have
/// no limit of their own.
///
/// # Errors
/// Returns an error if the directory or a limit cannot be read.
pub fn find(directory: &Path, limit: Duration) -> Result<Vec<Hook>, Problem> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(directory).map_err(Problem::with(directory.display()))?;
    let mut hooks = Vec::new();
    for entry in entries {
        let path = entry.map_err(Problem::with(directory.display()))?.path();
        if is_hook(&path) {
            let limit = own_limit(&path)?.unwrap_or(limit).min(LIMIT_MAX);
            hooks.push(Hook { path, limit });
        }
    }
    hooks.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(hooks)
}

fn is_hook(path: &Path) -> bool {
    let is_limit = path
        .extension()
        .is_some_and(|extension| extension == LIMIT_EXTENSION);
    let is_program = |file: fs::Metadata| file.is_file() && file.permissions().mode() & 0o111 != 0;
    !is_limit && fs::metadata(path).is_ok_and(is_program)
}

fn own_limit(hook: &Path) -> Result<Option<Duration>, Problem> {
    let mut path = hook.as_os_str().to_owned();
    path.push(".");
    path.push(LIMIT_EXTENSION);
    let path = Path::new(&path);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).map_err(Problem::with(path.display()))?;
    let seconds = text.trim().parse().ok();
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit
        .filter(|limit| !limit.is_zero())
        .map(Some)
        .ok_or_else(|| {
            Problem::Usage(format!(
                "{}: \"{}\" is not a number of seconds, such as 30 or 2.5",
                path.display(),
                text.trim()
            ))
        })
}

/// Runs a hook. If it fails or takes longer than its limit, kills it, with everything it started that is still in its
/// process group.
pub fn run(hook: &Hook, environment: &[(&str, String)]) -> Outcome {
    let started = Instant::now();
    let result = Command::new(&hook.path)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        // It gets a group of its own, so that the group can be killed as a whole.
        .process_group(0)
        .spawn()
        .map_err(|error| error.to_string())
        .and_then(|child| wait(child, hook.limit));
    Outcome {
        name: hook
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        result,
        took: started.elapsed(),
    }
}

/// Waits in a second thread, because polling every few milliseconds would delay each hook, and with it the service, by
/// as much.
fn wait(mut child: Child, limit: Duration) -> Result<ExitStatus, String> {
    let leader = Pid::from_raw(child.id().cast_signed());
    let (sender, receiver) = mpsc::channel();
    let waiter = thread::Builder::new().spawn(move || {
        // The zombie stays, so that its number, which is also its group's, is not used again.
        let end = waitid(Id::Pid(leader), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        let _ = sender.send(matches!(end, Ok(WaitStatus::Exited(_, 0))));
    });
    let end = match &waiter {
        Ok(_) => receiver.recv_timeout(limit).ok(),
        Err(_) => None,
    };
    if end != Some(true) {
        let _ = killpg(leader, Signal::SIGKILL);
    }
    let status = child.wait().map_err(|error| error.to_string());
    match (end, waiter) {
        (Some(_), _) => status,
        (None, Ok(_)) => Err(format!(
            "took longer than {} s and was killed",
            limit.as_secs_f64()
        )),
        (None, Err(error)) => Err(format!("killed, because it cannot be waited for: {error}")),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Writes a shell script.
    pub fn script(directory: &Path, name: &str, text: &str, mode: u32) {
        let path = directory.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    const LIMIT: Duration = Duration::from_secs(20);

    fn only(directory: &Path) -> Hook {
        let hooks = find(directory, LIMIT).unwrap();
        let [hook] = <[Hook; 1]>::try_from(hooks).unwrap();
        hook
    }

    #[test]
    fn programs_are_run_in_the_order_of_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let line = |text: &str| format!("echo {text} $UNDERSTUDY_EPOCH >> {}", out.display());
        script(directory.path(), "20-b", &line("b"), 0o755);
        script(directory.path(), "10-a", &line("a"), 0o755);
        script(directory.path(), "30-off", &line("c"), 0o644);
        fs::create_dir(directory.path().join("40-directory")).unwrap();
        let hooks = find(directory.path(), LIMIT).unwrap();
        assert_eq!(hooks.len(), 2);
        for hook in hooks {
            assert!(run(&hook, &[("UNDERSTUDY_EPOCH", "7".into())]).is_good());
        }
        assert_eq!(fs::read_to_string(out).unwrap(), "a 7\nb 7\n");
        let none = find(&directory.path().join("none"), LIMIT);
        assert!(none.unwrap().is_empty());
    }

    #[test]
    fn a_limit_of_its_own_wins_and_a_wrong_one_is_told_at_once() {
        let directory = tempfile::tempdir().unwrap();
        script(directory.path(), "10-a", "exit 0", 0o755);
        assert_eq!(only(directory.path()).limit, LIMIT);
        // A limit that is executable by mistake is still no hook.
        let limit = directory.path().join("10-a.timeout");
        fs::write(&limit, "2.5\n").unwrap();
        fs::set_permissions(&limit, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(only(directory.path()).limit, Duration::from_millis(2500));
        for wrong in ["soon", "-1", "0", "1e999", ""] {
            fs::write(&limit, wrong).unwrap();
            let problem = find(directory.path(), LIMIT).unwrap_err();
            assert_eq!(problem.exit_code(), 2, "{wrong}: {problem}");
        }
    }

    #[test]
    fn a_hook_that_fails_is_told_and_what_it_has_started_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let late = directory.path().join("late");
        let text = format!("(sleep 1; touch {}) & exit 3", late.display());
        script(directory.path(), "a", &text, 0o755);
        let outcome = run(&only(directory.path()), &[]);
        assert_eq!(outcome.result.as_ref().unwrap().code(), Some(3));
        assert!(!outcome.is_good());
        assert_eq!(outcome.event().name, "a");
        thread::sleep(Duration::from_millis(1500));
        assert!(!late.exists(), "what it had started still runs");
        let none = Hook {
            path: directory.path().join("none"),
            limit: LIMIT,
        };
        assert!(run(&none, &[]).result.is_err());
    }

    #[test]
    fn a_hook_that_overruns_is_killed_with_what_it_has_started() {
        let directory = tempfile::tempdir().unwrap();
        let late = directory.path().join("late");
        let text = format!("(sleep 1; touch {}) & sleep 60", late.display());
        script(directory.path(), "a", &text, 0o755);
        fs::write(directory.path().join("a.timeout"), "0.2").unwrap();
        let outcome = run(&only(directory.path()), &[]);
        assert!(outcome.result.unwrap_err().contains("0.2 s and was killed"));
        assert!(outcome.took < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(1500));
        assert!(!late.exists(), "what it had started still runs");
    }

    #[test]
    fn what_a_good_hook_leaves_running_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let late = directory.path().join("late");
        let text = format!("(sleep 0.5; touch {}) > /dev/null 2>&1 &", late.display());
        script(directory.path(), "a", &text, 0o755);
        let outcome = run(&only(directory.path()), &[]);
        assert!(outcome.is_good() && outcome.took < Duration::from_millis(400));
        thread::sleep(Duration::from_millis(1000));
        assert!(late.exists());
    }
}
