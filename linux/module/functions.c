// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The monitor's list of PCI functions, and which of them this kernel may
 * touch: those of its own (warm=) while it is the backup, all when it is the
 * primary, and never those that are left to others (leave=) or that the
 * takeover has cut off.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core.h"

static char *warm;
module_param(warm, charp, 0444);
MODULE_PARM_DESC(warm, "PCI functions (bb:dd.f,...) that the backup adopts at once; \"all\": "
		 "all disks and network cards, until it parks, if no primary was started yet");

static char *leave;
module_param(leave, charp, 0444);
MODULE_PARM_DESC(leave, "PCI functions (bb:dd.f,...) that are never adopted");

/* What is known of each of us_functions. */
static struct {
	bool is_warm;
	bool is_left;
} *marks;

/* The warm functions are the machine's, and are released before a primary starts. */
static bool warm_is_borrowed;

/**
 * us_functions_init() - prepares for the lists
 */
int us_functions_init(void)
{
	marks = kvcalloc(max(us_hand_off.function_count, 1U), sizeof(*marks), GFP_KERNEL);
	return marks ? 0 : -ENOMEM;
}

/**
 * us_functions_exit() - undoes us_functions_init()
 */
void us_functions_exit(void)
{
	kvfree(marks);
}

/**
 * us_function_find() - finds the index of the function at an address
 *
 * A scan asks for each place on each bus, so the search is binary.
 *
 * Return: the index, or -1.
 */
int us_function_find(u32 address)
{
	u32 low = 0, high = us_hand_off.function_count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (us_functions[middle].address == address)
			return middle;
		if (us_functions[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

u32 us_function_address(u32 segment, unsigned int bus, unsigned int devfn)
{
	return segment << 16 | bus << 8 | devfn;
}

/* Returns whether the takeover has cut this function off, because it could
 * not be made quiet. */
static bool is_withheld(int i)
{
	return READ_ONCE(us_word(US_AT_WITHHELD)[i / 64]) >> (i % 64) & 1;
}

/**
 * us_function_is_own() - tells whether this kernel may touch a function
 * @i: its index
 * @is_adopted: whether this kernel has adopted all functions
 */
bool us_function_is_own(int i, bool is_adopted)
{
	return !marks[i].is_left && !is_withheld(i) && (marks[i].is_warm || is_adopted);
}

/* Returns the index of the function that @name names; -1 and a message if there is none. */
static int parse(const char *name)
{
	unsigned int segment = 0, bus, device, function;
	bool is_read;
	int i = -1;

	if (strchr(name, ':') == strrchr(name, ':'))
		is_read = sscanf(name, "%x:%x.%x", &bus, &device, &function) == 3;
	else
		is_read = sscanf(name, "%x:%x:%x.%x", &segment, &bus, &device, &function) == 4;
	if (is_read)
		i = us_function_find(us_function_address(segment, bus, PCI_DEVFN(device, function)));
	if (i < 0)
		pr_warn("PCI function %s: the monitor has not found it\n", name);
	return i;
}

/* Marks all disks and network cards, so that their drivers run once before it is urgent. */
static bool borrow_all(void)
{
	bool has_warm = false;
	u32 i;

	for (i = 0; i < us_hand_off.function_count; i++) {
		u8 class = us_functions[i].class >> 24;

		marks[i].is_warm = !marks[i].is_left &&
			(class == PCI_BASE_CLASS_STORAGE || class == PCI_BASE_CLASS_NETWORK);
		has_warm |= marks[i].is_warm;
	}
	warm_is_borrowed = true;
	return has_warm;
}

/**
 * us_functions_read_lists() - reads warm= and leave=, and marks these functions
 *
 * Return: whether a function is warm.
 */
bool us_functions_read_lists(void)
{
	char *warm_names = warm ? kstrdup(warm, GFP_KERNEL) : NULL;
	char *leave_names = leave ? kstrdup(leave, GFP_KERNEL) : NULL;
	char *rest = leave_names;
	bool has_warm = false;
	char *name;
	int i;

	while ((name = strsep(&rest, ",")))
		if (*name && (i = parse(name)) >= 0)
			marks[i].is_left = true;
	rest = warm_names;
	if (rest && !strcmp(rest, "all")) {
		has_warm = borrow_all();
		rest = NULL;
	}
	while ((name = strsep(&rest, ","))) {
		if (*name && (i = parse(name)) >= 0) {
			marks[i].is_warm = true;
			has_warm = true;
		}
	}
	kfree(warm_names);
	kfree(leave_names);
	return has_warm;
}

/**
 * us_functions_forget_warm() - leaves the warm functions alone until all are adopted
 */
void us_functions_forget_warm(void)
{
	u32 i;

	for (i = 0; i < us_hand_off.function_count; i++)
		marks[i].is_warm = false;
}

bool us_warm_is_borrowed(void)
{
	return warm_is_borrowed;
}
