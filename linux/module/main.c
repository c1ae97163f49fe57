// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads from the monitor's ACPI table which kernel this is, and starts what
 * its role needs. The monitor decides; the module does what only code inside
 * this kernel can do.
 *
 * The module cannot be unloaded, because a primary without keepalives is
 * dead.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/acpi.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "core.h"
#include "revisions.h"
#include "understudy.h"

/* A frequency out of this range is not that of an x86-64's counter. */
#define TSC_HZ_MIN	100000000ULL
#define TSC_HZ_MAX	100000000000ULL

static int check_hand_off(const struct us_linux_hand_off *h)
{
	u64 shared = us_range_bytes(&h->shared);

	if (h->instance >= US_INSTANCES || h->pool_count > ARRAY_SIZE(h->pool) ||
	    h->core_count == 0 || h->core_count > US_MAX_CORES ||
	    h->function_count > US_LINUX_FUNCTIONS_MAX ||
	    h->root_count > ARRAY_SIZE(h->roots) ||
	    shared <= US_CONTROL_BYTES || !PAGE_ALIGNED(h->shared.start) ||
	    !PAGE_ALIGNED(shared) || h->tsc_hz < TSC_HZ_MIN ||
	    h->tsc_hz > TSC_HZ_MAX || h->keepalive_ns == 0 ||
	    h->timeout_ns <= h->keepalive_ns) {
		pr_err("the hand-off in table " US_TABLE_SIGNATURE " makes no sense\n");
		return -EINVAL;
	}
	return 0;
}

/* Copies the hand-off and the functions behind it, and checks the hand-off. */
static int copy_hand_off(const struct acpi_table_header *table)
{
	size_t bytes = table->length - sizeof(*table);
	int error;

	if (bytes < sizeof(us_hand_off)) {
		pr_err("table " US_TABLE_SIGNATURE " has %u bytes, expected %zu at least\n",
		       table->length, sizeof(*table) + sizeof(us_hand_off));
		return -EINVAL;
	}
	memcpy(&us_hand_off, table + 1, sizeof(us_hand_off));
	error = check_hand_off(&us_hand_off);
	if (error)
		return error;
	bytes -= sizeof(us_hand_off);
	if (bytes != us_hand_off.function_count * sizeof(*us_functions)) {
		pr_err("table " US_TABLE_SIGNATURE " has %zu bytes for %u PCI functions\n",
		       bytes, us_hand_off.function_count);
		return -EINVAL;
	}
	us_functions = kvmalloc(max_t(size_t, bytes, 1), GFP_KERNEL);
	if (!us_functions)
		return -ENOMEM;
	memcpy(us_functions, (const void *)(table + 1) + sizeof(us_hand_off), bytes);
	return 0;
}

/* Reads the hand-off from its ACPI table. */
static int read_hand_off(void)
{
	struct acpi_table_header *table;
	acpi_status status;
	int error = 0;

	status = acpi_get_table(US_TABLE_SIGNATURE, 0, &table);
	if (ACPI_FAILURE(status)) {
		pr_err("not started by understudy (no ACPI table " US_TABLE_SIGNATURE ")\n");
		return -ENODEV;
	}
	if (table->length < sizeof(*table) + sizeof(u32) * 2) {
		pr_err("table " US_TABLE_SIGNATURE " has %u bytes only\n", table->length);
		error = -EINVAL;
	} else {
		/* The revisions are at the same place in all releases. */
		const u32 *revisions = (const u32 *)(table + 1);

		error = us_check_revisions(revisions[0], revisions[1], "the monitor");
	}
	if (!error)
		error = copy_hand_off(table);
	acpi_put_table(table);
	return error;
}

static int check_region(const struct us_header *header, u64 bytes)
{
	u64 magic = smp_load_acquire(&header->magic);
	u64 revisions = READ_ONCE(header->revisions);

	if (magic != US_CONTROL_MAGIC) {
		pr_err("no shared region at %#llx: magic %#llx\n",
		       us_hand_off.shared.start, magic);
		return -EINVAL;
	}
	if (READ_ONCE(header->region_bytes) != bytes ||
	    READ_ONCE(header->journal_bytes) != bytes - US_CONTROL_BYTES) {
		pr_err("the shared region says it has %llu bytes, %llu of them journal; it lies in %llu\n",
		       READ_ONCE(header->region_bytes),
		       READ_ONCE(header->journal_bytes), bytes);
		return -EINVAL;
	}
	return us_check_revisions(lower_32_bits(revisions),
			       upper_32_bits(revisions), "the shared region");
}

static int map_region(void)
{
	u64 bytes = us_range_bytes(&us_hand_off.shared);
	int error;

	us_region = memremap(us_hand_off.shared.start, bytes, MEMREMAP_WB);
	if (!us_region) {
		pr_err("cannot map the shared region at %#llx\n",
		       us_hand_off.shared.start);
		return -ENOMEM;
	}
	error = check_region(us_region + US_AT_HEADER, bytes);
	if (error)
		memunmap(us_region);
	return error;
}

static int __init us_init(void)
{
	struct us_header *header;
	int error;

	error = read_hand_off();
	if (error)
		return error;
	us_ns_per_tick_q32 = div64_u64((u64)NSEC_PER_SEC << 32, us_hand_off.tsc_hz);
	error = map_region();
	if (error)
		goto free;
	error = us_keepalive_init();
	if (error)
		goto unmap;
	error = us_pci_init();
	if (error)
		goto no_keepalive;
	error = us_device_init();
	if (error)
		goto no_pci;
	/* From here on, nothing fails and nothing is undone. */
	us_death_init();
	us_virtualization_init();
	us_pmem_init();
	header = us_region + US_AT_HEADER;
	if (READ_ONCE(header->primary_instance) == us_hand_off.instance) {
		us_become_primary();
		us_keepalive_start();
	} else {
		us_pci_warm();
	}
	us_park_init();
	pr_info("instance %u is the %s, epoch %llu, keepalive %llu us, time-out %llu us\n",
		us_hand_off.instance, us_is_primary() ? "primary" : "backup",
		us_current_epoch(), us_hand_off.keepalive_ns / NSEC_PER_USEC,
		us_hand_off.timeout_ns / NSEC_PER_USEC);
	return 0;

no_pci:
	us_pci_exit();
no_keepalive:
	us_keepalive_exit();
unmap:
	memunmap(us_region);
free:
	kvfree(us_functions);
	return error;
}
module_init(us_init);

MODULE_DESCRIPTION("Failover between two kernels on one machine");
MODULE_LICENSE("GPL");
