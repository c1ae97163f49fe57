/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * /dev/understudy: what a program can ask of the module. For root (mode 0600).
 *
 * write(2) appends one record (1 byte to 64 KiB) to the journal in the shared
 * region. When it returns, the record survives the death of this kernel.
 * Only in the primary. ENOSPC: the ring is full of records that nobody has
 * consumed yet; EROFS: this kernel is not the primary.
 *
 * mmap(2), MAP_SHARED only, gives memory at one of the two offsets below.
 *
 * Requests to the monitor (arm, disarm, retry) are no ioctl: they go through
 * the mailbox in the mapped region, see docs/shared-memory.md.
 *
 * What the monitor told this kernel at its start is in
 * /sys/firmware/acpi/tables/UNDS, 36 bytes behind its beginning.
 */
#ifndef UNDERSTUDY_H
#define UNDERSTUDY_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Offset for mmap: the shared region. Writable if the file was opened so. */
#define UNDERSTUDY_MMAP_SHARED	0ULL

/*
 * Offset for mmap: the spare slot, in which the next backup will wait. To
 * stage its image; only in the primary, and only while no backup is loaded.
 */
#define UNDERSTUDY_MMAP_SPARE	(1ULL << 40)

/* The largest record, in bytes. */
#define UNDERSTUDY_RECORD_MAX	65536

#define UNDERSTUDY_ROLE_PRIMARY	1
#define UNDERSTUDY_ROLE_BACKUP	2

/* struct understudy_info.flags */
#define UNDERSTUDY_FLAG_BEATING		(1U << 0) /* keepalives are being sent */
#define UNDERSTUDY_FLAG_RESUMED		(1U << 1) /* was parked and took over */
#define UNDERSTUDY_FLAG_REARM_AUTO	(1U << 2) /* failover_rearm=auto */
#define UNDERSTUDY_FLAG_ADOPTED		(1U << 3) /* has adopted the PCI bus */

/**
 * struct understudy_info - who this kernel is
 * @abi_revision: of the monitor and of this module
 * @journal_revision: likewise
 * @instance: 0 or 1
 * @role: UNDERSTUDY_ROLE_*
 * @flags: UNDERSTUDY_FLAG_*
 * @lead_cpu: the CPU that sends the keepalives
 * @epoch: the one in which this kernel became the primary; 0 in a backup
 * @shared_start: shared region, physical address
 * @shared_bytes: its length
 * @pmem_start: memory offered as a pmem range
 * @pmem_bytes: 0 if there is none
 * @slot_start: this instance's own slot
 * @slot_bytes: its length
 * @spare_start: the slot of the next backup
 * @spare_bytes: its length
 * @pool_bytes: memory that comes with the role of primary; 0 for one that has
 *	it from its boot
 * @added_bytes: how much of it was added
 */
struct understudy_info {
	__u32 abi_revision;
	__u32 journal_revision;
	__u32 instance;
	__u32 role;
	__u32 flags;
	__u32 lead_cpu;
	__u64 epoch;
	__u64 shared_start;
	__u64 shared_bytes;
	__u64 pmem_start;
	__u64 pmem_bytes;
	__u64 slot_start;
	__u64 slot_bytes;
	__u64 spare_start;
	__u64 spare_bytes;
	__u64 pool_bytes;
	__u64 added_bytes;
};

#define UNDERSTUDY_NAME_BYTES	28

/**
 * struct understudy_keepalive - a program's promise to give signs of life
 * @period_ms: the longest silence, 1 to 3600000
 * @name: who promises, for the epitaph; ends with a 0 byte or with the array
 */
struct understudy_keepalive {
	__u32 period_ms;
	char name[UNDERSTUDY_NAME_BYTES];
};

#define UNDERSTUDY_IOC	0xd6

#define UNDERSTUDY_INFO		_IOR(UNDERSTUDY_IOC, 0, struct understudy_info)

/*
 * Stamps an edge (its number is the value pointed to) of the takeover that
 * made this kernel the primary. The first stamp of an edge stays. EINVAL:
 * there is no such edge; EPERM: this kernel did not take over.
 */
#define UNDERSTUDY_STAMP	_IOW(UNDERSTUDY_IOC, 1, __u32)

/*
 * From here on this file is silent for no longer than the period, or the
 * primary gives up in favour of its backup. A promise is kept by BEAT and
 * ended by STOP and by nothing else: not by closing the file, not by the death
 * of the program. Without an armed backup a silence is only reported. START
 * again changes the period. EPERM: not the primary; ENOENT: BEAT or STOP
 * without START.
 */
#define UNDERSTUDY_KEEPALIVE_START \
	_IOW(UNDERSTUDY_IOC, 2, struct understudy_keepalive)
#define UNDERSTUDY_KEEPALIVE_BEAT	_IO(UNDERSTUDY_IOC, 3)
#define UNDERSTUDY_KEEPALIVE_STOP	_IO(UNDERSTUDY_IOC, 4)

/*
 * Hands over to the backup: this kernel ends here. What has to reach a disk
 * must be there before. Returns only if that did not happen: EPERM: not the
 * primary; ENODEV: no backup is armed; ETIME: the monitor did not answer.
 */
#define UNDERSTUDY_SWITCHOVER	_IO(UNDERSTUDY_IOC, 5)

/*
 * Adds the pool: memory that comes with the role of primary, in whole memory
 * blocks. Stores the bytes added up to now; can be repeated. To put the blocks
 * to use is left to userspace, or to the kernel's auto_online_blocks. EPERM:
 * not the primary.
 */
#define UNDERSTUDY_ADD_MEMORY	_IOR(UNDERSTUDY_IOC, 6, __u64)

#endif /* UNDERSTUDY_H */
