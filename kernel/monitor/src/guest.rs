//! Calls the waiting backup on the seat, and gets the processor back from it, whatever it does.
//!
//! The backup runs in its own address space, on its own stack, with the monitor's interrupt table. It returns by `ret`;
//! or a trap handler of the monitor ends it, because it faulted or because it makes no progress; or a handler suspends
//! it, because its time slice is over or the primary has left an epitaph. The monitor then looks at the primary and
//! resumes the call later. So a record that takes seconds to apply does not keep the monitor from looking.
//!
//! What of a suspended call is kept is the processor's state: the trap frame and the FPU's. Its stack and its tables
//! are its own, and nobody touches them meanwhile.

use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
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

/// The flag that lets interrupts in.
const INTERRUPTS_ON: u64 = 1 << 9;

/// Flags for the way out of a call: nothing of what the guest had, as a direction flag left set would turn the
/// monitor's copies round.
const INTERRUPTS_OFF: u64 = 1 << 1;

/// What the call returns when a trap handler ended it.
const ABORTED: u64 = u64::MAX;

/// How long a call may go on without a sign of progress, in ns. A backup that applies a long command shows progress all
/// the while.
const HANG_NS: u64 = 1_000_000_000;

/// What the call returns when a trap handler suspended it.
const SUSPENDED: u64 = u64::MAX - 1;

/// The longest time slice of a call, in ns.
const SLICE_NS_MAX: u64 = 10_000_000;

/// The time slice of a call, in ns.
static SLICE_NS: AtomicU64 = AtomicU64::new(SLICE_NS_MAX);

/// Processor state of a suspended call.
#[repr(C, align(16))]
struct Saved {
    fpu: UnsafeCell<[u8; 512]>,
    frame: UnsafeCell<MaybeUninit<TrapFrame>>,
}

// SAFETY: only the seat uses it, and a handler writes it only while a call runs.
unsafe impl Sync for Saved {}

static SAVED: Saved = Saved {
    fpu: UnsafeCell::new([0; 512]),
    frame: UnsafeCell::new(MaybeUninit::uninit()),
};

// seat_call(page_table, stack_top, entry, reason, hand_off) -> status. The monitor's stack pointer and page table are
// kept in statics, so that seat_abort and seat_suspend, to which a trap handler returns, find the way back.
//
// seat_resume(page_table, frame, fpu) -> status. Goes on with a suspended call as if seat_call had made it.
//
// Interrupts are off in all of this but the guest itself, so a call is never suspended half-way in or out. All return
// with interrupts off.
global_asm!(
    r#"
    .text
    .global seat_call, seat_resume, seat_suspend
seat_call:
    cli
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
    sti
    call rax
seat_return:
    cli
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
seat_suspend:
    fxsave64 [rip + {saved}]
    mov rax, -2
    jmp seat_return
seat_resume:
    cli
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
    fxrstor64 [rdx]
    mov rsp, rsi
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
    add rsp, 16
    iretq
    .global seat_abort
seat_abort:
    mov rax, -1
    jmp seat_return
    "#,
    resume_stack = sym RESUME_STACK,
    resume_page_table = sym RESUME_PAGE_TABLE,
    saved = sym SAVED,
);

unsafe extern "C" {
    fn seat_call(page_table: u64, stack_top: u64, entry: u64, reason: u64, hand_off: u64) -> u64;
    fn seat_resume(page_table: u64, frame: *const TrapFrame, fpu: *const u8) -> u64;
    fn seat_abort();
    fn seat_suspend();
}

static RESUME_STACK: AtomicU64 = AtomicU64::new(0);
static RESUME_PAGE_TABLE: AtomicU64 = AtomicU64::new(0);
static IS_RUNNING: AtomicBool = AtomicBool::new(false);

/// The backup did not come back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreturned {
    /// It faulted, and must not be called again.
    Crashed,
    /// It made no progress, and must not be called again.
    Hung,
    /// It is amid its work: [`resume`] it.
    Suspended,
}

/// The backup's progress at the end of its last time slice, and how many whole slices it has had since it moved. A
/// pause of the machine is one slice at most.
static PROGRESS: AtomicU64 = AtomicU64::new(0);
static STILL_SLICES: AtomicU64 = AtomicU64::new(0);
static WAS_HUNG: AtomicBool = AtomicBool::new(false);

/// NMIs that came in this time slice. A primary sends ten a second while it waits for the monitor in vain.
static NMIS: AtomicU64 = AtomicU64::new(0);

/// So many end a call: it has lasted a second and more, so its slice does not end by interrupts.
const NMIS_MAX: u64 = 10;

/// Sets the longest time for which a call keeps the monitor from looking, in ns.
pub fn set_slice(slice_ns: u64) {
    SLICE_NS.store(slice_ns.clamp(1, SLICE_NS_MAX), Ordering::Relaxed);
}

/// Calls the instance for `reason`.
///
/// # Errors
/// [`Unreturned`] if a trap handler ended or suspended the call.
///
/// # Safety
/// `loaded` is an instance in its slice, not running anywhere, with no suspended call; interrupts are on; the monitor's
/// interrupt table is loaded.
pub unsafe fn call(loaded: &Loaded, reason: EntryReason) -> Result<SeatStatus, Unreturned> {
    WAS_HUNG.store(false, Ordering::Relaxed);
    STILL_SLICES.store(0, Ordering::Relaxed);
    during_slice(|| {
        // SAFETY: the seat's page table maps the monitor's code, so the instructions around the change of tables run
        // on; the stack is the instance's own for the seat.
        unsafe {
            seat_call(
                loaded.seat_page_table.as_u64(),
                stack_top(SEAT_STACK),
                loaded.entry,
                reason as u64,
                loaded.hand_off,
            )
        }
    })
}

/// Goes on with the call that was suspended.
///
/// # Errors
/// As [`call`].
///
/// # Safety
/// The last call or resumption was of the same `loaded` instance and returned [`Unreturned::Suspended`], and nothing of
/// its slice was changed since.
pub unsafe fn resume(loaded: &Loaded) -> Result<SeatStatus, Unreturned> {
    during_slice(|| {
        // SAFETY: the handler that suspended the call has filled the frame, and `seat_suspend` the FPU's state. Both
        // lie in the monitor's memory, which the seat's page table maps. An interrupt uses a stack of its own, so
        // nothing is pushed onto the frame.
        unsafe {
            seat_resume(
                loaded.seat_page_table.as_u64(),
                SAVED.frame.get().cast(),
                SAVED.fpu.get().cast(),
            )
        }
    })
}

/// Lets the guest run for a time slice.
fn during_slice(run: impl FnOnce() -> u64) -> Result<SeatStatus, Unreturned> {
    NMIS.store(0, Ordering::Relaxed);
    timer::arm(SLICE_NS.load(Ordering::Relaxed));
    // What a handler suspends must be the guest: interrupts are on only there while `IS_RUNNING` is set.
    x86_64::instructions::interrupts::disable();
    IS_RUNNING.store(true, Ordering::Release);
    let raw = run();
    IS_RUNNING.store(false, Ordering::Release);
    x86_64::instructions::interrupts::enable();
    match raw {
        SUSPENDED => Err(Unreturned::Suspended),
        ABORTED if WAS_HUNG.load(Ordering::Relaxed) => Err(Unreturned::Hung),
        ABORTED => Err(Unreturned::Crashed),
        raw => Ok(SeatStatus::from_number(raw).unwrap_or(SeatStatus::Failed)),
    }
}

/// Returns whether the processor is in a call.
pub fn is_running() -> bool {
    IS_RUNNING.load(Ordering::Acquire)
}

/// Ends the call's time slice, from the timer's handler: the call ends if the backup's `progress` stands still for too
/// long, else it is suspended.
pub fn end_slice(frame: &mut TrapFrame, progress: u64) {
    if !is_running() {
        return;
    }
    let still_slices = match PROGRESS.swap(progress, Ordering::Relaxed) == progress {
        true => STILL_SLICES.load(Ordering::Relaxed) + 1,
        false => 0,
    };
    STILL_SLICES.store(still_slices, Ordering::Relaxed);
    if still_slices * SLICE_NS.load(Ordering::Relaxed) > HANG_NS {
        WAS_HUNG.store(true, Ordering::Relaxed);
        return abort(frame);
    }
    suspend(frame);
}

/// Ends a call that has switched interrupts off for good, from the handler of an NMI.
pub fn end_by_nmis(frame: &mut TrapFrame) {
    if NMIS.fetch_add(1, Ordering::Relaxed) >= NMIS_MAX {
        WAS_HUNG.store(true, Ordering::Relaxed);
        abort(frame);
    }
}

/// Suspends the interrupted call, if there is one, when the interrupt's handler that calls this returns.
pub fn suspend(frame: &mut TrapFrame) {
    if !is_running() || frame.rflags & INTERRUPTS_ON == 0 {
        return;
    }
    // SAFETY: the frame is no longer needed: a suspended call does not run, and this one was not suspended yet.
    unsafe { (*SAVED.frame.get()).write(frame.clone()) };
    frame.rip = seat_suspend as *const () as u64;
    frame.rflags = INTERRUPTS_OFF;
}

/// Ends the interrupted call when the trap handler that calls this returns.
pub fn abort(frame: &mut TrapFrame) {
    frame.rip = seat_abort as *const () as u64;
    frame.rflags = INTERRUPTS_OFF;
    frame.rsp = RESUME_STACK.load(Ordering::Relaxed);
}
