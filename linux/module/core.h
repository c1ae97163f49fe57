/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Declarations that the files of the module share. */
#ifndef UNDERSTUDY_CORE_H
#define UNDERSTUDY_CORE_H

#include <linux/compiler.h>
#include <linux/math64.h>
#include <linux/printk.h>
#include <linux/types.h>
#include <asm/barrier.h>

#include "compat.h"
#include "understudy_abi.h"

/* The monitor's hand-off. It never changes once the module is loaded. */
extern struct us_linux_hand_off us_hand_off;

/* The machine's PCI functions by rising addresses; us_hand_off.function_count of them. */
extern struct us_linux_function *us_functions;

/* The shared region. Others write it, so what is read there is a claim. */
extern void *us_region;

/* Nanoseconds per tick of the time-stamp counter, as a fraction of 2^32. */
extern u64 us_ns_per_tick_q32;

/* UNDERSTUDY_ROLE_*. It changes once, when a backup takes over. */
extern u32 us_role;

/* The epoch in which this kernel became the primary; 0 before. */
extern u64 us_epoch;

static inline u64 us_range_bytes(const struct us_physical_range *range)
{
	return range->end > range->start ? range->end - range->start : 0;
}

/**
 * us_now_ns() - returns the time since the machine's boot, in ns
 *
 * The arithmetic is that of the monitor's clock, so that the two do not drift
 * apart.
 */
static inline u64 us_now_ns(void)
{
	u64 ticks = rdtsc_ordered() - us_hand_off.tsc_at_boot;

	return mul_u64_u64_shr(ticks, us_ns_per_tick_q32, 32);
}

/* Returns a word of the control block. */
static inline u64 *us_word(size_t offset)
{
	return us_region + offset;
}

static inline struct us_resume_slot *us_resume_slot(u32 instance)
{
	return us_region + US_AT_RESUME_SLOTS + instance * US_RESUME_SLOT_STRIDE;
}

static inline u64 us_current_epoch(void)
{
	return smp_load_acquire(us_word(US_AT_EPOCH));
}

static inline bool us_is_protected(void)
{
	return smp_load_acquire(us_word(US_AT_PROTECTION)) ==
	       US_PROTECTION_STATE_ARMED;
}

/* context.c */
bool us_is_primary(void);
void us_become_primary(void);

/* timeline.c */
int us_stamp(u32 edge);

/* apic.c */
void us_send_ipi(u8 vector);
u64 us_apic_mode(void);
void us_restore_apic_mode(u64 mode);

/* keepalive.c */
int us_keepalive_init(void);
void us_keepalive_exit(void);
void us_keepalive_beat(void);
void us_keepalive_start(void);
void us_keepalive_stop(void);
bool us_is_beating(void);
u32 us_lead_cpu(void);
u32 us_core_of_this_cpu(void);

/* watchdog.c */
struct us_watchdog;
struct us_watchdog *us_watchdog_arm(u64 period_ns, const char *name);
void us_watchdog_rearm(struct us_watchdog *watchdog, u64 period_ns);
void us_watchdog_feed(struct us_watchdog *watchdog);
void us_watchdog_disarm(struct us_watchdog *watchdog);
bool us_watchdog_expired(char *message, size_t size);

/* death.c */
bool us_die(u64 cause, const char *message);
void us_await_fence(void);
void us_death_init(void);

/* virtualization.c */
bool us_leave_virtualization(void);
void us_leave_and_tell(void);
void us_virtualization_init(void);

/* park.c */
void us_park_init(void);
bool us_was_resumed(void);

/* config_space.c */
struct us_config_space {
	u32 first_bus;
	u32 last_bus;
	/* Where the first bus begins; NULL if there are only the ports. */
	void __iomem *ecam;
};

void us_config_space_init(struct us_config_space *space, const struct us_pci_root *root);
bool us_config_space_reaches(const struct us_config_space *space, unsigned int bus, int where);
u32 us_config_space_read(const struct us_config_space *space, unsigned int bus,
			 unsigned int devfn, int where, int size);
void us_config_space_write(const struct us_config_space *space, unsigned int bus,
			   unsigned int devfn, int where, int size, u32 value);

/* intx.c */
struct pci_dev;
int us_intx_init(void);
void us_intx_exit(void);
int us_intx_map(const struct pci_dev *device, u8 slot, u8 pin);

/* functions.c */
int us_functions_init(void);
void us_functions_exit(void);
int us_function_find(u32 address);
u32 us_function_address(u32 segment, unsigned int bus, unsigned int devfn);
bool us_function_is_own(int i, bool is_adopted);
bool us_functions_read_lists(void);
void us_functions_forget_warm(void);
bool us_warm_is_borrowed(void);

/* pci.c */
int us_pci_init(void);
void us_pci_exit(void);
void us_pci_warm(void);
void us_pci_release(void);
void us_pci_adopt(void);
bool us_pci_adopted(void);

/* memory.c */
int us_add_memory(void);
u64 us_pool_bytes(void);
u64 us_added_bytes(void);

/* pmem.c */
void us_pmem_init(void);

/* journal.c */
void us_journal_begin(void);
int us_journal_append(const char __user *payload, size_t bytes);

/* device.c */
int us_device_init(void);

#endif /* UNDERSTUDY_CORE_H */
