// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs that promise to give signs of life. A promise that is not kept is a
 * dead primary, as far as there is a backup: what the kernel alone cannot see,
 * the program on top of it can.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "core.h"
#include "understudy.h"

struct us_promise {
	struct list_head node;
	u64 period_ns;
	u64 kept_ns;
	bool is_reported;
	char name[UNDERSTUDY_NAME_BYTES + 1];
};

static LIST_HEAD(promises);
static DEFINE_RAW_SPINLOCK(promises_lock);

/**
 * us_promise_make() - a new promise, kept just now
 * @period_ns: the longest silence
 * @name: who promises
 *
 * Return: the promise, to be given back to us_promise_end(); NULL if there is
 * no memory.
 */
struct us_promise *us_promise_make(u64 period_ns, const char *name)
{
	struct us_promise *promise = kzalloc(sizeof(*promise), GFP_KERNEL);

	if (!promise)
		return NULL;
	strscpy(promise->name, name, sizeof(promise->name));
	promise->period_ns = period_ns;
	promise->kept_ns = us_now_ns();
	raw_spin_lock_irq(&promises_lock);
	list_add(&promise->node, &promises);
	raw_spin_unlock_irq(&promises_lock);
	return promise;
}

void us_promise_renew(struct us_promise *promise, u64 period_ns)
{
	raw_spin_lock_irq(&promises_lock);
	promise->period_ns = period_ns;
	promise->kept_ns = us_now_ns();
	promise->is_reported = false;
	raw_spin_unlock_irq(&promises_lock);
}

void us_promise_keep(struct us_promise *promise)
{
	us_promise_renew(promise, READ_ONCE(promise->period_ns));
}

void us_promise_end(struct us_promise *promise)
{
	raw_spin_lock_irq(&promises_lock);
	list_del(&promise->node);
	raw_spin_unlock_irq(&promises_lock);
	kfree(promise);
}

static struct us_promise *find_broken(u64 now_ns)
{
	struct us_promise *promise;

	list_for_each_entry(promise, &promises, node)
		if (now_ns > promise->kept_ns &&
		    now_ns - promise->kept_ns > promise->period_ns &&
		    !promise->is_reported)
			return promise;
	return NULL;
}

/**
 * us_promise_broken() - looks for a promise that was not kept; in every tick
 * @message: gets what to say about it
 * @size: room there, in bytes
 *
 * Return: whether the primary is to end because of it. Without a backup that
 * would help nobody, so there it is only reported, once.
 */
bool us_promise_broken(char *message, size_t size)
{
	struct us_promise *promise;

	/* Whoever holds it is making or keeping one. The next tick is near. */
	if (!raw_spin_trylock(&promises_lock))
		return false;
	promise = find_broken(us_now_ns());
	if (promise) {
		snprintf(message, size, "%s gave no sign of life for %llu ms",
			 promise->name,
			 (us_now_ns() - promise->kept_ns) / NSEC_PER_MSEC);
		promise->is_reported = true;
	}
	raw_spin_unlock(&promises_lock);
	if (!promise)
		return false;
	if (us_is_protected())
		return true;
	pr_warn("%s; there is no backup to take over\n", message);
	return false;
}
