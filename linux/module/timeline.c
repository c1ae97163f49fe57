// SPDX-License-Identifier: GPL-2.0-or-later
/* Stamps the edges of a takeover. */
#include <linux/errno.h>
#include <linux/kernel.h>

#include "core.h"

/**
 * us_stamp() - stamps an edge of the takeover that led to the current epoch
 * @edge: its number
 *
 * A second stamp of the same edge is ignored.
 *
 * Return: 0; -EINVAL if there is no such edge; -EPERM if the timeline is not
 * that of this epoch: then there was no takeover, or a later one has
 * overwritten it.
 */
int us_stamp(u32 edge)
{
	u64 epoch = us_current_epoch();
	struct us_timeline *timeline = us_region + US_AT_TIMELINES +
				       (epoch % US_TIMELINES) * US_TIMELINE_STRIDE;

	if (edge >= ARRAY_SIZE(timeline->edges_ns))
		return -EINVAL;
	if (smp_load_acquire(&timeline->epoch) != epoch || epoch == 0)
		return -EPERM;
	cmpxchg(&timeline->edges_ns[edge], 0, max(us_now_ns(), 1ULL));
	return 0;
}
