//! A client that runs: a program on this host, or a thread.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use harness::paths;
use harness::problem::Problem;

use super::rust_client;

/// Exit status of a program whose library is missing.
const MISSING: i32 = 77;

/// What runs the clients on this host.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The Python whose packages are used.
    pub python: PathBuf,
    /// The folder with node's packages; `None` for where node looks.
    pub node_modules: Option<PathBuf>,
}

/// A client that runs.
pub(super) struct Program {
    lines: Receiver<String>,
    /// What tells it to stop.
    stop: Stop,
    process: Option<Child>,
}

enum Stop {
    Input(Option<ChildStdin>),
    Flag(Arc<AtomicBool>),
}

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// It has made a round of calls.
    Round,
    /// Something else.
    Said(String),
    /// Nothing more: its library is missing.
    Missing,
    /// Nothing more.
    Ended,
}

impl Tools {
    /// Starts a client of a name in [`CLIENTS`](super::CLIENTS), or returns why it is not there.
    pub(super) fn start(&self, name: &str, port: u16) -> Result<Result<Program, String>, Problem> {
        let python = |script: &str, argument: &str| {
            let mut command = Command::new(&self.python);
            command.args(["-c", script, &port.to_string()]);
            command.args(Some(argument).filter(|argument| !argument.is_empty()));
            command
        };
        let redis_py = |parser: &str| python(include_str!("redis_py.py"), parser);
        let job = |name: &str| python(include_str!("jobs.py"), name);
        let command = match name {
            "redis-rs" => return Ok(Ok(Program::of_thread(port))),
            "redis-py" => redis_py(""),
            "redis-py with hiredis" => redis_py("hiredis"),
            "huey" => job("huey"),
            "Django's cache" => job("django-cache"),
            "Flask-Session" => job("flask-session"),
            "node-redis" | "ioredis" => {
                let mut command = Command::new("node");
                command.args(["-e", include_str!("node.cjs"), "--", "client"]);
                command.args([&port.to_string(), name]);
                if let Some(folder) = &self.node_modules {
                    command.env("NODE_PATH", folder);
                }
                command
            }
            "phpredis" => {
                let script = include_str!("phpredis.php").trim_start_matches("<?php");
                let mut command = Command::new("php");
                command.args(["-r", script, "--", &port.to_string()]);
                command
            }
            _ => match compile_hiredis()? {
                Ok(program) => {
                    let mut command = Command::new(program);
                    command.arg(port.to_string());
                    command
                }
                Err(reason) => return Ok(Err(reason)),
            },
        };
        Ok(Program::of_command(command))
    }
}

/// Compiles the client in C, or returns why that does not work.
fn compile_hiredis() -> Result<Result<PathBuf, String>, Problem> {
    let folder = paths::scratch("clients");
    let of_host = |error| Problem::of_host("the client in C", error);
    fs::create_dir_all(&folder).map_err(of_host)?;
    let (source, program) = (folder.join("hiredis.c"), folder.join("hiredis"));
    fs::write(&source, include_str!("hiredis.c")).map_err(of_host)?;
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler)
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .arg("-lhiredis")
        .output();
    Ok(match output {
        Ok(output) if output.status.success() => Ok(program),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            Err(text.lines().next().unwrap_or("cc fails").to_string())
        }
        Err(error) => Err(format!("cc: {error}")),
    })
}

impl Program {
    fn of_command(mut command: Command) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut process = command
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let output = process.stdout.take().ok_or("a client without output")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            lines,
            stop: Stop::Input(process.stdin.take()),
            process: Some(process),
        })
    }

    fn of_thread(port: u16) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (sender, lines) = channel();
        let flag = is_over.clone();
        thread::spawn(move || rust_client::run(port, &flag, &sender));
        Self {
            lines,
            stop: Stop::Flag(is_over),
            process: None,
        }
    }

    /// Tells it to stop after the round that it is in.
    pub(super) fn stop(&mut self) {
        match &mut self.stop {
            // One that has ended is noticed where its lines are read.
            Stop::Input(input) => drop(input.take().map(|mut input| input.write_all(b"end\n"))),
            Stop::Flag(flag) => flag.store(true, Ordering::Relaxed),
        }
    }

    /// Returns its next line.
    ///
    /// # Errors
    /// It says nothing for so long.
    pub(super) fn next_line(&mut self, limit: Duration) -> Result<Line, Problem> {
        match self.lines.recv_timeout(limit) {
            Ok(line) if line == "round" => Ok(Line::Round),
            Ok(line) => Ok(Line::Said(line)),
            Err(RecvTimeoutError::Timeout) => Err(Problem::TimedOut(format!(
                "a client says nothing for {} s",
                limit.as_secs()
            ))),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.process.as_mut().and_then(|it| it.wait().ok());
                let is_missing = status.is_some_and(|status| status.code() == Some(MISSING));
                Ok(if is_missing {
                    Line::Missing
                } else {
                    Line::Ended
                })
            }
        }
    }
}

impl Drop for Program {
    /// Ends it. What it has said last is known by then.
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
