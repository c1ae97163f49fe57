//! The code of the start page.

use core::arch::global_asm;

use arch::machine_check::MCG_STATUS;

use super::{EXCEPTIONS, PAGE_BYTES, STACK_BYTES, STUB_BYTES};
use crate::cores::{CORE_STACK_SHIFT, CR0, EFER};

// Real mode straight to long mode. The page knows its own address by CS, and everything else by the words at its
// beginning, which `prepare` fills in. `start_gate` is the one piece of code that is mapped in every address space: it
// changes from one to the other.
//
// One interrupt table serves both modes: entries of real mode have 4 bytes (Intel SDM vol. 3B, 21.1.4), so those of NMI
// and machine check lie in the upper halves of gates 0 and 4, which are left out. No code here divides or overflows.
global_asm!(
    r#"
    .section .rodata.start_page, "a"
    .balign 16
    .global start_page, start_page_end, start_idt, start_gdt, start_gdt_address, start_idt_address
    .global start_early_stack, start_early_segment, start_gate_stack, start_scratch, start_again
    .global start_far, start_cr3, start_cr4, start_ids, start_stacks, start_arrive, start_count
    .global start_long_mode, start_gate, start_nmi, start_machine_check, start_stubs
    .global start_real_nmi, start_real_machine_check, start_real_mode
start_page:
    .code16
    jmp start_real_mode
    .balign 16
start_idt:
    .skip 16 * {exceptions}
start_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
start_gdt_pointer:
    .short 23
start_gdt_address:
    .long 0
    .balign 8
start_idt_pointer:
    .short 16 * {exceptions} - 1
start_idt_address:
    .quad 0
    .balign 8
start_early_stack:
    .quad 0
start_gate_stack:
    .quad 0
start_scratch:
    .quad 0
start_early_segment:
    .short 0
start_again:
    .short 0
start_far:
    .long 0
    .short 0x08
    .balign 8
start_cr3:
    .quad 0
start_cr4:
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
    .set start_idt_pointer_offset, start_idt_pointer - start_page
    .set start_early_stack_offset, start_early_stack - start_page
    .set start_early_segment_offset, start_early_segment - start_page
    .set start_again_offset, start_again - start_page
    .set start_cr3_offset, start_cr3 - start_page
    .set start_cr4_offset, start_cr4 - start_page
    .set start_far_offset, start_far - start_page

    /* The stack is at the same place by SS and SP as by RSP, as long mode will not use SS. */
start_real_mode:
    cli
    cld
    mov ax, cs
    mov ds, ax
    mov ss, [start_early_segment_offset]
    mov esp, [start_early_stack_offset]
    lidt [start_idt_pointer_offset]
    lgdt [start_gdt_pointer_offset]
    mov eax, [start_cr4_offset]
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

start_real_machine_check:
    xor eax, eax
    xor edx, edx
    mov ecx, {mcg_status}
    wrmsr
start_real_nmi:
    mov ax, cs
    mov ds, ax
    mov ss, [start_early_segment_offset]
    mov esp, [start_early_stack_offset]
    sub sp, {half_stack}
    /* IRET lets NMIs through again. */
    mov ax, 2
    push ax
    push cs
    push word ptr [start_again_offset]
    iret

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
    jae start_stop
    cmp [rsi + rdi * 4], edx
    je 6f
    inc edi
    jmp 4b
6:  mov eax, edi
    inc eax
    shl rax, {core_stack_shift}
    add rax, [rip + start_stacks]
    mov rsp, rax
    xor ebp, ebp
    call [rip + start_arrive]
start_stop:
    cli
    hlt
    jmp start_stop

    .balign 16
start_gate:
    /* rdi, rsi, rdx: the entry's arguments. rcx: entry. r8: page table. r9: stack. The stack in between is mapped in
       both address spaces. A core that is interrupted on it begins anew at the gate, so nothing else may change. */
    mov rsp, [rip + start_gate_stack]
    mov cr3, r8
    mov rsp, r9
    xor ebp, ebp
    xor eax, eax
    push rax
    jmp rcx

    /* Changes r10 and r11 at most, unless the core begins anew from the beginning. */
start_machine_check:
    push rax
    mov rax, rsp
    sub rax, [rip + start_scratch]
    cmp rax, {page_bytes}
    jb 1f
    push rcx
    push rdx
    mov ecx, {mcg_status}
    rdmsr
    /* Without RIPV there is no way back. */
    test al, 1
    jz start_stop
    xor eax, eax
    xor edx, edx
    wrmsr
    pop rdx
    pop rcx
    pop rax
    iretq
1:  mov r10, rcx
    mov r11, rdx
    mov ecx, {mcg_status}
    xor eax, eax
    xor edx, edx
    wrmsr
    mov rcx, r10
    mov rdx, r11
    jmp start_shared

start_nmi:
    push rax
    mov rax, rsp
    sub rax, [rip + start_scratch]
    cmp rax, {page_bytes}
    jb start_shared
    pop rax
    iretq

    /* On a stack that all cores share. What is returned by is the same words for each of them. */
start_shared:
    mov r10, [rip + start_gate_stack]
    mov rax, r10
    sub rax, rsp
    cmp rax, {stack_bytes}
    lea rax, [rip + start_gate]
    jb 2f
    mov r10, [rip + start_early_stack]
    lea rax, [rip + start_long_mode]
2:  lea rsp, [r10 - {half_stack}]
    push 0x10
    push r10
    push 2
    push 0x08
    push rax
    iretq

    /* Notes an exception: how often, vector, address of a page fault, and what the processor pushed. */
start_fault:
    mov rdi, [rip + start_scratch]
    mov [rdi + 8], rcx
    mov rax, cr2
    mov [rdi + 16], rax
    mov rax, [rsp]
    mov [rdi + 24], rax
    mov rax, [rsp + 8]
    mov [rdi + 32], rax
    lock inc qword ptr [rdi]
    jmp start_stop

    .balign {stub_bytes}
start_stubs:
    .set start_vector, 0
    .rept {exceptions}
    .balign {stub_bytes}
    mov ecx, start_vector
    jmp start_fault
    .set start_vector, start_vector + 1
    .endr

start_page_end:
    .text
    "#,
    efer = const EFER,
    core_stack_shift = const CORE_STACK_SHIFT,
    cr0 = const CR0,
    mcg_status = const MCG_STATUS,
    exceptions = const EXCEPTIONS,
    page_bytes = const PAGE_BYTES,
    stack_bytes = const STACK_BYTES,
    half_stack = const STACK_BYTES / 2,
    stub_bytes = const STUB_BYTES,
);

unsafe extern "C" {
    pub(super) static start_page: u8;
    pub(super) static start_page_end: u8;
    pub(super) static start_idt: u8;
    pub(super) static start_gdt: u8;
    pub(super) static start_gdt_address: u8;
    pub(super) static start_idt_address: u8;
    pub(super) static start_early_stack: u8;
    pub(super) static start_early_segment: u8;
    pub(super) static start_gate_stack: u8;
    pub(super) static start_scratch: u8;
    pub(super) static start_again: u8;
    pub(super) static start_far: u8;
    pub(super) static start_cr3: u8;
    pub(super) static start_cr4: u8;
    pub(super) static start_ids: u8;
    pub(super) static start_stacks: u8;
    pub(super) static start_arrive: u8;
    pub(super) static start_count: u8;
    pub(super) static start_long_mode: u8;
    pub(super) static start_gate: u8;
    pub(super) static start_nmi: u8;
    pub(super) static start_machine_check: u8;
    pub(super) static start_stubs: u8;
    pub(super) static start_real_nmi: u8;
    pub(super) static start_real_machine_check: u8;
    pub(super) static start_real_mode: u8;
}
