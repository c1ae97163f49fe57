//! What the init of a backup does last: sleep until the primary is dead, then bring up what the operator wants.

use std::fs;
use std::path::Path;
use std::time::Duration;

use takeover::{Cause, Edge};

use crate::arm;
use crate::device::{Device, FLAG_REARM_AUTO, FLAG_RESUMED, ROLE_PRIMARY};
use crate::hooks;
use crate::problem::Problem;
use crate::system::Sysfs;

/// Parks this kernel. Returns when it has taken over and everything is brought up.
///
/// # Errors
/// It is the primary already, Linux does not let it sleep, or it woke up as no primary.
pub fn park(
    device: &Device,
    directory: &Path,
    limit: Duration,
    only_hooks: bool,
) -> Result<(), Problem> {
    if device.info.role == ROLE_PRIMARY {
        return Err(Problem::No(
            "this kernel is the primary, and only a backup parks".into(),
        ));
    }
    // Read before, so that nothing has to be found on the way back; a hook that cannot be read is better told now.
    let hooks = hooks::find(directory)?;
    let sysfs = Sysfs::default();
    tell(&format!("parking, with {} hooks", hooks.len()));
    sysfs.suspend()?;
    let info = device.fresh_info()?;
    if info.role != ROLE_PRIMARY || info.flags & FLAG_RESUMED == 0 {
        return Err(Problem::No(
            "woken up, but not as the primary: nothing was done".into(),
        ));
    }
    let environment = environment(device, info.epoch, info.instance);
    let mut failed = Vec::new();
    for hook in &hooks {
        let outcome = hooks::run(hook, limit, &environment);
        let text = match &outcome.result {
            Ok(status) => status.to_string(),
            Err(reason) => reason.clone(),
        };
        tell(&format!(
            "event=hook name={} took_us={} result=\"{text}\"",
            outcome.name,
            outcome.took.as_micros()
        ));
        if !outcome.is_good() {
            failed.push(outcome.name);
        }
    }
    let _ = device.stamp(Edge::Serving.index() as u32);
    tell("event=serving");
    if !only_hooks {
        settle(device, &sysfs);
        if info.flags & FLAG_REARM_AUTO != 0 {
            arm::arm(device, None, None)?;
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Problem::No(format!(
            "these hooks failed: {}",
            failed.join(", ")
        ))),
    }
}

/// What is not in a hurry: the memory and the cores of the dead.
fn settle(device: &Device, sysfs: &Sysfs) {
    match device.add_memory() {
        Ok(bytes) => {
            let blocks = sysfs.online_memory();
            tell(&format!(
                "event=memory-added mib={} blocks_onlined={blocks}",
                bytes >> 20
            ));
        }
        Err(problem) => tell(&problem.to_string()),
    }
    let mut online = 0;
    for cpu in sysfs.removable_cpus() {
        match sysfs.set_cpu_online(cpu, true) {
            Ok(()) => online += 1,
            // The seat is in the list of some kernels, and never comes.
            Err(problem) => tell(&problem.to_string()),
        }
    }
    tell(&format!("event=cpus-online count={}", online + 1));
}

fn environment(device: &Device, epoch: u64, instance: u32) -> [(&'static str, String); 3] {
    let timeline = device.control().timelines.of_epoch(epoch);
    let core = timeline.core() as u32;
    let cause = Cause::from_code(timeline.cause(), core).map_or("unknown", Cause::name);
    [
        ("UNDERSTUDY_EPOCH", epoch.to_string()),
        ("UNDERSTUDY_CAUSE", cause.into()),
        ("UNDERSTUDY_INSTANCE", instance.to_string()),
    ]
}

/// Into the kernel's log, which outlives this kernel; standard output may lead nowhere in an init.
pub fn tell(text: &str) {
    let line = format!("understudyctl: {text}\n");
    if fs::write("/dev/kmsg", &line).is_err() {
        eprintln!("understudyctl: {text}");
    }
}
