//! Switching over to the backup, and the other requests that have no arguments.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use nix::unistd::sync;
use sharedmem::mailbox::{ARGUMENTS, Command};
use sharedmem::protection::ProtectionState;

use crate::hooks;
use crate::mailbox;
use crate::module::Module;
use crate::problem::Problem;
use crate::root::Root;

/// Switches over. Returns only if that failed. Calls `confirm` once nothing else prevents it.
///
/// # Errors
/// Returns an error if there is no backup, if the operator or a hook refuses, or if the monitor does not react.
pub fn switch(
    module: &dyn Module,
    root: &Root,
    hooks: &Path,
    limit: Duration,
    confirm: impl FnOnce() -> Result<bool, Problem>,
) -> Result<(), Problem> {
    let info = module.info()?;
    if !info.is_primary() {
        return Err(Problem::No("only the primary can switch over".into()));
    }
    if module.control().protection.state() != ProtectionState::Armed {
        return Err(Problem::No(
            "there is no backup to switch over to; `understudyctl arm` loads one".into(),
        ));
    }
    let hooks = hooks::find(hooks, limit)?;
    if !confirm()? {
        return Err(Problem::No("nothing was done".into()));
    }
    let environment = [
        ("UNDERSTUDY_EPOCH", info.epoch.to_string()),
        ("UNDERSTUDY_INSTANCE", info.instance.to_string()),
    ];
    for hook in &hooks {
        let outcome = hooks::run(hook, &environment);
        root.log(outcome.event());
        if !outcome.is_good() {
            return Err(Problem::No(format!(
                "the hook {} failed, so there was no switchover; what earlier hooks have stopped is still stopped",
                outcome.name
            )));
        }
    }
    sync();
    Err(module.switch_over())
}

/// Asks the operator at the terminal.
///
/// # Errors
/// Returns an error if standard input is not a terminal.
pub fn ask_terminal() -> Result<bool, Problem> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Problem::Usage(
            "this would end the kernel that it runs on; from a script, add --yes".into(),
        ));
    }
    print!("This ends this kernel, and the backup takes over. Switch over? [y/N] ");
    let mut line = String::new();
    io::stdout()
        .flush()
        .and_then(|()| stdin.lock().read_line(&mut line))
        .map_err(Problem::with("asking"))?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Sends a request without arguments to the monitor.
///
/// # Errors
/// Returns an error if this is not the primary, or if the monitor refuses.
pub fn ask(module: &dyn Module, command: Command) -> Result<(), Problem> {
    if !module.info()?.is_primary() {
        return Err(Problem::No(
            "only the primary can give orders to the monitor".into(),
        ));
    }
    mailbox::order(module, command, [0; ARGUMENTS]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::tests::script;
    use crate::root::tests::root_of;
    use crate::testing::FakeModule;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn nothing_is_handed_over_without_a_backup_a_yes_and_good_hooks() {
        let (directory, root) = root_of(&[]);
        let module = FakeModule::primary();
        let switch = |yes: bool| {
            let result = switch(&module, &root, directory.path(), LIMIT, || Ok(yes));
            (result.unwrap_err().to_string(), module.switches())
        };
        assert!(switch(true).0.starts_with("there is no backup"));
        module.control.protection.arm();
        assert_eq!(switch(false), ("nothing was done".into(), 0));
        script(directory.path(), "10-stop", "exit 1", 0o755);
        let (text, switches) = switch(true);
        assert!(text.starts_with("the hook 10-stop failed"), "{text}");
        assert_eq!(switches, 0);
        script(
            directory.path(),
            "10-stop",
            "test \"$UNDERSTUDY_INSTANCE\" = 0",
            0o755,
        );
        assert_eq!(switch(true).1, 1);
    }
}
