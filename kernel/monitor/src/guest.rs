//! Calling the waiting backup on the seat, and getting the processor back from it, whatever it does.
//!
//! The backup runs in its own address space, on its own stack, with the monitor's interrupt table. It returns by `ret`; or a trap
//! handler of the monitor ends it, because it faulted or because it makes no progress.

use core::arch::global_asm;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arch::traps::TrapFrame;
use sharedmem::abi::{EntryReason, SEAT_STACK, SeatStatus, stack_top};

use crate::load::Loaded;

/// What the call returns when a trap handler ended it.
const ABORTED: u64 = u64::MAX;

// seat_call(page_table, stack_top, entry, reason, hand_off) -> status. The monitor's stack pointer and page table are kept in statics, so that
// seat_abort, to which a trap handler returns, finds the way back.
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
pub struct Aborted;

/// Calls the instance for `reason`.
///
/// # Errors
/// [`Aborted`] if a trap handler ended the call; the instance must not be called again.
///
/// # Safety
/// `loaded` is an instance in its slice, not running anywhere; interrupts are on; the monitor's interrupt table is loaded.
pub unsafe fn call(loaded: &Loaded, reason: EntryReason) -> Result<SeatStatus, Aborted> {
    IS_RUNNING.store(true, Ordering::Release);
    // SAFETY: the seat's page table maps the monitor's code, so the instructions around the change of tables run on; the stack is the
    // instance's own for the seat.
    let raw = unsafe {
        seat_call(loaded.seat_page_table.as_u64(), stack_top(SEAT_STACK), loaded.entry, reason as u64, loaded.hand_off)
    };
    IS_RUNNING.store(false, Ordering::Release);
    if raw == ABORTED { Err(Aborted) } else { Ok(SeatStatus::from_raw(raw)) }
}

/// Whether the processor is in a call.
pub fn is_running() -> bool {
    IS_RUNNING.load(Ordering::Acquire)
}

/// From a trap handler: the interrupted call is ended when the handler returns.
pub fn abort(frame: &mut TrapFrame) {
    frame.rip = seat_abort as *const () as u64;
    frame.rsp = RESUME_STACK.load(Ordering::Relaxed);
}
