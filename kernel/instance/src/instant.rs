//! A death at a set instant, in the middle of whatever the lead does then. Fault injection.
//!
//! The instant is a one-shot of the lead's timer. That timer sends the keepalives, too, so it ticks until the instant is nearer than the next tick,
//! and is set to the instant then. An instant at which interrupts are off comes right behind: that is in a trap (the keepalive's sending is one), and in
//! the last look around before the core sleeps.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arch::cpu;
use service::End;
use x86_64::instructions::interrupts;

use crate::context::Context;
use crate::cores;
use crate::traps::VECTOR_INSTANT;

/// The instant, in ns since the machine's boot.
static DUE_NS: AtomicU64 = AtomicU64::new(NEVER);
const NEVER: u64 = u64::MAX;

static IS_SILENT: AtomicBool = AtomicBool::new(false);

/// Sets the instant, `delay_ns` from now. On the lead.
pub fn set(context: &Context, delay_ns: u64, end: End) {
    IS_SILENT.store(end == End::Hang, Ordering::Relaxed);
    DUE_NS.store(context.now_ns().saturating_add(delay_ns), Ordering::Relaxed);
    interrupts::without_interrupts(|| aim(context));
}

/// Sets the timer to the instant if that is nearer than the next tick may be. On the lead, with interrupts off.
pub fn aim(context: &Context) {
    let due_ns = DUE_NS.load(Ordering::Relaxed);
    if due_ns == NEVER {
        return;
    }
    let left_ns = due_ns.saturating_sub(context.now_ns());
    if left_ns <= context.options.keepalive_ns {
        let count = cores::timer_count(context, left_ns);
        context.local_apic.timer_one_shot(VECTOR_INSTANT, count);
    }
}

/// The instant has come, before the instruction at `rip`.
pub fn come(context: &Context, rip: u64) -> ! {
    let injected_ns = &context.region.control.debug.injected_ns;
    injected_ns.store(context.now_ns(), Ordering::Release);
    if IS_SILENT.load(Ordering::Relaxed) {
        cpu::hang();
    }
    panic!("DEBUG DIE-IN at {rip:#x}")
}
