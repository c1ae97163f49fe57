//! Entry from the boot loader: PVH or Multiboot2, 32-bit protected mode without paging, to Rust in long mode.

use core::arch::global_asm;

use partition::boot_info::PVH_MAGIC;

// PVH: Xen's note 18 (XEN_ELFNOTE_PHYS32_ENTRY) names the entry point; EBX points to hvm_start_info. Multiboot2: a
// header with the entry-address tag (type 3); EAX holds the protocol's magic number, EBX points to the information. PVH
// has no number in a register, so the one its information begins with is put there. Both: flat 32-bit segments, paging
// off, interrupts off.
//
// The tables made here identity-map the first 4 GiB, all of it writable and executable; they last until the monitor has
// made its own.
global_asm!(
    r#"
    .section .note.pvh, "a", @note
    .balign 4
    .long 4
    .long 4
    .long 18
    .asciz "Xen"
    .long pvh_entry

    .section .multiboot, "a"
    .balign 8
multiboot_header:
    .long 0xe85250d6
    .long 0
    .long multiboot_header_end - multiboot_header
    .long -(0xe85250d6 + 0 + (multiboot_header_end - multiboot_header))
    .short 3, 0
    .long 12
    .long multiboot_entry
    /* A screen is welcome (type 5, optional), of any size. */
    .balign 8
    .short 5, 1
    .long 20
    .long 0, 0, 0
    .balign 8
    .short 0, 0
    .long 8
multiboot_header_end:

    .section .boot, "ax"
    .code32
    .global pvh_entry
pvh_entry:
    mov eax, {magic_pvh}
multiboot_entry:
    cli
    cld
    mov edi, eax
    mov esi, ebx
    mov esp, offset stack_top

    /* Page directories: 2048 entries of 2 MiB. */
    mov eax, 0x83
    mov ebx, offset boot_pd
    mov ecx, 2048
2:  mov [ebx], eax
    mov dword ptr [ebx + 4], 0
    add eax, 0x200000
    add ebx, 8
    loop 2b
    mov eax, offset boot_pd + 3
    mov ebx, offset boot_pdpt
    mov ecx, 4
3:  mov [ebx], eax
    add eax, 4096
    add ebx, 8
    loop 3b
    mov eax, offset boot_pdpt + 3
    mov [boot_pml4], eax

    mov eax, {cr4}
    mov cr4, eax
    mov eax, offset boot_pml4
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, {efer}
    wrmsr
    mov eax, {cr0}
    mov cr0, eax
    lgdt [boot_gdt_pointer]
    /* jmp far 0x08:boot_long_mode */
    .byte 0xea
    .long boot_long_mode
    .short 0x08

    .code64
boot_long_mode:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    lea rsp, [rip + stack_top]
    xor ebp, ebp
    call {boot_main}
    ud2

    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
boot_gdt_pointer:
    .short 23
    .long boot_gdt

    .section .bss.boot_tables, "aw", @nobits
    .balign 4096
    .global boot_pml4
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_pd:
    .skip 4096 * 4
    .text
    "#,
    magic_pvh = const PVH_MAGIC,
    cr4 = const crate::cores::CR4,
    cr0 = const crate::cores::CR0,
    efer = const crate::cores::EFER,
    boot_main = sym crate::boot_main,
);
