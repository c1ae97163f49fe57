//! Handing over to the backup on purpose, and what else the operator orders without arguments.

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

/// Hands over. Returns only if that did not happen. `confirm` is asked once it is clear that it could.
///
/// # Errors
/// There is no backup, the operator or a hook says no, or the monitor does not react.
pub fn switch(
    module: &dyn Module,
    root: &Root,
    hooks: &Path,
    limit: Duration,
    confirm: impl FnOnce() -> Result<bool, Problem>,
) -> Result<(), Problem> {
    let info = module.info()?;
    if !info.is_primary() {
        return Err(Problem::No("only the primary hands over".into()));
    }
    if module.control().protection.state() != ProtectionState::Armed {
        return Err(Problem::No(
            "there is no backup to hand over to; `understudyctl arm` loads one".into(),
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
        root.tell(outcome.event());
        if !outcome.is_good() {
            return Err(Problem::No(format!(
                "the hook {} failed, so nothing was handed over; what the hooks before it have stopped is still stopped",
                outcome.name
            )));
        }
    }
    sync();
    Err(module.switch_over())
}

/// Asks who sits at the terminal.
///
/// # Errors
/// Nobody sits there.
pub fn ask_terminal() -> Result<bool, Problem> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Problem::Usage(
            "this ends the kernel that it runs on; from a script, say --yes".into(),
        ));
    }
    print!("This ends this kernel; the backup goes on. Hand over? [y/N] ");
    let mut line = String::new();
    io::stdout()
        .flush()
        .and_then(|()| stdin.lock().read_line(&mut line))
        .map_err(Problem::with("asking"))?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Asks the monitor for something without arguments.
///
/// # Errors
/// This is not the primary, or the monitor refuses.
pub fn ask(module: &dyn Module, command: Command) -> Result<(), Problem> {
    if !module.info()?.is_primary() {
        return Err(Problem::No(
            "only the primary gives orders to the monitor".into(),
        ));
    }
    mailbox::order(module.control(), command, [0; ARGUMENTS])
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
