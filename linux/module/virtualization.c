// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Leaves virtualization when the monitor stops this kernel. INIT does not
 * stop a CPU in VMX root operation (Intel SDM vol. 3C, 24.8), where KVM keeps
 * every CPU, nor one whose global interrupt flag is 0 (AMD64 APM vol. 2,
 * 15.17). So the monitor condemns this kernel in the shared region and sends
 * an NMI first. The handler leaves virtualization and halts.
 *
 * INIT that came before waits at the CPU, and strikes at VMXOFF: the CPU stops
 * in the midst of this file. That is as good, because the monitor believes
 * check-ins only, and starts such a CPU in its next round.
 *
 * A CPU that hangs in another NMI handler gets no second NMI, and one that
 * hangs with its global interrupt flag at 0 none at all. Only a reset of the
 * machine stops those.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/atomic.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <asm/asm.h>
#include <asm/nmi.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>

#include "core.h"

/* What VMPTRST stores if no VMCS is current (Intel SDM vol. 3C, 25.1). */
#define NO_VMCS	U64_MAX

static bool leaves_virtualization;
module_param(leaves_virtualization, bool, 0444);
MODULE_PARM_DESC(leaves_virtualization,
		 "Whether CPUs leave virtualization when the monitor stops this kernel; to be read only");

/* Writes what the CPU keeps of its current VMCS back into memory. */
static void clear_vmcs(void)
{
	u64 vmcs = NO_VMCS;

	asm volatile("1: vmptrst %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+m" (vmcs) : : "cc");
	if (vmcs != NO_VMCS)
		asm volatile("1: vmclear %0\n"
			     "2:\n"
			     _ASM_EXTABLE(1b, 2b)
			     : : "m" (vmcs) : "cc", "memory");
}

/*
 * Leaves VMX operation. CR4.VMXE alone does not say that the CPU is in it: if
 * it is not, VMXOFF faults.
 */
static bool leave_vmx(void)
{
	bool is_left = true;

	if (!(native_read_cr4() & X86_CR4_VMXE))
		return false;
	clear_vmcs();
	asm goto("1: vmxoff\n"
		 _ASM_EXTABLE(1b, %l[was_not_in_it])
		 : : : "cc", "memory" : was_not_in_it);
	goto out;
was_not_in_it:
	is_left = false;
out:
	/*
	 * Whatever tidies up after a panic looks here. The kernel's copy of the
	 * register stays: later kernels let KVM alone change it, and VMXE is
	 * harmless on a CPU that is not in VMX operation.
	 */
	asm volatile("mov %0, %%cr4" : : "r" (native_read_cr4() & ~X86_CR4_VMXE) : "memory");
	return is_left;
}

/* Sets the global interrupt flag and switches SVM off. */
static bool leave_svm(void)
{
	u64 efer;

	if (rdmsrq_safe(MSR_EFER, &efer) || !(efer & EFER_SVME))
		return false;
	asm volatile("1: stgi\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "memory");
	wrmsrq_safe(MSR_EFER, efer & ~EFER_SVME);
	return true;
}

/**
 * us_leave_virtualization() - makes this CPU one that INIT stops
 *
 * With interrupts off, on a CPU of a kernel that ends: a hypervisor in it
 * does not work on this CPU any more.
 *
 * Return: whether there was something to leave.
 */
bool us_leave_virtualization(void)
{
	bool has_left_vmx = leave_vmx();

	return leave_svm() || has_left_vmx;
}

static struct us_condemned *condemned(void)
{
	return us_region + US_AT_CONDEMNED + us_hand_off.instance * US_CONDEMNED_STRIDE;
}

/* The word names the epoch, so that one for an earlier kernel means nothing. */
static bool is_condemned(void)
{
	return smp_load_acquire(&condemned()->word) == (US_CONDEMNED_TAG | us_epoch);
}

static void count(u64 *word)
{
	atomic64_inc((atomic64_t *)word);
}

/* us_leave_virtualization(), counted in the shared region. */
void us_leave_and_tell(void)
{
	if (us_leave_virtualization())
		count(&condemned()->left);
}

static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	if (!is_condemned())
		return NMI_DONE;
	us_keepalive_stop();
	us_leave_and_tell();
	count(&condemned()->heard);
	for (;;)
		native_halt();
}

/**
 * us_virtualization_init() - registers the handler
 *
 * Without it this kernel works, but cannot be stopped once KVM is loaded.
 */
void us_virtualization_init(void)
{
	int error = register_nmi_handler(NMI_LOCAL, on_nmi, NMI_FLAG_FIRST, "understudy");

	if (error)
		pr_warn("no NMI handler (error %d): the monitor cannot stop a CPU that KVM uses\n",
			error);
	leaves_virtualization = !error;
}
