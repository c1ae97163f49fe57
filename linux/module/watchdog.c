// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Watchdogs of programs. A program that arms one must feed it. If it does not,
 * the primary ends, provided that there is a backup: so a backup also takes over
 * from a service that hangs while its kernel is healthy.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "core.h"
#include "understudy.h"

struct us_watchdog {
	struct list_head node;
	u64 period_ns;
	u64 fed_ns;
	bool is_reported;
	char name[UNDERSTUDY_NAME_BYTES + 1];
};

static LIST_HEAD(watchdogs);
static DEFINE_RAW_SPINLOCK(watchdogs_lock);

/**
 * us_watchdog_arm() - arms a new watchdog, which counts as fed
 * @period_ns: the longest time without feeding
 * @name: name of the program
 *
 * Return: the watchdog, which us_watchdog_disarm() frees; NULL if there is no
 * memory.
 */
struct us_watchdog *us_watchdog_arm(u64 period_ns, const char *name)
{
	struct us_watchdog *watchdog = kzalloc(sizeof(*watchdog), GFP_KERNEL);

	if (!watchdog)
		return NULL;
	strscpy(watchdog->name, name, sizeof(watchdog->name));
	watchdog->period_ns = period_ns;
	watchdog->fed_ns = us_now_ns();
	raw_spin_lock_irq(&watchdogs_lock);
	list_add(&watchdog->node, &watchdogs);
	raw_spin_unlock_irq(&watchdogs_lock);
	return watchdog;
}

void us_watchdog_rearm(struct us_watchdog *watchdog, u64 period_ns)
{
	raw_spin_lock_irq(&watchdogs_lock);
	watchdog->period_ns = period_ns;
	watchdog->fed_ns = us_now_ns();
	watchdog->is_reported = false;
	raw_spin_unlock_irq(&watchdogs_lock);
}

void us_watchdog_feed(struct us_watchdog *watchdog)
{
	us_watchdog_rearm(watchdog, READ_ONCE(watchdog->period_ns));
}

void us_watchdog_disarm(struct us_watchdog *watchdog)
{
	raw_spin_lock_irq(&watchdogs_lock);
	list_del(&watchdog->node);
	raw_spin_unlock_irq(&watchdogs_lock);
	kfree(watchdog);
}

static struct us_watchdog *find_expired(u64 now_ns)
{
	struct us_watchdog *watchdog;

	list_for_each_entry(watchdog, &watchdogs, node)
		if (now_ns > watchdog->fed_ns &&
		    now_ns - watchdog->fed_ns > watchdog->period_ns &&
		    !watchdog->is_reported)
			return watchdog;
	return NULL;
}

/**
 * us_watchdog_expired() - looks for a watchdog that has expired; in every tick
 * @message: receives the message about it
 * @size: size of @message, in bytes
 *
 * Return: whether the primary must end because of it. Without a backup, that
 * would not help, so the watchdog is only reported, once.
 */
bool us_watchdog_expired(char *message, size_t size)
{
	struct us_watchdog *watchdog;

	/* Its holder is arming or feeding a watchdog. The next tick is near. */
	if (!raw_spin_trylock(&watchdogs_lock))
		return false;
	watchdog = find_expired(us_now_ns());
	if (watchdog) {
		snprintf(message, size, "%s gave no sign of life for %llu ms",
			 watchdog->name,
			 (us_now_ns() - watchdog->fed_ns) / NSEC_PER_MSEC);
		watchdog->is_reported = true;
	}
	raw_spin_unlock(&watchdogs_lock);
	if (!watchdog)
		return false;
	if (us_is_protected())
		return true;
	pr_warn("%s; there is no backup to take over\n", message);
	return false;
}
