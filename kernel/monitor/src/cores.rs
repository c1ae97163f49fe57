//! The page in which other cores start, and the way from there over their mailboxes into an instance.
//!
//! A core comes here by INIT and SIPI, at boot as after a fence. It checks in at its
//! [mailbox](supervisor::ApMailboxes), looks for an order, and either enters an instance or stops.

use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use partition::ApicId;
use sharedmem::MAX_CORES;
use supervisor::{ApMailboxes, Order};

/// PAE, OSFXSR, OSXMMEXCPT: paging for long mode, and the SSE that compiled code uses.
pub const CR4: u32 = 1 << 5 | 1 << 9 | 1 << 10;
/// Long mode enable, no-execute enable.
pub const EFER: u32 = 1 << 8 | 1 << 11;
/// Paging, write protection in ring 0, native FPU errors, monitor coprocessor, protected mode.
pub const CR0: u32 = 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1;

/// The page cores start in must be below 1 MiB, as SIPI's vector is a page number (Intel SDM vol. 3A, 9.4.4.1).
const PAGE_BYTES: usize = 4096;

/// How long the core that is to lead stays awake after its check-in, waiting for its order, in rounds of PAUSE.
const LINGER_ROUNDS: u32 = 2_000_000;

/// No core's APIC id: as a destination it would be everybody's.
const NO_CORE: u32 = u32::MAX;

/// Stack of all cores until they have found their own, in bytes. Only an NMI uses it.
const EARLY_STACK_BYTES: usize = 256;

/// Stack of a core while it is with the monitor, in bytes; it takes an order there, and perhaps an NMI.
const CORE_STACK_BYTES: usize = 1 << CORE_STACK_SHIFT;
const CORE_STACK_SHIFT: u32 = 11;

// The start page, copied below 1 MiB: real mode straight to long mode. It knows its own address by CS, and everything
// else by the words at its end, which `prepare` fills in. `start_gate` is the one piece of code that is mapped in every
// address space: it changes from one to the other.
global_asm!(
    r#"
    .section .rodata.start_page, "a"
    .balign 16
    .global start_page, start_page_end, start_gdt, start_gdt_address, start_long_mode, start_far, start_cr3
    .global start_ids, start_stacks, start_arrive, start_count, start_gate
    .global start_idt, start_idt_nmi, start_idt_address, start_early_stack, start_nmi
start_page:
    .code16
    jmp start_real_mode
    .balign 8
start_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
start_gdt_pointer:
    .short 23
start_gdt_address:
    .long 0
    /* An NMI may come at any time: the fence sends some, and there are strays. No other vector has an entry. */
    .balign 16
start_idt:
    .quad 0, 0, 0, 0
start_idt_nmi:
    .quad 0, 0
start_idt_pointer:
    .short 47
start_idt_address:
    .quad 0
    .balign 8
start_early_stack:
    .quad 0
start_far:
    .long 0
    .short 0x08
    .balign 8
start_cr3:
    .quad 0
start_ids:
    .quad 0
start_stacks:
    .quad 0
start_arrive:
    .quad 0
start_count:
    .quad 0

    /* Before their use, so that the assembler knows them as numbers. */
    .set start_gdt_pointer_offset, start_gdt_pointer - start_page
    .set start_cr3_offset, start_cr3 - start_page
    .set start_far_offset, start_far - start_page

start_real_mode:
    cli
    cld
    mov ax, cs
    mov ds, ax
    lgdt [start_gdt_pointer_offset]
    mov eax, {cr4}
    mov cr4, eax
    mov eax, [start_cr3_offset]
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, {efer}
    wrmsr
    mov eax, {cr0}
    mov cr0, eax
    /* jmp far [mem], 32-bit offset: the assembler's syntax for it differs between versions. */
    .byte 0x66, 0xff, 0x2e
    .short start_far_offset

    .code64
start_long_mode:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    lidt [rip + start_idt_pointer]
start_find_stack:
    mov rsp, [rip + start_early_stack]
    /* Own APIC id: leaf 0xB if there is one, else leaf 1. No APIC register is touched: its mode is not known here. */
    xor eax, eax
    cpuid
    cmp eax, 0xb
    jb 2f
    mov eax, 0xb
    xor ecx, ecx
    cpuid
    test ebx, ebx
    jnz 3f
2:  mov eax, 1
    cpuid
    shr ebx, 24
    mov edx, ebx
3:  mov rsi, [rip + start_ids]
    mov ecx, [rip + start_count]
    xor edi, edi
4:  cmp edi, ecx
    jae 5f
    cmp [rsi + rdi * 4], edx
    je 6f
    inc edi
    jmp 4b
5:  cli
    hlt
    jmp 5b
6:  mov eax, edi
    inc eax
    shl rax, {core_stack_shift}
    add rax, [rip + start_stacks]
    mov rsp, rax
    xor ebp, ebp
    call [rip + start_arrive]
    ud2

    /* Once a core has a stack of its own, it goes on where it was. Before that, all cores have the same early stack,
       and what the processor pushed there may be another core's: so nothing is read from it, and the core begins anew.
       All cores push the same words then, so none minds another's. IRETQ lets NMIs through again. */
    .balign 16
start_nmi:
    push rax
    mov rax, [rip + start_early_stack]
    sub rax, rsp
    cmp rax, {early_stack_bytes}
    ja 7f
    mov rsp, [rip + start_early_stack]
    mov rcx, rsp
    push 0x10
    push rcx
    push 2
    push 0x08
    lea rcx, [rip + start_find_stack]
    push rcx
    iretq
7:  pop rax
    iretq

    .balign 16
start_gate:
    /* rdi, rsi, rdx: the entry's arguments. rcx: entry. r8: page table. r9: stack. */
    mov cr3, r8
    mov rsp, r9
    xor ebp, ebp
    xor eax, eax
    push rax
    jmp rcx

start_page_end:
    .text
    "#,
    cr4 = const CR4,
    cr0 = const CR0,
    efer = const EFER,
    early_stack_bytes = const EARLY_STACK_BYTES,
    core_stack_shift = const CORE_STACK_SHIFT,
);

unsafe extern "C" {
    static start_page: u8;
    static start_page_end: u8;
    static start_gdt: u8;
    static start_gdt_address: u8;
    static start_long_mode: u8;
    static start_far: u8;
    static start_cr3: u8;
    static start_ids: u8;
    static start_stacks: u8;
    static start_arrive: u8;
    static start_count: u8;
    static start_gate: u8;
    static start_idt: u8;
    static start_idt_nmi: u8;
    static start_idt_address: u8;
    static start_early_stack: u8;
    static start_nmi: u8;
}

#[repr(C, align(4096))]
struct Stacks(UnsafeCell<[[u8; CORE_STACK_BYTES]; MAX_CORES]>);

// SAFETY: each core uses its own element.
unsafe impl Sync for Stacks {}

#[repr(C, align(16))]
struct EarlyStack(UnsafeCell<[u8; EARLY_STACK_BYTES]>);

// SAFETY: only the start page's code uses it, which reads nothing that another core may have written there.
unsafe impl Sync for EarlyStack {}

static EARLY_STACK: EarlyStack = EarlyStack(UnsafeCell::new([0; EARLY_STACK_BYTES]));
static AP_MAILBOXES: ApMailboxes = ApMailboxes::new();
static STACKS: Stacks = Stacks(UnsafeCell::new([[0; CORE_STACK_BYTES]; MAX_CORES]));
static APIC_IDS: [AtomicU32; MAX_CORES] = [const { AtomicU32::new(NO_CORE) }; MAX_CORES];
static LENT_GENERATION: AtomicU64 = AtomicU64::new(0);
static START_PAGE: AtomicU64 = AtomicU64::new(0);

/// Writes the start page, for the first [`MAX_CORES`] of these cores.
///
/// # Safety
/// `page` is the physical address of a free page below 640 KiB, identity mapped and writable now. `page_table` is the
/// top table of a space that maps the page and all of the monitor, identity mapped, for as long as cores start there.
pub unsafe fn prepare(page: u64, page_table: u64, apic_ids: &[ApicId]) {
    for (slot, id) in APIC_IDS.iter().zip(apic_ids) {
        slot.store(id.0, Ordering::Relaxed);
    }
    let destination = page as *mut u8;
    // SAFETY: code and words of the start page are shorter than a page (asserted); the page is free by the caller's
    // promise.
    unsafe {
        let length = offset(&raw const start_page_end);
        assert!(length <= PAGE_BYTES, "the start page has outgrown its page");
        ptr::copy_nonoverlapping(&raw const start_page, destination, length);
        let put_u32 = |symbol: *const u8, value: u64| {
            destination
                .add(offset(symbol))
                .cast::<u32>()
                .write_unaligned(value as u32)
        };
        let put_u64 = |symbol: *const u8, value: u64| {
            destination
                .add(offset(symbol))
                .cast::<u64>()
                .write_unaligned(value)
        };
        put_u32(
            &raw const start_gdt_address,
            page + offset(&raw const start_gdt) as u64,
        );
        put_u32(
            &raw const start_far,
            page + offset(&raw const start_long_mode) as u64,
        );
        put_u64(
            &raw const start_idt_address,
            page + offset(&raw const start_idt) as u64,
        );
        put_u64(
            &raw const start_idt_nmi,
            interrupt_gate(page + offset(&raw const start_nmi) as u64),
        );
        put_u64(
            &raw const start_early_stack,
            EARLY_STACK.0.get() as u64 + EARLY_STACK_BYTES as u64,
        );
        put_u64(&raw const start_ids, APIC_IDS.as_ptr() as u64);
        put_u64(&raw const start_stacks, STACKS.0.get() as u64);
        put_u64(&raw const start_arrive, arrive as *const () as u64);
        let count = apic_ids.len().min(MAX_CORES);
        put_u64(&raw const start_count, count as u64);
    }
    START_PAGE.store(page, Ordering::Release);
    // SAFETY: by the caller's promise.
    unsafe { set_page_table(page_table) };
}

/// Lets cores start in another address space. Only this word of the page changes: a core that was called before may
/// be on its way through it.
///
/// # Safety
/// The start page was prepared and is writable now. `page_table` as for [`prepare`].
pub unsafe fn set_page_table(page_table: u64) {
    let place = START_PAGE.load(Ordering::Relaxed) + offset(&raw const start_cr3) as u64;
    // SAFETY: the word is in the start page, aligned, and written by the seat alone.
    unsafe { (place as *mut u64).write_volatile(page_table) };
}

/// Returns where a symbol of the start page lies in it.
fn offset(symbol: *const u8) -> usize {
    symbol as usize - (&raw const start_page) as usize
}

/// Returns the lower half of an interrupt gate to `address`, which is below 4 GiB, in the start page's code segment
/// (Intel SDM vol. 3A, figure 6-8). The upper half is 0.
const fn interrupt_gate(address: u64) -> u64 {
    const CODE_SEGMENT: u64 = 0x08;
    const PRESENT_INTERRUPT_GATE: u64 = 0x8e00;
    address & 0xffff
        | CODE_SEGMENT << 16
        | PRESENT_INTERRUPT_GATE << 32
        | (address >> 16 & 0xffff) << 48
}

/// Returns the page number of the start page: the vector of SIPI.
pub fn start_vector() -> u8 {
    (START_PAGE.load(Ordering::Relaxed) >> 12) as u8
}

/// Returns where cores arrive.
pub fn mailboxes() -> &'static ApMailboxes {
    &AP_MAILBOXES
}

/// Returns the APIC id of the core with this machine number.
pub fn apic_id(core: u32) -> Option<u32> {
    let id = APIC_IDS.get(core as usize)?.load(Ordering::Relaxed);
    (id != NO_CORE).then_some(id)
}

/// Returns the machine number of the core with this APIC id.
pub fn core_of(id: u32) -> Option<u32> {
    (0..MAX_CORES as u32).find(|core| apic_id(*core) == Some(id))
}

/// Returns the newest generation that a lent core was stopped with; `first` before there was one.
pub fn lent_generation(first: u64) -> u64 {
    LENT_GENERATION.load(Ordering::Relaxed).max(first)
}

/// Notes that a lent core is stopped with this generation.
pub fn note_lent_generation(generation: u64) {
    LENT_GENERATION.store(generation, Ordering::Relaxed);
}

/// Receives a started core, on a small stack of its own, in the monitor's address space, with interrupts off; an NMI
/// returns.
extern "C" fn arrive(core: u64) -> ! {
    let core = core as u32;
    let arrived = AP_MAILBOXES.arrive(core);
    let mut rounds = if arrived.lingers { LINGER_ROUNDS } else { 1 };
    while rounds > 0 {
        if let Some(order) = AP_MAILBOXES.take_order(core, &arrived) {
            enter(&order);
        }
        core::hint::spin_loop();
        rounds -= 1;
    }
    arch::cpu::stop()
}

/// Enters an instance through the gate.
fn enter(order: &Order) -> ! {
    let gate = START_PAGE.load(Ordering::Relaxed)
        + ((&raw const start_gate) as u64 - (&raw const start_page) as u64);
    // SAFETY: the gate's page is mapped at the same address in both address spaces; the order comes from the loader,
    // which mapped entry and stack there.
    unsafe {
        core::arch::asm!(
            "jmp {gate}",
            gate = in(reg) gate,
            in("rdi") order.arguments[0],
            in("rsi") order.arguments[1],
            in("rdx") order.arguments[2],
            in("rcx") order.entry,
            in("r8") order.page_table,
            in("r9") order.stack_top,
            options(noreturn)
        )
    }
}
