// SPDX-License-Identifier: GPL-2.0-or-later
/* What differs between kernels and is more than a name: see compat.h. */
#include <linux/syscore_ops.h>

#include "compat.h"

static void (*at_shutdown)(void);

#ifdef US_HAS_SYSCORE
static void on_shutdown(void *unused)
#else
static void on_shutdown(void)
#endif
{
	at_shutdown();
}

#ifdef US_HAS_SYSCORE
static const struct syscore_ops operations = {
	.shutdown = on_shutdown,
};

static struct syscore syscore = {
	.ops = &operations,
};
#else
static struct syscore_ops operations = {
	.shutdown = on_shutdown,
};
#endif

void us_at_shutdown(void (*shutdown)(void))
{
	at_shutdown = shutdown;
#ifdef US_HAS_SYSCORE
	register_syscore(&syscore);
#else
	register_syscore_ops(&operations);
#endif
}
