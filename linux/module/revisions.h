/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The check of revisions. It is a file of its own, so that a test on the host
 * can call it.
 */
#ifndef UNDERSTUDY_REVISIONS_H
#define UNDERSTUDY_REVISIONS_H

#include "understudy_abi.h"

/* Returns 0, or -EPROTO after it has named all four revisions. */
static inline int us_check_revisions(u32 abi, u32 journal, const char *whose)
{
	if (abi == US_ABI_REVISION && journal == US_JOURNAL_REVISION)
		return 0;
	pr_err("%s has ABI revision %u and journal revision %u; this module needs %u and %u: "
	       "use the one of the same release\n",
	       whose, abi, journal, US_ABI_REVISION, US_JOURNAL_REVISION);
	return -EPROTO;
}

#endif /* UNDERSTUDY_REVISIONS_H */
