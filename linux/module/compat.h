/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the kernels that this module is built for.
 *
 * Kbuild looks into a kernel's headers for each interface and defines
 * US_HAS_*: a version says little, because interfaces come back in point
 * releases. The rest of the module uses the newest form of each.
 */
#ifndef UNDERSTUDY_COMPAT_H
#define UNDERSTUDY_COMPAT_H

#include <linux/crc32.h>
#include <linux/hrtimer.h>
#include <asm/msr.h>
#include <asm/tsc.h>

/* Before 6.16. */
#ifndef US_HAS_RDMSRQ
#define rdmsrq rdmsrl
#define wrmsrq wrmsrl
#define rdmsrq_safe rdmsrl_safe
#define wrmsrq_safe wrmsrl_safe
#endif

/* Before 6.13. */
#ifndef US_HAS_HRTIMER_SETUP
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

/* Before 6.14, where the function of this name needs a module. */
static inline u32 us_crc32c(u32 crc, const void *bytes, size_t length)
{
#ifdef US_HAS_CRC32C_LE
	return __crc32c_le(crc, bytes, length);
#else
	return crc32c(crc, bytes, length);
#endif
}

/**
 * us_at_shutdown() - has a function called last before a reset of the machine
 * @shutdown: the function; it is called with interrupts off, on one CPU
 */
void us_at_shutdown(void (*shutdown)(void));

#endif
