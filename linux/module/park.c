// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A backup waits asleep. It suspends to memory by the kernel's own means. In
 * the last step it saves what INIT loses, leaves a ticket in the shared
 * region and waits to be stopped. When the primary has died, the monitor
 * sends a core to the ticket's entry. To this kernel, that is the end of its
 * suspend: it wakes up as the primary.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/suspend.h>
#include <linux/timekeeping.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/special_insns.h>
#include <asm/x86_init.h>

#include "core.h"
#include "park.h"
#include "understudy.h"

/* What the resume needs before C code can run. */
struct us_park {
	u64 *state;
	u64 rsp;
	u64 cr0;
	u64 cr3;
	u64 cr4;
	u64 efer;
	u64 pat;
	u64 gs_base;
	struct desc_ptr gdt;
	struct desc_ptr idt;
	u16 ldt;
	u16 ds;
	u16 es;
	u16 fs;
	u16 gs;
	u64 rehearsal;
};
static_assert(offsetof(struct us_park, state) == US_PARK_STATE);
static_assert(offsetof(struct us_park, rsp) == US_PARK_RSP);
static_assert(offsetof(struct us_park, cr0) == US_PARK_CR0);
static_assert(offsetof(struct us_park, cr3) == US_PARK_CR3);
static_assert(offsetof(struct us_park, cr4) == US_PARK_CR4);
static_assert(offsetof(struct us_park, efer) == US_PARK_EFER);
static_assert(offsetof(struct us_park, pat) == US_PARK_PAT);
static_assert(offsetof(struct us_park, gs_base) == US_PARK_GS_BASE);
static_assert(offsetof(struct us_park, gdt) == US_PARK_GDT);
static_assert(offsetof(struct us_park, idt) == US_PARK_IDT);
static_assert(offsetof(struct us_park, ldt) == US_PARK_LDT);
static_assert(offsetof(struct us_park, ds) == US_PARK_DS);
static_assert(offsetof(struct us_park, es) == US_PARK_ES);
static_assert(offsetof(struct us_park, fs) == US_PARK_FS);
static_assert(offsetof(struct us_park, gs) == US_PARK_GS);
static_assert(offsetof(struct us_park, rehearsal) == US_PARK_REHEARSAL);

struct us_park us_park;

void us_park_leave(struct us_park *park);
void us_park_resume(void);
extern char us_park_stack_top[];

/*
 * The model-specific registers that a kernel sets on every core, and that the
 * kernel which had the core meanwhile has set otherwise. A register that this
 * processor lacks faults when it is read, and is left out.
 */
static const u32 saved_msrs[] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
	MSR_FS_BASE, MSR_KERNEL_GS_BASE, MSR_TSC_AUX,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
	MSR_IA32_MISC_ENABLE, MSR_IA32_XSS, MSR_IA32_SPEC_CTRL,
	MSR_IA32_TSX_CTRL, MSR_IA32_DEBUGCTLMSR,
	MSR_IA32_XFD, MSR_IA32_S_CET,
};

/* The other state that INIT loses. */
static struct {
	u64 msrs[ARRAY_SIZE(saved_msrs)];
	bool has_msr[ARRAY_SIZE(saved_msrs)];
	u64 apic_mode;
	u64 xcr0;
	u32 pkru;
	unsigned long breakpoints[4];
	unsigned long dr6;
	unsigned long dr7;
} saved;

/* Real time at the machine's boot, in ns since 1970, as of the suspend. */
static u64 real_at_boot_ns;

/* If the last primary's value differs by less than this, it is used. */
#define TRUSTED_APART_NS	(24 * 3600 * (u64)NSEC_PER_SEC)

static bool was_resumed;

bool us_was_resumed(void)
{
	return READ_ONCE(was_resumed);
}

static void save_breakpoints(void)
{
	get_debugreg(saved.breakpoints[0], 0);
	get_debugreg(saved.breakpoints[1], 1);
	get_debugreg(saved.breakpoints[2], 2);
	get_debugreg(saved.breakpoints[3], 3);
	get_debugreg(saved.dr6, 6);
	get_debugreg(saved.dr7, 7);
}

/* The control register comes last: it arms the breakpoints. */
static void restore_breakpoints(void)
{
	set_debugreg(saved.breakpoints[0], 0);
	set_debugreg(saved.breakpoints[1], 1);
	set_debugreg(saved.breakpoints[2], 2);
	set_debugreg(saved.breakpoints[3], 3);
	set_debugreg(saved.dr6, 6);
	set_debugreg(saved.dr7, 7);
}

static void save_processor(void)
{
	size_t i;

	x86_platform.save_sched_clock_state();
	kernel_fpu_begin();
	for (i = 0; i < ARRAY_SIZE(saved_msrs); i++)
		saved.has_msr[i] = !rdmsrq_safe(saved_msrs[i], &saved.msrs[i]);
	save_breakpoints();
	saved.apic_mode = us_apic_mode();
	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		saved.xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	if (boot_cpu_has(X86_FEATURE_OSPKE))
		saved.pkru = rdpkru();
}

static void restore_processor(void)
{
	size_t i;

	force_reload_TR();
	us_restore_apic_mode(saved.apic_mode);
	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, saved.xcr0);
	if (boot_cpu_has(X86_FEATURE_OSPKE))
		wrpkru(saved.pkru);
	for (i = 0; i < ARRAY_SIZE(saved_msrs); i++)
		if (saved.has_msr[i])
			wrmsrq_safe(saved_msrs[i], saved.msrs[i]);
	restore_breakpoints();
	kernel_fpu_end();
	x86_platform.restore_sched_clock_state();
}

static void write_ticket(struct us_resume_slot *slot)
{
	WRITE_ONCE(slot->page_table, read_cr3_pa());
	WRITE_ONCE(slot->entry, (u64)us_park_resume);
	WRITE_ONCE(slot->stack, (u64)us_park_stack_top);
	WRITE_ONCE(slot->apic_id, cpu_physical_id(smp_processor_id()));
	us_park.state = &slot->state;
}

static int valid(suspend_state_t state)
{
	return state == PM_SUSPEND_MEM && !us_is_primary();
}

static int begin(suspend_state_t state)
{
	if (native_read_cr4() & X86_CR4_LA57) {
		pr_err("cannot park with page tables of five levels: boot with no5lvl\n");
		return -EOPNOTSUPP;
	}
	us_pci_release();
	real_at_boot_ns = ktime_get_real_ns() - us_now_ns();
	return 0;
}

#ifdef UNDERSTUDY_REHEARSAL
/* Makes a page table with only the upper half of this kernel's, as the monitor makes one. */
static int prepare_rehearsal(void)
{
	u64 *table = (u64 *)get_zeroed_page(GFP_ATOMIC);

	if (!table)
		return -ENOMEM;
	memcpy(table + PTRS_PER_PGD / 2,
	       (u64 *)__va(read_cr3_pa()) + PTRS_PER_PGD / 2, PAGE_SIZE / 2);
	us_park.rehearsal = __pa(table);
	return 0;
}

/* Sets registers as another kernel would have left them. */
static void forget_processor(void)
{
	wrmsrq(MSR_LSTAR, 0);
	wrmsrq(MSR_STAR, 0);
	wrmsrq(MSR_SYSCALL_MASK, 0);
	wrmsrq(MSR_KERNEL_GS_BASE, 0);
	wrmsrq(MSR_TSC_AUX, 99);
	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, XFEATURE_MASK_FP);
}
#else
static int prepare_rehearsal(void) { return 0; }
static void forget_processor(void) { }
#endif

/* Called with interrupts off, and with no other CPU online. */
static int enter(suspend_state_t state)
{
	int error = prepare_rehearsal();

	if (error)
		return error;
	save_processor();
	write_ticket(us_resume_slot(us_hand_off.instance));
	forget_processor();
	us_park_leave(&us_park);
	/* This kernel was resumed: the primary has died. */
	us_stamp(US_EDGE_RESUMED);
	restore_processor();
	WRITE_ONCE(was_resumed, true);
	us_become_primary();
	/* The first keepalive. The timers start when time continues. */
	us_keepalive_beat();
	return 0;
}

static void wake(void)
{
	if (us_was_resumed())
		us_keepalive_start();
}

/*
 * Corrects the time. The kernel took the length of its suspend from the clock
 * chip, which is wrong by up to a second. The time-stamp counter is more
 * exact, and the last primary may have known the time better still, by its
 * network.
 */
static void set_time(void)
{
	u64 other_ns = READ_ONCE(us_resume_slot(!us_hand_off.instance)->real_at_boot_ns);
	u64 apart_ns = max(other_ns, real_at_boot_ns) - min(other_ns, real_at_boot_ns);
	struct timespec64 time;
	u64 best_ns = real_at_boot_ns;

	if (other_ns && apart_ns < TRUSTED_APART_NS)
		best_ns = other_ns;
	time = ns_to_timespec64(best_ns + us_now_ns());
	do_settimeofday64(&time);
}

static void end(void)
{
	if (!us_was_resumed())
		return;
	set_time();
	us_pci_adopt();
	us_stamp(US_EDGE_DEVICES_ADOPTED);
	pr_info("instance %u is the primary now, epoch %llu\n",
		us_hand_off.instance, us_epoch);
}

static const struct platform_suspend_ops suspend_ops = {
	.valid = valid,
	.begin = begin,
	.enter = enter,
	.wake = wake,
	.end = end,
};

/* A primary must not suspend, because it would count as dead. */
static int on_sleep(struct notifier_block *block, unsigned long event, void *unused)
{
	if (us_is_primary() && (event == PM_SUSPEND_PREPARE || event == PM_HIBERNATION_PREPARE))
		return NOTIFY_BAD;
	return NOTIFY_DONE;
}

static struct notifier_block sleep_block = {
	.notifier_call = on_sleep,
};

void us_park_init(void)
{
	register_pm_notifier(&sleep_block);
	if (!us_is_primary())
		suspend_set_ops(&suspend_ops);
}
