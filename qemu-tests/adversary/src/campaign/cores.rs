//! CPUs that stand still: one of them, one now and then, all together.

use std::thread;
use std::time::Duration;

use debugger::Debugger;
use harness::machine::QemuMachine;
use harness::problem::Problem;
use harness::random::Random;

use super::victim::draw_cpu;
use super::{Class, Target};

/// How long a CPU or the machine stands still, in ms.
const STOPPED_MS: std::ops::Range<u64> = 20..2500;
/// A slow CPU stands still for this time, and goes on for a short one, so often.
const SLOW: Duration = Duration::from_millis(20);
const TIMES: u32 = 20;

pub(super) fn classes() -> Vec<Class> {
    vec![
        Class::new(
            Target::Primary,
            "core-stopped",
            "a CPU of the primary stands still for 20 ms to 2.5 s, and goes on",
            stop_one,
        ),
        Class::new(
            Target::Primary,
            "core-slowed",
            "a CPU of the primary stands still again and again, for 20 ms each time",
            slow_one,
        ),
        Class::new(
            Target::Others,
            "seat-stopped",
            "the seat stands still for 20 ms to 2.5 s, and goes on",
            stop_seat,
        ),
        Class::new(
            Target::Machine,
            "all-paused",
            "all CPUs stand still for 20 ms to 2.5 s, and go on",
            pause_all,
        ),
    ]
}

fn draw_time(random: &mut Random) -> Duration {
    Duration::from_millis(STOPPED_MS.start + random.below(STOPPED_MS.end - STOPPED_MS.start))
}

fn stop(debugger: &mut Debugger, cpu: usize, time: Duration) -> Result<(), Problem> {
    let others: Vec<usize> = (0..debugger.cpus()?).filter(|it| *it != cpu).collect();
    debugger.run_only(&others, time)
}

fn stop_one(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let (cpu, time) = (draw_cpu(&mut debugger, random)?, draw_time(random));
    stop(&mut debugger, cpu, time)?;
    Ok(format!("CPU {cpu} for {} ms", time.as_millis()))
}

fn slow_one(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let cpu = draw_cpu(&mut debugger, random)?;
    let all: Vec<usize> = (0..debugger.cpus()?).collect();
    for _ in 0..TIMES {
        stop(&mut debugger, cpu, SLOW)?;
        debugger.run_only(&all, SLOW / 10)?;
    }
    Ok(format!("CPU {cpu}"))
}

fn stop_seat(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let time = draw_time(random);
    stop(&mut Debugger::attach(machine)?, 0, time)?;
    Ok(format!("{} ms", time.as_millis()))
}

fn pause_all(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let time = draw_time(random);
    machine.signal("STOP")?;
    thread::sleep(time);
    machine.signal("CONT")?;
    Ok(format!("{} ms", time.as_millis()))
}
