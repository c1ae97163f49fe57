// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The primary's keepalive. A timer on every CPU counts that CPU's progress.
 * The timer of the lead CPU publishes the counts and interrupts the seat. If
 * a CPU takes no timer interrupts, its count stands still; if the lead CPU
 * takes none, the primary is silent. The monitor decides what follows.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "core.h"

static int cpu = -1;
module_param(cpu, int, 0444);
MODULE_PARM_DESC(cpu, "CPU that sends the keepalives (default: the first one online)");

static char *hung_cpu = "dead";
module_param(hung_cpu, charp, 0444);
MODULE_PARM_DESC(hung_cpu, "What one hung CPU is: dead (the primary is dead, default) or ignore");

/* The other CPUs count at least this often per time-out. */
#define COUNTS_PER_TIMEOUT	4

/* A CPU that is not a core by the monitor's list. */
#define NO_CORE	U32_MAX

static DEFINE_PER_CPU(struct hrtimer, us_timer);
static DEFINE_PER_CPU(u32, us_core) = NO_CORE;

/* Per core: its progress, and whether its own CPU counts it. */
static u64 progress[US_MAX_CORES];
static bool is_counted[US_MAX_CORES];

static unsigned int lead;
static bool is_beating;
static bool ignores_hung;
static u64 sequence;
static enum cpuhp_state hotplug_state;

/* Publishes a keepalive; on the lead CPU only. The version is odd meanwhile. */
static void publish(void)
{
	struct us_keepalive_slot *slot = us_region + US_AT_PRIMARY_KEEPALIVE;
	u64 version = READ_ONCE(slot->version) | 1;
	u32 core;

	WRITE_ONCE(slot->version, version);
	smp_wmb();
	WRITE_ONCE(slot->sequence, ++sequence);
	WRITE_ONCE(slot->time_ns, us_now_ns());
	WRITE_ONCE(slot->epoch, us_epoch);
	WRITE_ONCE(slot->cores, us_hand_off.core_count);
	for (core = 0; core < us_hand_off.core_count; core++)
		WRITE_ONCE(slot->progress[core], READ_ONCE(progress[core]));
	smp_store_release(&slot->version, version + 1);
}

/* Counts for the cores that are offline, so that they do not look hung. */
static void count_for_others(u32 own)
{
	u32 core;

	for (core = 0; core < us_hand_off.core_count; core++)
		if (core != own && (ignores_hung || !READ_ONCE(is_counted[core])))
			WRITE_ONCE(progress[core], progress[core] + 1);
}

/**
 * us_keepalive_beat() - sends one keepalive; on the lead CPU, interrupts off
 */
void us_keepalive_beat(void)
{
	u64 real_ns = ktime_get_real_fast_ns();
	u64 now_ns = us_now_ns();

	if (us_current_epoch() != us_epoch) {
		WRITE_ONCE(is_beating, false);
		pr_emerg("this kernel was the primary in epoch %llu and the epoch is %llu: it has been replaced\n",
			 us_epoch, us_current_epoch());
		return;
	}
	count_for_others(__this_cpu_read(us_core));
	/* For the next primary, whose own clock stands still while it waits. */
	WRITE_ONCE(us_resume_slot(us_hand_off.instance)->real_at_boot_ns, real_ns - now_ns);
	publish();
	us_send_ipi(US_VECTOR_KEEPALIVE_TO_SEAT);
}

static void lead_tick(void)
{
	char message[128];

	us_keepalive_beat();
	if (us_watchdog_expired(message, sizeof(message)))
		us_die(US_EPITAPH_CAUSE_APPLICATION, message);
}

static u64 period_ns(bool is_lead)
{
	u64 follower_ns = us_hand_off.timeout_ns / COUNTS_PER_TIMEOUT;

	return is_lead ? us_hand_off.keepalive_ns :
			 max(follower_ns, us_hand_off.keepalive_ns);
}

static enum hrtimer_restart tick(struct hrtimer *timer)
{
	u32 core = __this_cpu_read(us_core);
	bool is_lead = smp_processor_id() == READ_ONCE(lead);

	if (!us_is_beating())
		return HRTIMER_NORESTART;
	if (core != NO_CORE)
		WRITE_ONCE(progress[core], progress[core] + 1);
	if (is_lead)
		lead_tick();
	hrtimer_forward_now(timer, ns_to_ktime(period_ns(is_lead)));
	return HRTIMER_RESTART;
}

static void start_timer(void *unused)
{
	u32 core = __this_cpu_read(us_core);
	bool is_lead = smp_processor_id() == READ_ONCE(lead);

	if (core != NO_CORE)
		WRITE_ONCE(is_counted[core], true);
	hrtimer_start(this_cpu_ptr(&us_timer), ns_to_ktime(period_ns(is_lead)),
		      HRTIMER_MODE_REL_PINNED_HARD);
}

/* Returns the monitor's number of the core with this APIC id. */
static u32 core_of(u32 apic_id)
{
	u32 core;

	for (core = 0; core < us_hand_off.core_count; core++)
		if (us_hand_off.core_apic_ids[core] == apic_id)
			return core;
	return NO_CORE;
}

static int came_online(unsigned int id)
{
	u32 core = core_of(cpu_physical_id(id));

	if (core == NO_CORE)
		pr_warn("CPU %u has APIC id %u, which the monitor does not know: it is not watched\n",
			id, (u32)cpu_physical_id(id));
	__this_cpu_write(us_core, core);
	if (us_is_beating())
		start_timer(NULL);
	return 0;
}

static int goes_offline(unsigned int id)
{
	u32 core = __this_cpu_read(us_core);

	hrtimer_cancel(this_cpu_ptr(&us_timer));
	if (core != NO_CORE)
		WRITE_ONCE(is_counted[core], false);
	/* The new lead's timer fires within a fraction of the time-out. */
	if (id == READ_ONCE(lead))
		WRITE_ONCE(lead, cpumask_any_but(cpu_online_mask, id));
	return 0;
}

/**
 * us_keepalive_start() - starts the keepalives of a new primary
 */
void us_keepalive_start(void)
{
	WRITE_ONCE(is_beating, true);
	cpus_read_lock();
	on_each_cpu(start_timer, NULL, 1);
	cpus_read_unlock();
}

/**
 * us_keepalive_stop() - stops the keepalives for good; from any context
 */
void us_keepalive_stop(void)
{
	WRITE_ONCE(is_beating, false);
}

bool us_is_beating(void)
{
	return READ_ONCE(is_beating);
}

u32 us_lead_cpu(void)
{
	return READ_ONCE(lead);
}

/* Returns the keepalives' number of the current core, for an epitaph. */
u32 us_core_of_this_cpu(void)
{
	u32 core = raw_cpu_read(us_core);

	return core == NO_CORE ? raw_smp_processor_id() : core;
}

static int choose_lead(void)
{
	if (cpu >= 0 && !(cpu < nr_cpu_ids && cpu_online(cpu))) {
		pr_err("cpu=%d: no such CPU is online\n", cpu);
		return -EINVAL;
	}
	lead = cpu >= 0 ? cpu : cpumask_first(cpu_online_mask);
	return 0;
}

int us_keepalive_init(void)
{
	unsigned int id;
	int error;

	ignores_hung = !strcmp(hung_cpu, "ignore");
	if (!ignores_hung && strcmp(hung_cpu, "dead")) {
		pr_err("hung_cpu=%s: can be dead or ignore\n", hung_cpu);
		return -EINVAL;
	}
	error = choose_lead();
	if (error)
		return error;
	for_each_possible_cpu(id) {
		hrtimer_setup(per_cpu_ptr(&us_timer, id), tick, CLOCK_MONOTONIC,
			      HRTIMER_MODE_REL_PINNED_HARD);
	}
	error = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "understudy:online",
				  came_online, goes_offline);
	if (error < 0)
		return error;
	hotplug_state = error;
	return 0;
}

/* Must not be called after us_keepalive_start(). */
void us_keepalive_exit(void)
{
	cpuhp_remove_state(hotplug_state);
}
