// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The RAM disk. A kernel enters the range from its memory map into the
 * resource tree when it sets up PCI. A backup has no PCI then, so the driver
 * for such ranges finds none. This file enters it.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/ioport.h>
#include <linux/platform_device.h>

#include "core.h"

static struct resource pmem = {
	.name = "Persistent Memory (legacy)",
	.flags = IORESOURCE_MEM,
	.desc = IORES_DESC_PERSISTENT_MEMORY_LEGACY,
};

static int find(struct resource *found, void *unused)
{
	return 1;
}

/* Returns whether the kernel has entered the range itself. */
static bool is_known(void)
{
	return walk_iomem_res_desc(pmem.desc, pmem.flags, us_hand_off.pmem.start,
				   us_hand_off.pmem.end - 1, NULL, find) > 0;
}

/**
 * us_pmem_init() - makes the range of the RAM disk known to its driver,
 * nd_e820
 *
 * Continues without it if that fails, because a takeover does not depend on
 * it.
 */
void us_pmem_init(void)
{
	struct platform_device *device;
	int error;

	if (us_range_bytes(&us_hand_off.pmem) == 0 || is_known())
		return;
	pmem.start = us_hand_off.pmem.start;
	pmem.end = us_hand_off.pmem.end - 1;
	error = insert_resource(&iomem_resource, &pmem);
	if (error) {
		pr_err("pmem %pR cannot be entered: error %d\n", &pmem, error);
		return;
	}
	device = platform_device_register_simple("e820_pmem", PLATFORM_DEVID_NONE,
						 NULL, 0);
	if (IS_ERR(device))
		pr_err("no device for pmem %pR: error %ld\n", &pmem, PTR_ERR(device));
}
