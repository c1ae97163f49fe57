//! The host, as far as it is checked and set up.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::problem::Problem;

/// Programs of the host.
pub trait System {
    /// Says whether there is such a program.
    fn has(&self, program: &str) -> bool;

    /// Returns what a program prints; `None` if it fails.
    fn output(&self, command: &[&str]) -> Option<String>;

    /// Runs a command as root, with `input` for its standard input.
    ///
    /// # Errors
    /// It fails, or there is no way to become root; says what to type.
    fn as_root(&self, command: &[&str], input: Option<&str>) -> Result<(), Problem>;

    /// Runs a command as the user, in a directory.
    ///
    /// # Errors
    /// It fails; says what it said.
    fn run_in(&self, directory: &Path, command: &[&str]) -> Result<(), Problem> {
        let failed = |reason: &str| {
            Problem::BrokenSetUp(format!("{}: {}", command.join(" "), reason.trim()))
        };
        let output = Command::new(command[0])
            .args(&command[1..])
            .current_dir(directory)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(&error.to_string()))?;
        match output.status.success() {
            true => Ok(()),
            false => {
                let complaints = String::from_utf8_lossy(&output.stderr);
                // apt's first error says it; the others repeat it for every file.
                let first = complaints.lines().find(|line| line.starts_with("E: "));
                Err(failed(first.unwrap_or(&complaints)))
            }
        }
    }

    /// Prints a line for the user.
    fn say(&self, text: &str) {
        eprintln!("{text}");
    }
}

/// The machine this runs on.
pub struct LocalSystem;

impl System for LocalSystem {
    fn has(&self, program: &str) -> bool {
        let path = env::var_os("PATH").unwrap_or_default();
        // What only root needs is not on everyone's path.
        let system_directories = ["/usr/sbin", "/sbin"].map(PathBuf::from);
        env::split_paths(&path)
            .chain(system_directories)
            .any(|directory| directory.join(program).is_file())
    }

    fn output(&self, command: &[&str]) -> Option<String> {
        let output = Command::new(command[0])
            .args(&command[1..])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn as_root(&self, command: &[&str], input: Option<&str>) -> Result<(), Problem> {
        let mut words = command.to_vec();
        if self.output(&["id", "-u"]).is_none_or(|id| id.trim() != "0") {
            if !self.has("sudo") {
                return Err(Problem::BrokenSetUp(format!(
                    "this takes root, and there is no sudo; as root, type: {}",
                    command.join(" ")
                )));
            }
            words.insert(0, "sudo");
        }
        let failed =
            |reason: String| Problem::BrokenSetUp(format!("{}: {reason}", words.join(" ")));
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .stdin(if input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(if input.is_some() {
                Stdio::null()
            } else {
                Stdio::inherit()
            })
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            stdin
                .write_all(input.as_bytes())
                .map_err(|error| failed(error.to_string()))?;
        }
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        if status.success() {
            Ok(())
        } else {
            Err(failed(status.to_string()))
        }
    }
}

/// Returns the path of Debian's own keys, where its keyring is installed.
pub fn debian_keyring() -> Option<&'static str> {
    const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
    Path::new(KEYRING).exists().then_some(KEYRING)
}
