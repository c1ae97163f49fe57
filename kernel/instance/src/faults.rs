//! Fault injection, for `DEBUG` commands: real deaths of a real kernel.

use core::hint::black_box;
use core::sync::atomic::Ordering;

use arch::{cpu, reset};
use replica::{kinds, open_journal};
use service::{DebugCommand, HangTarget};

use crate::context::{self, Context};
use crate::cores::{self, LEAD};
use crate::{instant, keepalive, measure};

/// Word to a core's main loop: hang with interrupts off.
const WORD_HANG: u64 = 1;

/// Words to the instance that is promoted next.
const PROMOTION_PANIC: u64 = 1;
const PROMOTION_HANG: u64 = 2;

/// Does what a `DEBUG` command asks of the kernel. Most do not return.
pub fn inject(context: &'static Context, command: DebugCommand) {
    let debug = &context.region.control.debug;
    if !matches!(
        command,
        DebugCommand::JournalBench { .. } | DebugCommand::Checkpoint | DebugCommand::DieIn { .. }
    ) {
        debug.injected_ns.store(context.now_ns(), Ordering::Release);
    }
    match command {
        DebugCommand::Panic => panic!("DEBUG PANIC"),
        DebugCommand::Checkpoint => open_journal(&context).retain(None),
        DebugCommand::Poison => panic!("DEBUG POISON"),
        DebugCommand::Hang(HangTarget::ThisCore) => cpu::hang(),
        DebugCommand::Hang(HangTarget::Core(core)) => hang(context, core as usize),
        DebugCommand::Hang(HangTarget::AllCores) => {
            (1..context.hand_off.core_count as usize).for_each(|core| hang(context, core));
            cpu::hang();
        }
        DebugCommand::Hang(HangTarget::MainLoop) => loop {
            core::hint::spin_loop();
        },
        DebugCommand::DieIn { delay_ns, end } => instant::set(context, delay_ns, end),
        DebugCommand::Sleep { duration_us } => {
            context.clock.spin_ns(duration_us.saturating_mul(1000))
        }
        DebugCommand::DoubleFault => double_fault(),
        DebugCommand::TripleFault => reset::triple_fault(),
        DebugCommand::StackOverflow => {
            black_box(overflow(black_box(1)));
        }
        DebugCommand::WildWrite => wild_write(context),
        DebugCommand::CorruptTail => {
            corrupt_tail(context);
            panic!("DEBUG CORRUPT-TAIL");
        }
        DebugCommand::PromotionPanic => debug
            .promotion_fault
            .store(PROMOTION_PANIC, Ordering::Release),
        DebugCommand::PromotionHang => debug
            .promotion_fault
            .store(PROMOTION_HANG, Ordering::Release),
        DebugCommand::BackupPanic => debug.panic_backup.store(1, Ordering::Release),
        DebugCommand::BackupHang => debug.hang_backup.store(1, Ordering::Release),
        DebugCommand::JournalBench { records } => measure::journal_bench(context, records),
    }
}

/// What was asked of whoever is promoted next, to try an upgrade to a kernel that does not work.
pub fn at_promotion(context: &'static Context) {
    let fault = &context.region.control.debug.promotion_fault;
    match fault.swap(0, Ordering::Relaxed) {
        PROMOTION_PANIC => panic!("DEBUG PROMOTION-PANIC"),
        PROMOTION_HANG => cpu::hang(),
        _ => {}
    }
}

/// What a core's main loop does with a word left for it.
pub fn obey(word: u64) {
    if word == WORD_HANG {
        cpu::hang();
    }
}

fn hang(context: &Context, core: usize) {
    if core == LEAD {
        cpu::hang();
    } else if core < context.hand_off.core_count as usize {
        cores::core(core).leave_word(WORD_HANG);
    }
}

/// A fault whose handler cannot be entered, as its stack is gone.
fn double_fault() -> ! {
    cores::ruin_exception_stack();
    // SAFETY: this is meant to fault: nothing is mapped in the first page.
    unsafe { core::ptr::read_volatile(core::ptr::without_provenance::<u8>(8)) };
    unreachable!("a read of the first page does not return")
}

#[expect(unconditional_recursion, reason = "the stack is meant to overflow")]
fn overflow(depth: u64) -> u64 {
    let ballast = black_box([depth; 64]);
    overflow(depth + 1) + ballast[depth as usize % 64]
}

/// Writes into the other instance's slice, where a pointer gone wild would.
fn wild_write(context: &Context) {
    let target = context::virt_of(context.hand_off.peer.start + 4096) as *mut u64;
    // SAFETY: none; the page tables are there to stop it, which is what is tested.
    unsafe { core::ptr::write_volatile(target, 0xdead_beef) };
    log::error!("event=wild-write-succeeded");
}

/// Appends a record that is damaged before anybody acknowledged it.
fn corrupt_tail(context: &'static Context) {
    let journal = open_journal(&context);
    match journal.append(keepalive::epoch(), kinds::INPUT, &[&[0xa5; 48]]) {
        Ok(record) => journal.corrupt_for_test(record),
        Err(error) => log::error!("the damaged record cannot be appended: {error}"),
    }
}
