//! A command whose reader goes away, as in `cargo xtask check-config ... | true`, ends without a word.

use std::process::{Command, Stdio};

#[test]
fn a_command_that_nobody_reads_ends_quietly() {
    let line = "primary_kernel=/boot/a failover_kernel=/boot/b";
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args([
        "check-config",
        "--cpus",
        "4",
        "--mem",
        "512M",
        "--cmdline",
        line,
    ]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(
        output.status.code(),
        Some(141),
        "as of a program that ended by SIGPIPE"
    );
}
