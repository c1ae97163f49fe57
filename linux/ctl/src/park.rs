//! The last step of a backup's init: it sleeps until the primary is dead, then brings up what the operator wants.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use nix::sys::mman::{MlockAllFlags, mlockall};
use sharedmem::Control;
use sharedmem::cause::Cause;
use sharedmem::device::{DeviceFlag, DeviceInfo};
use sharedmem::event;
use sharedmem::timeline::Edge;

use crate::hooks::{self, Hook};
use crate::module::Module;
use crate::problem::Problem;
use crate::root::Root;
use crate::serial;
use crate::settle;

const STATE: &str = "sys/power/state";
const MEM_SLEEP: &str = "sys/power/mem_sleep";

/// Pause between two attempts to suspend.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How to park.
pub struct Park {
    /// Directory of the hooks.
    pub hooks: PathBuf,
    /// The limit of hooks that have none of their own.
    pub limit: Duration,
    /// Give up if Linux does not suspend, or wakes up without being the primary.
    pub once: bool,
    /// Leave what follows the hooks to other programs.
    pub only_hooks: bool,
}

/// Parks this kernel. Returns once it has taken over and the hooks have run: which kernel it is now, and the hooks that
/// failed.
///
/// # Errors
/// Returns an error if it is the primary already, if a hook cannot be read, or if it does not suspend.
pub fn park(
    module: &dyn Module,
    root: &Root,
    park: &Park,
) -> Result<(DeviceInfo, Vec<String>), Problem> {
    if module.info()?.is_primary() {
        return Err(Problem::No(
            "this kernel is the primary; only a backup can park".into(),
        ));
    }
    // The hooks are read now, so that nothing has to be searched after the takeover, and an error is reported early.
    let hooks = hooks::find(&park.hooks, park.limit)?;
    // After the takeover there is no disk yet from which this program could be paged in. Without the permission to lock
    // its memory, it continues unlocked.
    let _ = mlockall(MlockAllFlags::MCL_CURRENT);
    choose_deep_sleep(root)?;
    serial::poll_consoles(root);
    root.log(event::Parking {
        hooks: hooks.len() as u32,
    });
    let info = loop {
        match sleep(module, root) {
            Ok(info) => break info,
            Err(problem) if park.once => return Err(problem),
            Err(problem) => root.log(&problem),
        }
        thread::sleep(RETRY_PAUSE);
    };
    let failed = run(root, &hooks, &environment(module.control(), &info));
    let _ = module.stamp(Edge::Serving);
    root.log(event::Serving {
        instance: info.instance(),
        epoch: info.epoch,
        cores: None,
        port: None,
    });
    if !park.only_hooks {
        settle::settle(module, root);
    }
    Ok((info, failed))
}

/// Returns whether the operator wants a new backup at once.
pub fn wants_rearm(info: &DeviceInfo) -> bool {
    info.has(DeviceFlag::RearmAuto)
}

/// Makes `mem` mean deep sleep. It can also mean idle, in which the kernel does not park.
fn choose_deep_sleep(root: &Root) -> Result<(), Problem> {
    let choices = root.text(MEM_SLEEP).unwrap_or_default();
    match choices.split(' ').any(|choice| choice == "deep") {
        true => root.write(MEM_SLEEP, "deep"),
        false => Ok(()),
    }
}

/// Suspends, and returns once this kernel has taken over.
fn sleep(module: &dyn Module, root: &Root) -> Result<DeviceInfo, Problem> {
    root.write(STATE, "mem")?;
    let info = module.info()?;
    match info.is_primary() && info.has(DeviceFlag::Resumed) {
        true => Ok(info),
        false => Err(Problem::No(
            "this kernel woke up, but not as the primary".into(),
        )),
    }
}

/// Runs the hooks. Returns those that failed.
fn run(root: &Root, hooks: &[Hook], environment: &[(&str, String)]) -> Vec<String> {
    let mut failed = Vec::new();
    for hook in hooks {
        let outcome = hooks::run(hook, environment);
        root.log(outcome.event());
        if !outcome.is_good() {
            failed.push(outcome.name);
        }
    }
    failed
}

fn environment(control: &Control, info: &DeviceInfo) -> [(&'static str, String); 3] {
    let timeline = control.timelines.of_epoch(info.epoch);
    let cause = timeline
        .cause()
        .filter(|_| timeline.epoch() == info.epoch)
        .map_or("unknown", Cause::name);
    [
        ("UNDERSTUDY_EPOCH", info.epoch.to_string()),
        ("UNDERSTUDY_CAUSE", cause.into()),
        ("UNDERSTUDY_INSTANCE", info.instance.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::tests::script;
    use crate::root::tests::root_of;
    use crate::testing::FakeModule;
    use sharedmem::Role;
    use std::path::Path;

    fn info(role: Role) -> DeviceInfo {
        let flags = match role {
            Role::Primary => DeviceFlag::Resumed.number() as u32,
            Role::Backup => 0,
        };
        DeviceInfo {
            role: role.number() as u32,
            flags,
            instance: 1,
            epoch: 2,
            ..DeviceInfo::default()
        }
    }

    fn parked(directory: &Path) -> Park {
        Park {
            hooks: directory.into(),
            limit: Duration::from_secs(10),
            once: true,
            only_hooks: true,
        }
    }

    #[test]
    fn who_wakes_up_as_the_primary_runs_the_hooks_and_then_serves() {
        let (directory, root) = root_of(&[(STATE, "freeze mem"), (MEM_SLEEP, "[s2idle] deep")]);
        let out = root.path("out");
        let text = format!(
            "echo $UNDERSTUDY_EPOCH $UNDERSTUDY_CAUSE $UNDERSTUDY_INSTANCE >> {}",
            out.display()
        );
        script(directory.path(), "10-a", &text, 0o755);
        script(directory.path(), "20-b", "exit 1", 0o755);
        script(directory.path(), "30-c", &text, 0o755);
        let module = FakeModule::of(&[info(Role::Backup), info(Role::Primary)]);
        module
            .control
            .timelines
            .of_epoch(2)
            .begin(2, Cause::Silent, None);
        let (info, failed) = park(&module, &root, &parked(directory.path())).unwrap();
        assert_eq!(info.epoch, 2);
        assert_eq!(failed, ["20-b"]);
        assert_eq!(root.text("out").unwrap(), "2 silent 1\n2 silent 1");
        assert_eq!(root.text(STATE).unwrap(), "mem");
        assert_eq!(root.text(MEM_SLEEP).unwrap(), "deep");
        assert_eq!(*module.stamps.borrow(), [Edge::Serving]);
    }

    #[test]
    fn a_primary_does_not_park() {
        let (directory, root) = root_of(&[(STATE, "freeze mem")]);
        let module = FakeModule::primary();
        assert!(park(&module, &root, &parked(directory.path())).is_err());
        assert_eq!(root.text(STATE).unwrap(), "freeze mem");
    }

    #[test]
    fn who_wakes_up_as_no_primary_runs_nothing_and_tries_again() {
        let (directory, root) = root_of(&[(STATE, "freeze mem")]);
        script(directory.path(), "10-a", "exit 0", 0o755);
        let backup = info(Role::Backup);
        let module = FakeModule::of(&[backup, backup]);
        let mut how = parked(directory.path());
        let problem = park(&module, &root, &how).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "this kernel woke up, but not as the primary"
        );
        assert!(module.stamps.borrow().is_empty());
        how.once = false;
        let module = FakeModule::of(&[backup, backup, info(Role::Primary)]);
        assert!(park(&module, &root, &how).unwrap().1.is_empty());
    }

    #[test]
    fn a_cause_of_another_takeover_is_not_told() {
        let module = FakeModule::primary();
        module
            .control
            .timelines
            .of_epoch(2)
            .begin(18, Cause::Silent, None);
        let environment = environment(&module.control, &info(Role::Primary));
        assert_eq!(environment[1].1, "unknown");
    }
}
