//! Traps: an entry stub for each of the 256 vectors, one frame, one handler.

use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::mem::transmute;
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use x86_64::VirtAddr;
use x86_64::structures::idt::InterruptDescriptorTable;

use crate::descriptors::TrapStack;

/// The registers that processor and entry stub saved, lowest address first.
#[repr(C)]
#[derive(Clone, Debug)]
pub struct TrapFrame {
    /// The general registers, in the order r15 r14 r13 r12 r11 r10 r9 r8 rbp rdi rsi rdx rcx rbx rax.
    pub registers: [u64; 15],
    /// The vector.
    pub vector: u64,
    /// The processor's error code, or 0.
    pub error_code: u64,
    /// The interrupted instruction pointer.
    pub rip: u64,
    /// The interrupted code segment.
    pub cs: u64,
    /// The interrupted flags.
    pub rflags: u64,
    /// The interrupted stack pointer.
    pub rsp: u64,
    /// The interrupted stack segment.
    pub ss: u64,
}

/// The first vector of interrupts; the vectors below are the processor's exceptions.
pub const FIRST_INTERRUPT: u64 = 32;

/// Non-maskable interrupt.
pub const VECTOR_NMI: u64 = 2;
/// Double fault.
pub const VECTOR_DOUBLE_FAULT: u64 = 8;
/// Page fault; the address is in CR2.
pub const VECTOR_PAGE_FAULT: u64 = 14;
/// Machine check.
pub const VECTOR_MACHINE_CHECK: u64 = 18;

/// The program's handler of all traps. It runs on an interrupt stack, with interrupts off.
pub type TrapHandler = fn(&mut TrapFrame);

static HANDLER: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

// Each stub takes 16 bytes. It pushes an error code if the processor pushes none, then the vector, and jumps to the
// common part. The common part saves the SSE state, because the handler is compiled to use it.
global_asm!(
    r#"
    .balign 16
    .global trap_stubs
trap_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    push 0
    .endif
    push vector
    jmp trap_common
    .set vector, vector + 1
    .endr

trap_common:
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    mov rdi, rsp
    mov rbx, rsp
    and rsp, -16
    sub rsp, 512
    fxsave64 [rsp]
    call {dispatch}
    fxrstor64 [rsp]
    mov rsp, rbx
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
    "#,
    dispatch = sym dispatch,
);

unsafe extern "C" {
    static trap_stubs: [u8; 256 * 16];
}

extern "C" fn dispatch(frame: &mut TrapFrame) {
    let handler = HANDLER.load(Ordering::Acquire);
    // SAFETY: `install` stored a `TrapHandler` before it loaded the interrupt table.
    let handler: TrapHandler = unsafe { transmute(handler) };
    handler(frame);
}

struct Table(UnsafeCell<InterruptDescriptorTable>);

// SAFETY: only `install` writes it, on the program's first core, before other cores load it.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new(InterruptDescriptorTable::new()));

/// Fills the program's interrupt table, with `handler` for every vector, and loads it on this core.
///
/// # Safety
/// Called once in a program, on its first core, after that core has loaded its
/// [`CoreTables`](crate::descriptors::CoreTables): the entries name the code segment in use.
pub unsafe fn install(handler: TrapHandler) {
    HANDLER.store(handler as *mut (), Ordering::Release);
    // SAFETY: no other core uses the table yet.
    let table = unsafe { &mut *TABLE.0.get() };
    // Each entry is 16 bytes, whatever type of handler its field in the library's struct has.
    let entries = ptr::from_mut(table)
        .cast::<x86_64::structures::idt::Entry<x86_64::structures::idt::HandlerFunc>>();
    for vector in 0..256_u64 {
        // SAFETY: the table has 256 entries of 16 bytes, the stubs are 16 bytes apart, and every core has the
        // interrupt stacks.
        unsafe {
            let stub = VirtAddr::from_ptr(&raw const trap_stubs) + vector * 16;
            (*entries.add(vector as usize))
                .set_handler_addr(stub)
                .set_stack_index(stack_of(vector) as u16);
        }
    }
    // SAFETY: the table was just filled, and the caller has loaded this core's tables.
    unsafe { load() };
}

/// Loads the program's interrupt table on another core.
///
/// # Safety
/// Called after [`install`], and after this core has loaded its tables.
pub unsafe fn load() {
    // SAFETY: the table is static and complete.
    unsafe { (*TABLE.0.get()).load_unsafe() };
}

/// Returns where the program's interrupt table is. It does not change after [`install`].
pub fn table() -> Range<u64> {
    let start = TABLE.0.get() as u64;
    start..start + size_of::<InterruptDescriptorTable>() as u64
}

/// Returns the interrupt stack of a vector.
fn stack_of(vector: u64) -> TrapStack {
    match vector {
        VECTOR_NMI => TrapStack::Nmi,
        VECTOR_MACHINE_CHECK => TrapStack::MachineCheck,
        VECTOR_DOUBLE_FAULT => TrapStack::DoubleFault,
        0..FIRST_INTERRUPT => TrapStack::Exception,
        _ => TrapStack::Interrupt,
    }
}

/// Returns the name of an exception (Intel SDM vol. 3A, table 6-1).
pub fn exception_name(vector: u64) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug exception",
        2 => "NMI",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound range exceeded",
        6 => "invalid opcode",
        7 => "device not available",
        8 => "double fault",
        10 => "invalid TSS",
        11 => "segment not present",
        12 => "stack-segment fault",
        13 => "general protection fault",
        14 => "page fault",
        16 => "x87 floating-point error",
        17 => "alignment check",
        18 => "machine check",
        19 => "SIMD floating-point exception",
        20 => "virtualization exception",
        21 => "control-protection exception",
        _ => "reserved exception",
    }
}
