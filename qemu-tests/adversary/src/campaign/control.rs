//! Control registers, model-specific registers and the local APIC of a primary.

use std::time::Duration;

use debugger::Debugger;
use harness::machine::QemuMachine;
use harness::problem::Problem;
use harness::random::Random;

use super::registers::flip_one_of;
use super::victim::draw_cpu;
use super::{Class, Target};

/// CR3 and the bases of segments are addresses: bits above a few MiB are faults at once.
const BASES: [&str; 4] = ["cr3", "fs_base", "gs_base", "k_gs_base"];
const BASE_BITS: u64 = 24;
/// Bits of CR0 and CR4 that a stray store can change (Intel SDM vol. 3A, 2.5): not PE and PG, which a CPU in long mode
/// does not let go.
const CONTROLS: [(&str, &[u32]); 2] = [
    ("cr0", &[1, 2, 3, 5, 16, 18, 29, 30]),
    ("cr4", &[2, 3, 6, 7, 9, 10, 11, 18, 20, 21]),
];
/// Registers of the local APIC in x2APIC mode, what they are, and what is written (Intel SDM vol. 3A, table 11-6).
const APIC: [(u32, &str, u64); 7] = [
    (0x808, "task priority: all interrupts are held", 0xff),
    (0x80f, "spurious vector: the APIC is switched off", 0xff),
    (0x832, "timer: masked", 1 << 16),
    (0x832, "timer: another vector", 0x91),
    (0x838, "timer: stopped", 0),
    (0x838, "timer: a hundred times as fast", 1000),
    (
        0x83f,
        "interrupt to itself: a vector without a handler",
        0xc7,
    ),
];

/// So often it is looked whether a CPU sleeps, and the time between two looks.
const LOOKS: u32 = 100;
const BETWEEN: Duration = Duration::from_micros(300);

pub(super) fn classes() -> Vec<Class> {
    vec![
        Class::new(
            Target::Primary,
            "control-registers",
            "a bit of CR0, CR3, CR4 or the base of a segment",
            control,
        ),
        Class::new(
            Target::Primary,
            "apic",
            "a register of the local APIC: timer, priority, spurious vector, an interrupt nobody expects",
            apic,
        ),
    ]
}

fn control(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let number = random.below(4) as usize;
    let Some((name, bits)) = CONTROLS.get(number) else {
        return flip_one_of(machine, random, &BASES, BASE_BITS);
    };
    let bit = bits[random.below(bits.len() as u64) as usize];
    let mut debugger = Debugger::attach(machine)?;
    let cpu = draw_cpu(&mut debugger, random)?;
    let before = debugger.register(cpu, name)?;
    debugger.set_register(cpu, name, before ^ 1 << bit)?;
    Ok(format!("CPU {cpu}: bit {bit} of {name} {before:#x}"))
}

fn apic(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let (msr, what, value) = APIC[random.below(APIC.len() as u64) as usize];
    let mut debugger = Debugger::attach(machine)?;
    let cpu = draw_cpu(&mut debugger, random)?;
    wait_awake(&mut debugger, cpu)?;
    debugger.write_msr(cpu, msr, value)?;
    Ok(format!("CPU {cpu}: {what} ({msr:#x} = {value:#x})"))
}

/// Lets the machine go on, a little at a time, until `cpu` executes something: a CPU that sleeps writes no register.
fn wait_awake(debugger: &mut Debugger, cpu: usize) -> Result<(), Problem> {
    let all: Vec<usize> = (0..debugger.cpus()?).collect();
    for _ in 0..LOOKS {
        if !debugger.sleeps(cpu)? {
            return Ok(());
        }
        debugger.run_only(&all, BETWEEN)?;
    }
    Err(Problem::Skipped(format!("CPU {cpu} sleeps all the time")))
}
