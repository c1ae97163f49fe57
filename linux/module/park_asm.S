/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaves this kernel, and enters it again on a core that has been through
 * INIT and another kernel. This file saves and restores what C code needs to
 * run; park.c does the rest.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/ibt.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>

#include "park.h"
#include "understudy_abi.h"

/* The bits that the monitor's start page sets. */
#define STARTUP_EFER	(1 << 8 | 1 << 10 | 1 << 11)
#define STARTUP_CR4	(X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

.macro save_msr msr, at
	movl	$\msr, %ecx
	rdmsr
	movl	%eax, \at(%rdi)
	movl	%edx, \at + 4(%rdi)
.endm

.macro load_msr msr, at
	movl	$\msr, %ecx
	movl	\at(%rdi), %eax
	movl	\at + 4(%rdi), %edx
	wrmsr
.endm

	.text

/*
 * void us_park_leave(struct us_park *park)
 *
 * Saves the registers, marks the kernel as parked, and waits to be stopped.
 * Returns by way of us_park_resume. objtool cannot follow that: it takes both
 * for one function, which is not standard.
 */
SYM_FUNC_START(us_park_leave)
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushfq
	movq	%rsp, US_PARK_RSP(%rdi)
	movq	%cr0, %rax
	movq	%rax, US_PARK_CR0(%rdi)
	movq	%cr3, %rax
	movq	%rax, US_PARK_CR3(%rdi)
	movq	%cr4, %rax
	movq	%rax, US_PARK_CR4(%rdi)
	save_msr MSR_EFER, US_PARK_EFER
	save_msr MSR_IA32_CR_PAT, US_PARK_PAT
	save_msr MSR_GS_BASE, US_PARK_GS_BASE
	sgdt	US_PARK_GDT(%rdi)
	sidt	US_PARK_IDT(%rdi)
	sldt	US_PARK_LDT(%rdi)
	movw	%ds, US_PARK_DS(%rdi)
	movw	%es, US_PARK_ES(%rdi)
	movw	%fs, US_PARK_FS(%rdi)
	movw	%gs, US_PARK_GS(%rdi)
	/* Stores become visible in order: a reader that sees this one sees the rest. */
	movq	US_PARK_STATE(%rdi), %rax
	movq	$US_PARK_STATE_PARKED, (%rax)
#ifdef UNDERSTUDY_REHEARSAL
	jmp	rehearse
#endif
1:	cli
	hlt
	jmp	1b

/*
 * The monitor sends the core here: in 64-bit mode, with interrupts off, with
 * the monitor's descriptor tables, on a page table whose upper half is this
 * kernel's.
 */
SYM_INNER_LABEL(us_park_resume, SYM_L_GLOBAL)
	ENDBR
	leaq	us_park(%rip), %rdi
	load_msr MSR_EFER, US_PARK_EFER
	load_msr MSR_IA32_CR_PAT, US_PARK_PAT
	/* CR4.PCIDE can be set only while the low bits of CR3 are 0. */
	movq	US_PARK_CR3(%rdi), %rax
	movq	%rax, %rdx
	andq	$~0xfff, %rdx
	movq	%rdx, %cr3
	/* Changing CR4.PGE flushes the TLB, whichever kernel filled it. */
	movq	US_PARK_CR4(%rdi), %rdx
	movq	%rdx, %rcx
	xorq	$X86_CR4_PGE, %rcx
	movq	%rcx, %cr4
	movq	%rdx, %cr4
	movq	%rax, %cr3
	movq	US_PARK_CR0(%rdi), %rax
	movq	%rax, %cr0
	lgdt	US_PARK_GDT(%rdi)
	lldt	US_PARK_LDT(%rdi)
	movl	$__KERNEL_DS, %eax
	movl	%eax, %ss
	movw	US_PARK_DS(%rdi), %ds
	movw	US_PARK_ES(%rdi), %es
	movw	US_PARK_FS(%rdi), %fs
	movw	US_PARK_GS(%rdi), %gs
	load_msr MSR_GS_BASE, US_PARK_GS_BASE
	lidt	US_PARK_IDT(%rdi)
	movq	US_PARK_RSP(%rdi), %rsp
	pushq	$__KERNEL_CS
	leaq	1f(%rip), %rax
	pushq	%rax
	lretq
1:	popfq
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	RET

#ifdef UNDERSTUDY_REHEARSAL
/*
 * Brings the core into the state in which the monitor leaves it, then enters
 * the ticket's entry; for tests without a monitor.
 */
rehearse:
	movq	US_PARK_REHEARSAL(%rdi), %rax
	movl	$STARTUP_CR4, %edx
	movq	%cr3, %rcx
	andq	$~0xfff, %rcx
	movq	%rcx, %cr3
	movq	%rdx, %cr4
	movq	%rax, %cr3
	movl	$MSR_EFER, %ecx
	movl	$STARTUP_EFER, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$MSR_GS_BASE, %ecx
	xorl	%eax, %eax
	wrmsr
	lgdt	foreign_gdt_pointer(%rip)
	lidt	foreign_idt_pointer(%rip)
	lldt	%ax
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	leaq	us_park_stack_top(%rip), %rsp
	pushq	$0x08
	leaq	us_park_resume(%rip), %rax
	pushq	%rax
	lretq
#endif
SYM_FUNC_END(us_park_leave)
STACK_FRAME_NON_STANDARD us_park_leave

#ifdef UNDERSTUDY_REHEARSAL
	.section .rodata
	.balign	8
foreign_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
foreign_gdt_pointer:
	.word	23
	.quad	foreign_gdt
foreign_idt_pointer:
	.word	0
	.quad	0
#endif

	.bss
	.balign	16
	.skip	512
SYM_DATA_START(us_park_stack_top)
SYM_DATA_END(us_park_stack_top)
