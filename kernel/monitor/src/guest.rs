//! Calls the waiting backup on the seat, and gets the processor back from it, whatever it does.
//!
//! The backup runs in its own address space, on its own stack, with the monitor's interrupt table. It returns by `ret`;
//! or a trap handler of the monitor ends it, because it faulted or because it makes no progress.

use core::arch::global_asm;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arch::traps::TrapFrame;
use sharedmem::abi::{EntryReason, SEAT_STACK, SeatStatus, stack_top};
use x86_64::PhysAddr;

use crate::timer;

/// A native instance in its slice, ready to be entered.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Entry point.
    pub entry: u64,
    /// Its own top page table.
    pub page_table: PhysAddr,
    /// The top page table to run it on the seat.
    pub seat_page_table: PhysAddr,
    /// Address of the hand-off in its address space.
    pub hand_off: u64,
    /// Bytes that the image, the stacks and the page tables take.
    pub fixed_bytes: u64,
}

/// What the call returns when a trap handler ended it.
const ABORTED: u64 = u64::MAX;

/// How long a call may go on without a sign of progress, in ns. A backup that applies a long command shows progress all
/// the while.
const HANG_NS: u64 = 1_000_000_000;

/// How often a call is looked after, in ns.
const WATCH_NS: u64 = 10_000_000;

// seat_call(page_table, stack_top, entry, reason, hand_off) -> status. The monitor's stack pointer and page table are
// kept in statics, so that seat_abort, to which a trap handler returns, finds the way back.
global_asm!(
    r#"
    .text
    .global seat_call
seat_call:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [rip + {resume_stack}], rsp
    mov rax, cr3
    mov [rip + {resume_page_table}], rax
    mov cr3, rdi
    mov rsp, rsi
    mov rax, rdx
    mov rdi, rcx
    mov rsi, r8
    xor edx, edx
    xor ebp, ebp
    call rax
seat_return:
    mov rcx, [rip + {resume_page_table}]
    mov rsp, [rip + {resume_stack}]
    mov cr3, rcx
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
    .global seat_abort
seat_abort:
    mov rax, -1
    jmp seat_return
    "#,
    resume_stack = sym RESUME_STACK,
    resume_page_table = sym RESUME_PAGE_TABLE,
);

unsafe extern "C" {
    fn seat_call(page_table: u64, stack_top: u64, entry: u64, reason: u64, hand_off: u64) -> u64;
    fn seat_abort();
}

static RESUME_STACK: AtomicU64 = AtomicU64::new(0);
static RESUME_PAGE_TABLE: AtomicU64 = AtomicU64::new(0);
static IS_RUNNING: AtomicBool = AtomicBool::new(false);

/// The backup did not come back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aborted {
    /// It faulted.
    Crashed,
    /// It made no progress.
    Hung,
}

/// The backup's progress as last seen, and since when it stands still, in ns since boot.
static PROGRESS: AtomicU64 = AtomicU64::new(0);
static PROGRESS_SINCE_NS: AtomicU64 = AtomicU64::new(0);
static WAS_HUNG: AtomicBool = AtomicBool::new(false);

/// Calls the instance for `reason`.
///
/// # Errors
/// [`Aborted`] if a trap handler ended the call; the instance must not be called again.
///
/// # Safety
/// `loaded` is an instance in its slice, not running anywhere; interrupts are on; the monitor's interrupt table is
/// loaded.
pub unsafe fn call(loaded: &Loaded, reason: EntryReason) -> Result<SeatStatus, Aborted> {
    WAS_HUNG.store(false, Ordering::Relaxed);
    PROGRESS_SINCE_NS.store(0, Ordering::Relaxed);
    IS_RUNNING.store(true, Ordering::Release);
    timer::arm(WATCH_NS);
    // SAFETY: the seat's page table maps the monitor's code, so the instructions around the change of tables run on;
    // the stack is the instance's own for the seat.
    let raw = unsafe {
        seat_call(
            loaded.seat_page_table.as_u64(),
            stack_top(SEAT_STACK),
            loaded.entry,
            reason as u64,
            loaded.hand_off,
        )
    };
    IS_RUNNING.store(false, Ordering::Release);
    match raw {
        ABORTED if WAS_HUNG.load(Ordering::Relaxed) => Err(Aborted::Hung),
        ABORTED => Err(Aborted::Crashed),
        raw => Ok(SeatStatus::from_number(raw).unwrap_or(SeatStatus::Failed)),
    }
}

/// Returns whether the processor is in a call.
pub fn is_running() -> bool {
    IS_RUNNING.load(Ordering::Acquire)
}

/// Watches the call, from the timer's handler: ends it if the backup's `progress` stands still for too long, else looks
/// again later.
pub fn watch(frame: &mut TrapFrame, progress: u64, now_ns: u64) {
    if !is_running() {
        return;
    }
    let since_ns = PROGRESS_SINCE_NS.load(Ordering::Relaxed);
    if since_ns == 0 || PROGRESS.swap(progress, Ordering::Relaxed) != progress {
        PROGRESS.store(progress, Ordering::Relaxed);
        PROGRESS_SINCE_NS.store(now_ns, Ordering::Relaxed);
    } else if now_ns.saturating_sub(since_ns) > HANG_NS {
        WAS_HUNG.store(true, Ordering::Relaxed);
        return abort(frame);
    }
    timer::arm(WATCH_NS);
}

/// Ends the interrupted call when the trap handler that calls this returns.
pub fn abort(frame: &mut TrapFrame) {
    // Interrupts on, and nothing else of what the guest had: a direction flag left set would turn the monitor's copies
    // round.
    const INTERRUPTS_ON: u64 = 1 << 9 | 1 << 1;
    frame.rip = seat_abort as *const () as u64;
    frame.rflags = INTERRUPTS_ON;
    frame.rsp = RESUME_STACK.load(Ordering::Relaxed);
}
