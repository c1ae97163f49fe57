/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * /dev/understudy: the interface of the module for programs. For root (mode
 * 0600).
 *
 * write(2) appends one record (1 byte to 64 KiB) to the journal in the shared
 * region. When it returns, the record survives the death of this kernel. Only
 * in the primary. ENOSPC: the ring is full of records that were not consumed
 * yet; EROFS: this kernel is not the primary.
 *
 * mmap(2), with MAP_SHARED only, maps memory at one of the two offsets below.
 *
 * Requests to the monitor (arm, disarm, retry) are not ioctls: they go
 * through the mailbox in the mapped region, see docs/shared-memory.md.
 *
 * The monitor's hand-off to this kernel is in /sys/firmware/acpi/tables/UNDS,
 * from byte 36 on.
 */
#ifndef UNDERSTUDY_H
#define UNDERSTUDY_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Offset for mmap: the shared region. Writable if the file is. */
#define UNDERSTUDY_MMAP_SHARED	0ULL

/*
 * Offset for mmap: the spare slot, in which the next backup will wait. A
 * program stages its image there; only in the primary, and only while no
 * backup is loaded.
 */
#define UNDERSTUDY_MMAP_SPARE	(1ULL << 40)

/* Maximum length of a record, in bytes. */
#define UNDERSTUDY_RECORD_MAX	65536

#define UNDERSTUDY_ROLE_PRIMARY	1
#define UNDERSTUDY_ROLE_BACKUP	2

/* struct understudy_info.flags */
#define UNDERSTUDY_FLAG_BEATING		(1U << 0) /* keepalives are being sent */
#define UNDERSTUDY_FLAG_RESUMED		(1U << 1) /* was parked and took over */
#define UNDERSTUDY_FLAG_REARM_AUTO	(1U << 2) /* failover_rearm=auto */
#define UNDERSTUDY_FLAG_ADOPTED		(1U << 3) /* has adopted the PCI bus */

/**
 * struct understudy_info - which kernel this is
 * @abi_revision: ABI revision of the monitor and of this module
 * @journal_revision: journal revision of both
 * @instance: 0 or 1
 * @role: UNDERSTUDY_ROLE_*
 * @flags: UNDERSTUDY_FLAG_*
 * @lead_cpu: the CPU that sends the keepalives
 * @epoch: the epoch in which this kernel became the primary; 0 in a backup
 * @shared_start: shared region, physical address
 * @shared_bytes: its length
 * @pmem_start: memory offered as a pmem range
 * @pmem_bytes: 0 if there is none
 * @slot_start: this instance's own slot
 * @slot_bytes: its length
 * @spare_start: the slot of the next backup
 * @spare_bytes: its length
 * @pool_bytes: memory that belongs to the primary's role; 0 for a primary
 * that has it from its boot
 * @added_bytes: the part of it that was added
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
 * struct understudy_keepalive - a program's watchdog
 * @period_ms: the longest silence, 1 to 3600000
 * @name: name of the program, for the epitaph; ends with a 0 byte or with the
 * array
 */
struct understudy_keepalive {
	__u32 period_ms;
	char name[UNDERSTUDY_NAME_BYTES];
};

#define UNDERSTUDY_IOC	0xd6

#define UNDERSTUDY_INFO		_IOR(UNDERSTUDY_IOC, 0, struct understudy_info)

/*
 * Stamps an edge (its number is the value pointed to) of the takeover that
 * made this kernel the primary. A second stamp of the same edge is ignored.
 * EINVAL: there is no such edge; EPERM: this kernel did not take over.
 */
#define UNDERSTUDY_STAMP	_IOW(UNDERSTUDY_IOC, 1, __u32)

/*
 * START arms a watchdog for this file. If no BEAT comes for longer than the
 * period, the primary ends, and the backup takes over. Only STOP disarms it,
 * neither closing the file nor the death of the program. Without an armed
 * backup, the watchdog only reports. Another START changes the period. EPERM:
 * not the primary; ENOENT: BEAT or STOP without START.
 */
#define UNDERSTUDY_KEEPALIVE_START \
	_IOW(UNDERSTUDY_IOC, 2, struct understudy_keepalive)
#define UNDERSTUDY_KEEPALIVE_BEAT	_IO(UNDERSTUDY_IOC, 3)
#define UNDERSTUDY_KEEPALIVE_STOP	_IO(UNDERSTUDY_IOC, 4)

/*
 * Switches over to the backup: this kernel ends here. The caller must first
 * write to disks what has to reach them. Returns only if there was no
 * switchover: EPERM: not the primary; ENODEV: no backup is armed; ETIME: the
 * monitor did not answer.
 */
#define UNDERSTUDY_SWITCHOVER	_IO(UNDERSTUDY_IOC, 5)

/*
 * Adds the pool: memory that belongs to the primary's role, in whole memory
 * blocks. Stores the bytes added so far; can be repeated. Userspace brings
 * the blocks online, or the kernel's auto_online_blocks does. EPERM: not the
 * primary.
 */
#define UNDERSTUDY_ADD_MEMORY	_IOR(UNDERSTUDY_IOC, 6, __u64)

#endif /* UNDERSTUDY_H */
