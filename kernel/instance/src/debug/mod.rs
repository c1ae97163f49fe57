//! Fault injection and measurement: real deaths of a real kernel, for `DEBUG` commands.
//!
//! The rest of the kernel calls two hooks: [`execute`], which carries out a command, and [`at`], at each [`Point`]
//! where a fault may strike later than its command.

mod breakage;
mod faults;
mod instant;
mod journal_bench;
mod log_flood;
pub mod trial;

use core::sync::atomic::Ordering;

use arch::{cpu, reset};
use service::{DebugCommand, HangTarget};

use crate::context::Context;

/// Where a fault may strike that was asked for earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The lead's timer has ticked. Interrupts are off.
    Tick,
    /// The lead's timer has interrupted at a set instant, before the instruction at this address.
    Instant(u64),
    /// The core of this number, which is not the lead, has come round its main loop.
    CoreRound(usize),
    /// This instance becomes the primary, and its interrupts are on.
    Promotion,
    /// The waiting backup begins a step.
    BackupStep,
}

/// Strikes with the fault that was asked for at `point`, if there is one.
pub fn at(context: &'static Context, point: Point) {
    if !context.options.debug {
        return;
    }
    match point {
        Point::Tick => instant::aim(context),
        Point::Instant(rip) => instant::strike(context, rip),
        Point::CoreRound(number) => faults::hang_if_ordered(number),
        Point::Promotion => faults::fail_promotion(context),
        Point::BackupStep => faults::fail_backup(context),
    }
}

/// Carries out a `DEBUG` command. Most do not return.
pub fn execute(context: &'static Context, command: DebugCommand) {
    let debug = &context.region.control.debug;
    if !matches!(
        command,
        DebugCommand::JournalBench { .. }
            | DebugCommand::LogFlood { .. }
            | DebugCommand::Checkpoint
            | DebugCommand::DieIn { .. }
    ) {
        debug.injected_ns.store(context.now_ns(), Ordering::Release);
    }
    match command {
        DebugCommand::Panic => panic!("DEBUG PANIC"),
        // The replica has noted it.
        DebugCommand::Checkpoint => {}
        DebugCommand::Poison => panic!("DEBUG POISON"),
        DebugCommand::Hang(HangTarget::ThisCore) => cpu::hang(),
        DebugCommand::Hang(HangTarget::Core(core)) => faults::hang_core(context, core as usize),
        DebugCommand::Hang(HangTarget::AllCores) => faults::hang_all_cores(context),
        DebugCommand::Hang(HangTarget::AllCoresInVmx) => faults::hang_all_cores_in_vmx(context),
        DebugCommand::Hang(HangTarget::MainLoop) => faults::spin(),
        DebugCommand::DieIn { delay_ns, end } => instant::set(context, delay_ns, end),
        DebugCommand::Sleep { duration_us } => {
            context.clock.spin_ns(duration_us.saturating_mul(1000))
        }
        DebugCommand::DoubleFault => faults::double_fault(),
        DebugCommand::Nmi => faults::send_nmi(context),
        DebugCommand::TripleFault => reset::triple_fault(),
        DebugCommand::StackOverflow => faults::overflow_stack(),
        DebugCommand::WildWrite => faults::wild_write(context),
        DebugCommand::CorruptTail => {
            faults::corrupt_tail(context);
            panic!("DEBUG CORRUPT-TAIL");
        }
        DebugCommand::PromotionPanic => faults::order_promotion_panic(context),
        DebugCommand::PromotionHang => faults::order_promotion_hang(context),
        DebugCommand::BackupPanic => debug.panic_backup.store(1, Ordering::Release),
        DebugCommand::Break(part) => breakage::break_part(context, part),
        DebugCommand::BackupHang => debug.hang_backup.store(1, Ordering::Release),
        DebugCommand::LogFlood { lines } => log_flood::run(lines),
        DebugCommand::JournalBench { records } => journal_bench::run(context, records),
    }
}
