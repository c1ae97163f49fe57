//! Programs of the host that are run against a machine, with a time limit.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::problem::Problem;

/// Runs a program with `input` as its standard input, and returns what it prints.
///
/// # Errors
/// It is missing, fails, or does not end within `limit`.
pub fn run(
    program: &str,
    arguments: &[&str],
    input: &str,
    limit: Duration,
) -> Result<String, Problem> {
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", program])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Problem::of_host("setpriv (of util-linux)", error))?;
    let output = reader(child.stdout.take());
    let complaints = reader(child.stderr.take());
    let typist = child.stdin.take().map(|mut stdin| {
        let input = input.to_owned();
        // A program need not read all of its input.
        thread::spawn(move || drop(stdin.write_all(input.as_bytes())))
    });
    let status = wait(&mut child, program, limit);
    let texts = [output, complaints].map(|thread| thread.join().unwrap_or_default());
    if let Some(typist) = typist {
        let _ = typist.join();
    }
    let [output, complaints] = texts;
    let command = format!("{program} {}", arguments.join(" "));
    if status?.success() {
        Ok(output)
    } else {
        Err(Problem::Failed(format!(
            "{command} fails: {output}{complaints}"
        )))
    }
}

fn wait(
    child: &mut Child,
    program: &str,
    limit: Duration,
) -> Result<std::process::ExitStatus, Problem> {
    let deadline = Instant::now() + limit;
    loop {
        let status = child
            .try_wait()
            .map_err(|error| Problem::of_host(program, error))?;
        if let Some(status) = status {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            // Both fail only if it has just ended.
            let _ = child.kill();
            let _ = child.wait();
            return Err(Problem::TimedOut(format!(
                "{program} does not end within {limit:.1?}"
            )));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn reader(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What was read before an error is what there is.
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_program_gets_its_input_and_gives_its_output() {
        assert_eq!(
            run("tr", &["a-z", "A-Z"], "word\n", LONG),
            Ok("WORD\n".into())
        );
        let large = "x".repeat(1 << 20);
        assert_eq!(run("cat", &[], &large, LONG), Ok(large));
    }

    #[test]
    fn failing_and_lingering_are_told_apart() {
        let failed = run("sh", &["-c", "echo out; echo err >&2; exit 3"], "", LONG).unwrap_err();
        assert!(matches!(failed, Problem::Failed(text) if text.ends_with("out\nerr\n")));
        let started = Instant::now();
        assert!(matches!(
            run("sleep", &["60"], "", Duration::from_millis(50)),
            Err(Problem::TimedOut(_))
        ));
        assert!(started.elapsed() < LONG);
        assert!(run("no-such-program", &[], "", LONG).is_err());
    }
}
