//! Death at a set instant, in the middle of whatever the lead does then.
//!
//! The instant is a one-shot of the lead's timer. The same timer sends the keepalives, so it goes on ticking until the
//! instant is nearer than the next tick; then it is set to the instant. Where interrupts are off, the death comes right
//! behind: after a trap (which sends the keepalive), or after the last check before the core sleeps.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arch::cpu;
use service::DeathKind;
use x86_64::instructions::interrupts;

use crate::context::Context;
use crate::vectors;

/// The instant, in ns since the machine's boot.
static DUE_NS: AtomicU64 = AtomicU64::new(NEVER);
const NEVER: u64 = u64::MAX;

static IS_SILENT: AtomicBool = AtomicBool::new(false);

/// Sets the instant, `delay_ns` from now. Runs on the lead.
pub fn set(context: &Context, delay_ns: u64, end: DeathKind) {
    IS_SILENT.store(end == DeathKind::Hang, Ordering::Relaxed);
    DUE_NS.store(context.now_ns().saturating_add(delay_ns), Ordering::Relaxed);
    interrupts::without_interrupts(|| aim(context));
}

/// Sets the timer to the instant if that comes before the next tick. Runs on the lead, with interrupts off.
pub fn aim(context: &Context) {
    let due_ns = DUE_NS.load(Ordering::Relaxed);
    if due_ns == NEVER {
        return;
    }
    let left_ns = due_ns.saturating_sub(context.now_ns());
    if left_ns <= context.options.keepalive_ns {
        let count = context.timer_count(left_ns);
        context.local_apic.timer_one_shot(vectors::INSTANT, count);
    }
}

/// Dies: the instant has come, before the instruction at `rip`.
pub fn strike(context: &Context, rip: u64) -> ! {
    let injected_ns = &context.region.control.debug.injected_ns;
    injected_ns.store(context.now_ns(), Ordering::Release);
    if IS_SILENT.load(Ordering::Relaxed) {
        cpu::hang();
    }
    panic!("DEBUG DIE-IN at {rip:#x}")
}
