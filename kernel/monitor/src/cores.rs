//! The page in which other cores start, and the way from there over their mailboxes into an instance.
//!
//! A core comes here by INIT and SIPI, at boot as after a fence. It checks in at its
//! [mailbox](supervisor::ApMailboxes), looks for an order, and either enters an instance or stops.

use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use sharedmem::MAX_CORES;
use supervisor::{ApMailboxes, Order};

use crate::memory::MonitorSpace;

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

/// Stack of a core while it is with the monitor, in bytes.
const CORE_STACK_BYTES: usize = 4096;

// The start page, copied below 1 MiB: real mode straight to long mode. It knows its own address by CS, and everything
// else by the words at its end, which `prepare` fills in. `start_gate` is the one piece of code that is mapped in every
// address space: it changes from one to the other.
global_asm!(
    r#"
    .section .rodata.start_page, "a"
    .balign 16
    .global start_page, start_page_end, start_gdt, start_gdt_address, start_long_mode, start_far, start_cr3
    .global start_ids, start_stacks, start_arrive, start_count, start_gate
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
start_no_idt:
    .short 0
    .quad 0
    .balign 8
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
    lidt [rip + start_no_idt]
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
    shl rax, 12
    add rax, [rip + start_stacks]
    mov rsp, rax
    xor ebp, ebp
    call [rip + start_arrive]
    ud2

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
}

#[repr(C, align(4096))]
struct Stacks(UnsafeCell<[[u8; CORE_STACK_BYTES]; MAX_CORES]>);

// SAFETY: each core uses its own element.
unsafe impl Sync for Stacks {}

static AP_MAILBOXES: ApMailboxes = ApMailboxes::new();
static STACKS: Stacks = Stacks(UnsafeCell::new([[0; CORE_STACK_BYTES]; MAX_CORES]));
static APIC_IDS: [AtomicU32; MAX_CORES] = [const { AtomicU32::new(NO_CORE) }; MAX_CORES];
static LENT_GENERATION: AtomicU64 = AtomicU64::new(0);
static START_PAGE: AtomicU64 = AtomicU64::new(0);

/// Writes the start page.
///
/// # Safety
/// `page` is the physical address of a free page below 640 KiB, identity mapped and writable now; the monitor's space
/// stays loaded on the seat from here on.
pub unsafe fn prepare(page: u64, space: &MonitorSpace, apic_ids: &[u32]) {
    for (slot, id) in APIC_IDS.iter().zip(apic_ids) {
        slot.store(*id, Ordering::Relaxed);
    }
    let offset = |symbol: *const u8| symbol as usize - (&raw const start_page) as usize;
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
        put_u64(&raw const start_cr3, space.root());
        put_u64(&raw const start_ids, APIC_IDS.as_ptr() as u64);
        put_u64(&raw const start_stacks, STACKS.0.get() as u64);
        put_u64(&raw const start_arrive, arrive as *const () as u64);
        put_u64(&raw const start_count, apic_ids.len() as u64);
    }
    START_PAGE.store(page, Ordering::Release);
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

/// Receives a started core, on a small stack of its own, in the monitor's address space, with interrupts off and no
/// interrupt table.
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
