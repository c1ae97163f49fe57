//! `cargo xtask test`.

use anyhow::{Result, anyhow};
use clap::Args;
use qemu_tests::cases;
use qemu_tests::suite::runner;

use super::prepare::prepare;

/// Which tests.
#[derive(Args)]
pub struct TestArguments {
    /// Only tests whose name contains this.
    filter: Option<String>,
    /// Show the tests, and run none.
    #[arg(long)]
    list: bool,
    /// Tests at a time.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

/// Runs the tests, or lists them. Returns false if one fails.
pub fn test(arguments: &TestArguments) -> Result<bool> {
    let filter = arguments.filter.as_deref();
    if arguments.list {
        // An empty filter selects the long ones, too.
        for test in runner::select(cases::all(), filter.or(Some(""))) {
            let when = if test.is_long {
                " (only when it is named)"
            } else {
                ""
            };
            println!("{:<28} {}{when}", test.name, test.doc);
        }
        return Ok(true);
    }
    let tests = runner::select(cases::all(), filter);
    if tests.is_empty() {
        return Err(anyhow!(
            "no test has {} in its name; --list shows them all",
            filter.unwrap_or_default()
        ));
    }
    let (tools, images) = prepare()?;
    let score = runner::run(&tests, &images, tools, arguments.jobs);
    println!("{score}");
    Ok(score.failed == 0)
}
