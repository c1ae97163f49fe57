/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an instance shares with the monitor and with other instances.
 *
 * Generated from the crate `sharedmem` by
 *	cargo run -p abi-header > linux/module/understudy_abi.h
 * Do not edit: a test compares.
 */
#ifndef UNDERSTUDY_ABI_H
#define UNDERSTUDY_ABI_H

/* Revisions */
#define US_ABI_REVISION                 5
#define US_JOURNAL_REVISION             1
#define US_CONTROL_MAGIC                0x5944545352444e55ULL
#define US_TABLE_SIGNATURE              "UNDS"

/* Sizes */
#define US_MAX_CORES                    32
#define US_MAX_INSTANCES                2
#define US_CONTROL_BYTES                0x200000
#define US_LOG_BYTES                    16384
#define US_TIMELINES                    16
#define US_EPITAPH_STRIDE               384
#define US_LOG_STRIDE                   16512
#define US_DESK_STRIDE                  128
#define US_TIMELINE_STRIDE              216

/* Offsets in the control block */
#define US_AT_HEADER                    0x0
#define US_AT_EPOCH                     0x80
#define US_AT_PROTECTION                0x100
#define US_AT_PRIMARY_KEEPALIVE         0x180
#define US_AT_JOURNAL_RESERVED          0x480
#define US_AT_JOURNAL_APPLIED           0x500
#define US_AT_JOURNAL_CONSUMED          0x580
#define US_AT_CONSOLE_OWNER             0x800
#define US_AT_EPITAPHS                  0x880
#define US_AT_TIMELINES                 0xb80
#define US_AT_INSTANCE_LOGS             0x5980
#define US_AT_DESKS                     0xda80

/* Vectors */
#define US_VECTOR_KEEPALIVE             0x40
#define US_VECTOR_EPITAPH               0x41

/* Protection word */
#define US_PROTECTION_ARMED             0x1

/* State of an epitaph, and causes */
#define US_EPITAPH_EMPTY                0
#define US_EPITAPH_WRITING              1
#define US_EPITAPH_WHOLE                2
#define US_CAUSE_PANIC                  1
#define US_CAUSE_SUPERSEDED             3
#define US_CAUSE_REBOOT                 5
#define US_CAUSE_SWITCHOVER             6
#define US_CAUSE_APPLICATION            7

/* State of a desk */
#define US_DESK_RUNNING                 0
#define US_DESK_PARKED                  1
#define US_DESK_RESUMED                 2

/* Edges of a timeline */
#define US_EDGE_DEVICES_ADOPTED         5
#define US_EDGE_RESUMED                 9

/* Journal */
#define US_RECORD_HEADER_BYTES          24
#define US_RECORD_KIND_APPLICATION      2
#define US_EPOCH_MAX                    0xffffffffffffULL

#ifndef __ASSEMBLY__

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

struct us_header {
	u64 magic;
	u64 revisions;
	u64 region_bytes;
	u64 journal_bytes;
	u64 journal_salt;
	u64 primary_instance;
	u64 time_before_ns;
	u64 resets;
};
static_assert(offsetof(struct us_header, magic) == 0);
static_assert(offsetof(struct us_header, revisions) == 8);
static_assert(offsetof(struct us_header, region_bytes) == 16);
static_assert(offsetof(struct us_header, journal_bytes) == 24);
static_assert(offsetof(struct us_header, journal_salt) == 32);
static_assert(offsetof(struct us_header, primary_instance) == 40);
static_assert(offsetof(struct us_header, time_before_ns) == 48);
static_assert(offsetof(struct us_header, resets) == 56);
static_assert(sizeof(struct us_header) == 64);

struct us_keepalive_slot {
	u64 version;
	u64 sequence;
	u64 time_ns;
	u64 epoch;
	u64 cores;
	u64 progress[32];
};
static_assert(offsetof(struct us_keepalive_slot, version) == 0);
static_assert(offsetof(struct us_keepalive_slot, sequence) == 8);
static_assert(offsetof(struct us_keepalive_slot, time_ns) == 16);
static_assert(offsetof(struct us_keepalive_slot, epoch) == 24);
static_assert(offsetof(struct us_keepalive_slot, cores) == 32);
static_assert(offsetof(struct us_keepalive_slot, progress) == 40);
static_assert(sizeof(struct us_keepalive_slot) == 296);

struct us_epitaph {
	u64 state;
	u64 epoch;
	u64 cause;
	u64 core;
	u64 vector;
	u64 error_code;
	u64 address;
	u64 rip;
	u64 rsp;
	u64 time_ns;
	u64 message_len;
	u64 message[32];
};
static_assert(offsetof(struct us_epitaph, state) == 0);
static_assert(offsetof(struct us_epitaph, epoch) == 8);
static_assert(offsetof(struct us_epitaph, cause) == 16);
static_assert(offsetof(struct us_epitaph, core) == 24);
static_assert(offsetof(struct us_epitaph, vector) == 32);
static_assert(offsetof(struct us_epitaph, error_code) == 40);
static_assert(offsetof(struct us_epitaph, address) == 48);
static_assert(offsetof(struct us_epitaph, rip) == 56);
static_assert(offsetof(struct us_epitaph, rsp) == 64);
static_assert(offsetof(struct us_epitaph, time_ns) == 72);
static_assert(offsetof(struct us_epitaph, message_len) == 80);
static_assert(offsetof(struct us_epitaph, message) == 88);
static_assert(sizeof(struct us_epitaph) == 344);

struct us_timeline {
	u64 epoch;
	u64 cause;
	u64 core;
	u64 edges_ns[16];
	u64 counters[8];
};
static_assert(offsetof(struct us_timeline, epoch) == 0);
static_assert(offsetof(struct us_timeline, cause) == 8);
static_assert(offsetof(struct us_timeline, core) == 16);
static_assert(offsetof(struct us_timeline, edges_ns) == 24);
static_assert(offsetof(struct us_timeline, counters) == 152);
static_assert(sizeof(struct us_timeline) == 216);

struct us_log_ring {
	u64 written;
	u64 drained;
	u8 bytes[16384];
};
static_assert(offsetof(struct us_log_ring, written) == 0);
static_assert(offsetof(struct us_log_ring, drained) == 8);
static_assert(offsetof(struct us_log_ring, bytes) == 16);
static_assert(sizeof(struct us_log_ring) == 16400);

struct us_linux_desk {
	u64 reset;
	u64 state;
	u64 page_table;
	u64 entry;
	u64 stack;
	u64 apic_id;
	u64 real_at_boot_ns;
};
static_assert(offsetof(struct us_linux_desk, reset) == 0);
static_assert(offsetof(struct us_linux_desk, state) == 8);
static_assert(offsetof(struct us_linux_desk, page_table) == 16);
static_assert(offsetof(struct us_linux_desk, entry) == 24);
static_assert(offsetof(struct us_linux_desk, stack) == 32);
static_assert(offsetof(struct us_linux_desk, apic_id) == 40);
static_assert(offsetof(struct us_linux_desk, real_at_boot_ns) == 48);
static_assert(sizeof(struct us_linux_desk) == 56);

struct us_physical_range {
	u64 start;
	u64 end;
};
static_assert(offsetof(struct us_physical_range, start) == 0);
static_assert(offsetof(struct us_physical_range, end) == 8);
static_assert(sizeof(struct us_physical_range) == 16);

struct us_linux_function {
	u32 address;
	u32 id;
	u32 class;
	u32 header;
	u32 bars[6];
	u32 bar_masks[6];
	u32 rom;
	u32 rom_mask;
};
static_assert(offsetof(struct us_linux_function, address) == 0);
static_assert(offsetof(struct us_linux_function, id) == 4);
static_assert(offsetof(struct us_linux_function, class) == 8);
static_assert(offsetof(struct us_linux_function, header) == 12);
static_assert(offsetof(struct us_linux_function, bars) == 16);
static_assert(offsetof(struct us_linux_function, bar_masks) == 40);
static_assert(offsetof(struct us_linux_function, rom) == 64);
static_assert(offsetof(struct us_linux_function, rom_mask) == 68);
static_assert(sizeof(struct us_linux_function) == 72);

struct us_linux_hand_off {
	u32 abi_revision;
	u32 journal_revision;
	u32 instance;
	u32 rearm_auto;
	struct us_physical_range shared;
	struct us_physical_range pmem;
	struct us_physical_range slot;
	struct us_physical_range spare;
	struct us_physical_range pool[8];
	u32 pool_count;
	u32 seat_apic_id;
	u64 tsc_hz;
	u64 tsc_at_boot;
	u64 keepalive_ns;
	u64 timeout_ns;
	u64 ecam;
	u32 core_count;
	u32 function_count;
	u32 core_apic_ids[32];
	u32 core_numbers[32];
	struct us_linux_function functions[64];
};
static_assert(offsetof(struct us_linux_hand_off, abi_revision) == 0);
static_assert(offsetof(struct us_linux_hand_off, journal_revision) == 4);
static_assert(offsetof(struct us_linux_hand_off, instance) == 8);
static_assert(offsetof(struct us_linux_hand_off, rearm_auto) == 12);
static_assert(offsetof(struct us_linux_hand_off, shared) == 16);
static_assert(offsetof(struct us_linux_hand_off, pmem) == 32);
static_assert(offsetof(struct us_linux_hand_off, slot) == 48);
static_assert(offsetof(struct us_linux_hand_off, spare) == 64);
static_assert(offsetof(struct us_linux_hand_off, pool) == 80);
static_assert(offsetof(struct us_linux_hand_off, pool_count) == 208);
static_assert(offsetof(struct us_linux_hand_off, seat_apic_id) == 212);
static_assert(offsetof(struct us_linux_hand_off, tsc_hz) == 216);
static_assert(offsetof(struct us_linux_hand_off, tsc_at_boot) == 224);
static_assert(offsetof(struct us_linux_hand_off, keepalive_ns) == 232);
static_assert(offsetof(struct us_linux_hand_off, timeout_ns) == 240);
static_assert(offsetof(struct us_linux_hand_off, ecam) == 248);
static_assert(offsetof(struct us_linux_hand_off, core_count) == 256);
static_assert(offsetof(struct us_linux_hand_off, function_count) == 260);
static_assert(offsetof(struct us_linux_hand_off, core_apic_ids) == 264);
static_assert(offsetof(struct us_linux_hand_off, core_numbers) == 392);
static_assert(offsetof(struct us_linux_hand_off, functions) == 520);
static_assert(sizeof(struct us_linux_hand_off) == 5128);

#endif /* __ASSEMBLY__ */

#endif /* UNDERSTUDY_ABI_H */
