// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pool: memory that belongs to the primary's role. A backup that has
 * taken over adds it to the small memory that it waited in.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mutex.h>

#include "core.h"

static u64 added_bytes;
static u32 ranges_done;
static DEFINE_MUTEX(add_lock);

u64 us_pool_bytes(void)
{
	u64 bytes = 0;
	u32 i;

	for (i = 0; i < us_hand_off.pool_count; i++)
		bytes += us_range_bytes(&us_hand_off.pool[i]);
	return bytes;
}

u64 us_added_bytes(void)
{
	return READ_ONCE(added_bytes);
}

/* Adds the whole memory blocks of a range; the kernel takes no smaller part. */
static int add_pool_range(const struct us_physical_range *range)
{
	u64 block = memory_block_size_bytes();
	u64 start = round_up(range->start, block);
	u64 end = round_down(range->end, block);
	int error;

	if (start >= end) {
		pr_warn("pool %#llx-%#llx holds no whole memory block of %llu MiB: left out\n",
			range->start, range->end, block >> 20);
		return 0;
	}
	error = add_memory_driver_managed(0, start, end - start,
					  "System RAM (understudy)",
					  MHP_MERGE_RESOURCE);
	if (error) {
		pr_err("pool %#llx-%#llx cannot be added: error %d\n", start, end, error);
		return error;
	}
	WRITE_ONCE(added_bytes, added_bytes + (end - start));
	pr_info("added %llu MiB at %#llx\n", (end - start) >> 20, start);
	return 0;
}

/**
 * us_add_memory() - adds the ranges that are not added yet
 *
 * Return: 0, or the first error; earlier ranges stay added.
 */
int us_add_memory(void)
{
	int error = 0;

	mutex_lock(&add_lock);
	while (!error && ranges_done < us_hand_off.pool_count) {
		error = add_pool_range(&us_hand_off.pool[ranges_done]);
		if (!error)
			ranges_done++;
	}
	mutex_unlock(&add_lock);
	return error;
}
