// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the whole module knows: the hand-off, the shared region, and the role
 * of this kernel. main.c fills it in before anything else starts.
 */
#include <linux/kernel.h>

#include "core.h"
#include "understudy.h"

struct us_linux_hand_off us_hand_off;
struct us_linux_function *us_functions;
void *us_region;
u64 us_ns_per_tick_q32;
u32 us_role = UNDERSTUDY_ROLE_BACKUP;
u64 us_epoch;

bool us_is_primary(void)
{
	return smp_load_acquire(&us_role) == UNDERSTUDY_ROLE_PRIMARY;
}

/**
 * us_become_primary() - takes up the role, in the current epoch
 *
 * The caller starts the keepalives.
 */
void us_become_primary(void)
{
	us_epoch = us_current_epoch();
	us_journal_begin();
	smp_store_release(us_word(US_AT_CONSOLE), US_CONSOLE_OWNER_INSTANCE_A +
						  us_hand_off.instance);
	smp_store_release(&us_role, UNDERSTUDY_ROLE_PRIMARY);
}
