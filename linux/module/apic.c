// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sends interrupts to the seat by the interrupt command register (Intel SDM
 * vol. 3A, 11.6.1), because the kernel knows no CPU there.
 */
#include <linux/irqflags.h>
#include <asm/apic.h>

#include "core.h"

/* If a local APIC has not sent by then, it never will. */
#define IDLE_ROUNDS	1000

static void wait_until_idle(void)
{
	int rounds = IDLE_ROUNDS;

	while (rounds-- && (native_apic_mem_read(APIC_ICR) & APIC_ICR_BUSY))
		cpu_relax();
}

/**
 * us_send_ipi() - sends a fixed interrupt to the seat
 * @vector: US_VECTOR_*
 *
 * The receiver sees every store made before the call. May be called from any
 * context: a sender that is interrupted here is on a dying CPU.
 */
void us_send_ipi(u8 vector)
{
	u32 command = APIC_DM_FIXED | APIC_DEST_PHYSICAL | vector;
	unsigned long flags;

	local_irq_save(flags);
	if (x2apic_enabled()) {
		/* The write itself does not serialise. */
		weak_wrmsr_fence();
		native_x2apic_icr_write(command, us_hand_off.seat_apic_id);
	} else {
		wait_until_idle();
		native_apic_mem_write(APIC_ICR2, us_hand_off.seat_apic_id << 24);
		native_apic_mem_write(APIC_ICR, command);
	}
	local_irq_restore(flags);
}

/* Returns the mode of the local APIC: xAPIC or x2APIC. */
u64 us_apic_mode(void)
{
	u64 base;

	rdmsrq(MSR_IA32_APICBASE, base);
	return base;
}

/**
 * us_restore_apic_mode() - puts the local APIC back into the mode it was in
 * @mode: from us_apic_mode()
 *
 * INIT keeps the mode, but another kernel that uses the other mode may have
 * run on the core. The way from x2APIC to xAPIC is by disabling (Intel SDM
 * vol. 3A, 11.12.5).
 */
void us_restore_apic_mode(u64 mode)
{
	u64 now = us_apic_mode();

	if (now == mode)
		return;
	if ((now & X2APIC_ENABLE) && !(mode & X2APIC_ENABLE))
		wrmsrq(MSR_IA32_APICBASE, now & ~(u64)(X2APIC_ENABLE | XAPIC_ENABLE));
	wrmsrq(MSR_IA32_APICBASE, mode);
}
