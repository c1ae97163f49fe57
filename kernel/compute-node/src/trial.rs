//! How a rank dies in a test: a debugger lets its core go on at one of these, whatever it is doing. Nothing here calls
//! them.

use core::arch::global_asm;

use compute_slice::{MARK_OPERAND, Mark};

// Each begins with a stack that is aligned as the calling convention wants it.
global_asm!(
    ".section .text.compute_trial, \"ax\", @progbits",
    ".global compute_trial_panic",
    ".global compute_trial_stray_write",
    ".global compute_trial_hang",
    ".global compute_trial_halt",
    ".type compute_trial_panic, @function",
    "compute_trial_panic:",
    "nop dword ptr [rax + rax + {dies}]",
    "and rsp, -16",
    "call {panic}",
    ".size compute_trial_panic, . - compute_trial_panic",
    // To the image's own code, which is mapped, but not for writing.
    ".type compute_trial_stray_write, @function",
    "compute_trial_stray_write:",
    "nop dword ptr [rax + rax + {dies}]",
    "lea rax, [rip + compute_trial_stray_write]",
    "mov [rax], rax",
    "jmp compute_trial_hang",
    ".size compute_trial_stray_write, . - compute_trial_stray_write",
    ".type compute_trial_hang, @function",
    "compute_trial_hang:",
    "nop dword ptr [rax + rax + {dies}]",
    "2: pause",
    "jmp 2b",
    ".size compute_trial_hang, . - compute_trial_hang",
    ".type compute_trial_halt, @function",
    "compute_trial_halt:",
    "nop dword ptr [rax + rax + {dies}]",
    "cli",
    "2: hlt",
    "jmp 2b",
    ".size compute_trial_halt, . - compute_trial_halt",
    dies = const MARK_OPERAND | Mark::Dies as u32,
    panic = sym panics,
);

extern "C" fn panics() -> ! {
    panic!("a test lets this rank panic");
}
