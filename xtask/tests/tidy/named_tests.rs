//! Every test that a promise names exists.

use std::process::Command;

use crate::comments::in_backticks;
use crate::sources::{FILES, text};
use crate::{Violation, judge};

/// The documents that promise something and name the test.
const PROMISES: [&str; 2] = ["SPECIFICATION.md", "docs/guarantees.md"];

#[test]
fn every_test_that_a_promise_names_exists() {
    let known = Known::new();
    let mut violations = Vec::new();
    for file in PROMISES {
        // A command may be broken over two lines.
        let text = text(file);
        let whole = text.replace('\n', " ");
        assert!(whole.contains('`'), "{file}: names no test");
        for token in in_backticks(&whole) {
            let token = token.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Err(what) = known.check(&token) {
                let word = token.split(' ').next_back().unwrap_or(&token);
                let line = text
                    .lines()
                    .position(|line| line.contains(word))
                    .unwrap_or(0)
                    + 1;
                violations.push(Violation {
                    file: file.into(),
                    line,
                    what,
                });
            }
        }
    }
    judge(&violations, &[]);
}

struct Known {
    /// The help of `cargo xtask`.
    commands: String,
    /// Tests in QEMU.
    machine_tests: Vec<String>,
    mutants: String,
}

impl Known {
    fn new() -> Self {
        let help = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("--help")
            .output()
            .expect("xtask's help");
        let machine_tests = qemu_tests::cases::all();
        Self {
            commands: String::from_utf8(help.stdout).expect("text"),
            machine_tests: machine_tests.into_iter().map(|test| test.name).collect(),
            mutants: text("xtask/src/mutants/list.rs"),
        }
    }

    /// Checks a text in backticks, if it looks like the name of a test or a command that runs some.
    fn check(&self, token: &str) -> Result<(), String> {
        let words: Vec<&str> = token.split(' ').collect();
        let is_known = match words[..] {
            ["cargo", "xtask", "test", name, ..] => self.is_machine_test(name),
            ["cargo", "xtask", command, ..] => self
                .commands
                .lines()
                .any(|line| line.split_whitespace().next() == Some(command)),
            ["cargo", "test", "-p" | "--package", package, ref rest @ ..] => {
                is_host_test(package, rest)
            }
            [name] if is_joined_by(name, '-', 2) => {
                self.is_machine_test(name) || self.mutants.contains(&format!("name: \"{name}\""))
            }
            [name] if is_joined_by(name, '_', 4) => is_function(name),
            _ => true,
        };
        match is_known {
            true => Ok(()),
            false => Err(format!("`{token}`: there is no such test")),
        }
    }

    /// Returns whether a test in QEMU has this name, in which a `*` at the end stands for any end.
    fn is_machine_test(&self, name: &str) -> bool {
        let is_it = |test: &String| match name.strip_suffix('*') {
            Some(start) => test.starts_with(start),
            None => test == name,
        };
        self.machine_tests.iter().any(is_it)
    }
}

/// Returns whether a name consists of so many words or more, joined by `joint`.
fn is_joined_by(name: &str, joint: char, words_min: usize) -> bool {
    let is_word = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'*')
    };
    let words: Vec<&str> = name.split(joint).collect();
    words.len() >= words_min && words.iter().all(|word| !word.is_empty() && is_word(word))
}

/// Returns whether a package has a test that these arguments of `cargo test` select.
fn is_host_test(package: &str, arguments: &[&str]) -> bool {
    let manifest = format!("name = \"{package}\"\n");
    let manifests = FILES.iter().filter(|file| file.ends_with("Cargo.toml"));
    let Some(manifest) = manifests
        .into_iter()
        .find(|file| text(file).contains(&manifest))
    else {
        return false;
    };
    let folder = manifest.trim_end_matches("Cargo.toml");
    let mut arguments = arguments
        .iter()
        .filter(|argument| !["--", "--nocapture"].contains(argument));
    while let Some(argument) = arguments.next() {
        let is_there = match *argument {
            "--test" => arguments.next().is_some_and(|target| {
                let [file, module] =
                    [".rs", "/main.rs"].map(|end| format!("{folder}tests/{target}{end}"));
                FILES.contains(&file) || FILES.contains(&module)
            }),
            filter => FILES
                .iter()
                .filter(|file| file.starts_with(folder) && file.ends_with(".rs"))
                .any(|file| {
                    file.contains(filter)
                        || text(file)
                            .split("fn ")
                            .any(|rest| name_of(rest).contains(filter))
                }),
        };
        if !is_there {
            return false;
        }
    }
    true
}

fn is_function(name: &str) -> bool {
    let sources = FILES.iter().filter(|file| file.ends_with(".rs"));
    sources
        .into_iter()
        .any(|file| text(file).contains(&format!("fn {name}(")))
}

fn name_of(function: &str) -> &str {
    function.split('(').next().unwrap_or_default()
}
