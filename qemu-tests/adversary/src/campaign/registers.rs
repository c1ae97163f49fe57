//! Bits of a primary's registers.

use debugger::Debugger;
use harness::machine::QemuMachine;
use harness::problem::Problem;
use harness::random::Random;

use super::victim::{draw_bits, draw_cpu};
use super::{Class, Target};

const GENERAL: [&str; 15] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];
const FLOW: [&str; 3] = ["rip", "rsp", "eflags"];

pub(super) fn classes() -> Vec<Class> {
    vec![
        Class::new(
            Target::Primary,
            "registers",
            "one or two bits of a general register",
            |machine, random| flip_one_of(machine, random, &GENERAL, 64),
        ),
        Class::new(
            Target::Primary,
            "control-flow",
            "one or two bits of RIP, RSP or RFLAGS",
            // RFLAGS has nothing above bit 21; higher bits of an address are faults at once.
            |machine, random| flip_one_of(machine, random, &FLOW, 22),
        ),
    ]
}

/// Flips one or two of the `width` lowest bits of one of the registers `names`.
pub(super) fn flip_one_of(
    machine: &QemuMachine,
    random: &mut Random,
    names: &[&str],
    width: u64,
) -> Result<String, Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let cpu = draw_cpu(&mut debugger, random)?;
    let name = names[random.below(names.len() as u64) as usize];
    let bits = draw_bits(random, width);
    let before = debugger.register(cpu, name)?;
    debugger.set_register(cpu, name, before ^ bits)?;
    Ok(format!("CPU {cpu}: {name} {before:#x} ^ {bits:#x}"))
}
