// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How this kernel ends if it can still report it: panic, reboot, halt, power
 * off, switchover, an expired watchdog. Each leaves an epitaph and the end of the kernel log
 * in the shared region, then interrupts the seat.
 *
 * This file and keepalive.c call each other: a dying kernel stops its
 * keepalives, and the keepalive's timer ends a kernel with a hung CPU.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/kernel.h>
#include <linux/kmsg_dump.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/string.h>

#include "core.h"

/*
 * Number of newest records of the kernel log that are searched for its end.
 * They fill the ring, and reading them takes little time, which counts here.
 */
#define TAIL_RECORDS	512

/* How long the monitor may take to stop this kernel, in ns. */
#define FENCE_NS	(10 * (u64)NSEC_PER_SEC)

/* How long the monitor may take to power the machine off, in ns: it waits two seconds. */
#define POWER_OFF_NS	(10 * (u64)NSEC_PER_SEC)

static char log_tail[US_LOG_BYTES];

/* Saves the end of the log. The reader finds exactly this text in the ring. */
static void save_log(void)
{
	struct us_log_ring *ring = us_region + US_AT_INSTANCE_LOGS +
				   us_hand_off.instance * US_LOG_STRIDE;
	struct kmsg_dump_iter iter;
	size_t bytes = 0;

	kmsg_dump_rewind(&iter);
	if (iter.next_seq > iter.cur_seq + TAIL_RECORDS)
		iter.cur_seq = iter.next_seq - TAIL_RECORDS;
	kmsg_dump_get_buffer(&iter, false, log_tail, sizeof(log_tail), &bytes);

	WRITE_ONCE(ring->written, 0);
	WRITE_ONCE(ring->drained, 0);
	memcpy(ring->bytes, log_tail, bytes);
	smp_store_release(&ring->written, bytes);
}

static bool write_epitaph(u64 cause, const char *message)
{
	struct us_epitaph *epitaph = us_region + US_AT_EPITAPHS +
				     us_hand_off.instance * US_EPITAPH_STRIDE;
	size_t length = strnlen(message, sizeof(epitaph->message));

	if (cmpxchg(&epitaph->state, US_EPITAPH_STATE_EMPTY, US_EPITAPH_STATE_WRITING) !=
	    US_EPITAPH_STATE_EMPTY)
		return false;
	save_log();
	memset_startat(epitaph, 0, epoch);
	epitaph->epoch = us_epoch;
	epitaph->cause = cause;
	epitaph->core = us_core_of_this_cpu();
	epitaph->time_ns = us_now_ns();
	epitaph->message_len = length;
	memcpy(epitaph->message, message, length);
	smp_store_release(&epitaph->state, US_EPITAPH_STATE_WHOLE);
	return true;
}

/**
 * us_die() - ends this kernel, from the monitor's point of view
 * @cause: US_EPITAPH_CAUSE_*
 * @message: what happened
 *
 * May be called from any context, with any locks held: it neither waits nor
 * prints.
 *
 * Return: whether this call wrote the epitaph. Only the first one does.
 */
bool us_die(u64 cause, const char *message)
{
	bool is_first;

	us_keepalive_stop();
	is_first = write_epitaph(cause, message);
	/* The monitor polls a backup that is not parked yet. */
	if (is_first && us_is_primary())
		us_send_ipi(US_VECTOR_EPITAPH);
	return is_first;
}

/**
 * us_await_fence() - waits to be stopped, with interrupts off on this CPU
 *
 * Returns only if nothing stopped it: then there is no monitor any more.
 */
void us_await_fence(void)
{
	u64 begin_ns = us_now_ns();
	unsigned long flags;

	local_irq_save(flags);
	us_leave_virtualization();
	while (us_now_ns() - begin_ns < FENCE_NS)
		cpu_relax();
	local_irq_restore(flags);
	pr_emerg("the monitor did not stop this kernel\n");
}

static int on_panic(struct notifier_block *block, unsigned long event, void *message)
{
	us_die(US_EPITAPH_CAUSE_PANIC, message ?: "");
	/* This CPU goes on to print, perhaps where no NMI reaches it. */
	us_leave_and_tell();
	return NOTIFY_DONE;
}

static struct notifier_block panic_block = {
	.notifier_call = on_panic,
	.priority = INT_MAX,
};

static bool is_kexec;

/* Only here a kernel hears that its restart is a kexec. */
static int on_restart(struct notifier_block *block, unsigned long event, void *command)
{
	is_kexec = event == SYS_RESTART && command && !strcmp(command, "kexec reboot");
	if (is_kexec)
		pr_emerg("kexec: a kernel from there would not know its resources: the boot line's starts instead\n");
	return NOTIFY_DONE;
}

static struct notifier_block restart_block = {
	.notifier_call = on_restart,
};

/*
 * The last call before the machine is reset, halted or powered off, and before
 * a kexec. After a restart the monitor starts the same image again. Otherwise
 * this kernel goes on to its end by itself, and nobody takes over.
 */
static void on_shutdown(void)
{
	switch (system_state) {
	case SYSTEM_RESTART:
		us_die(US_EPITAPH_CAUSE_REBOOT, is_kexec ? "kexec" : "reboot");
		us_await_fence();
		break;
	case SYSTEM_HALT:
		us_die(US_EPITAPH_CAUSE_HALT, "halt");
		break;
	case SYSTEM_POWER_OFF:
		us_die(US_EPITAPH_CAUSE_POWER_OFF, "power off");
		break;
	default:
		break;
	}
}

/*
 * Comes after the firmware's way to power the machine off, which a promoted
 * kernel does not know: without any way, Linux would halt. The monitor does it.
 */
static int on_power_off(struct sys_off_data *data)
{
	u64 begin_ns = us_now_ns();

	while (us_now_ns() - begin_ns < POWER_OFF_NS)
		cpu_relax();
	pr_emerg("the monitor did not power the machine off\n");
	return NOTIFY_DONE;
}

void us_death_init(void)
{
	struct sys_off_handler *power_off;

	atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
	us_at_shutdown(on_shutdown);
	register_reboot_notifier(&restart_block);
	power_off = register_sys_off_handler(SYS_OFF_MODE_POWER_OFF, SYS_OFF_PRIO_LOW,
					     on_power_off, NULL);
	if (IS_ERR(power_off))
		pr_warn("this kernel may halt where it should power the machine off\n");
}
