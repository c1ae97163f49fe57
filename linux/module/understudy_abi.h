/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layouts and numbers that an instance shares with the monitor and with other instances.
 *
 * Generated from the crate `sharedmem` by
 *	cargo run -p abi-header > linux/module/understudy_abi.h
 * Do not edit: a test compares this file with the generated text.
 */
#ifndef UNDERSTUDY_ABI_H
#define UNDERSTUDY_ABI_H

/* Revisions */
#define US_ABI_REVISION                 8
#define US_JOURNAL_REVISION             1
#define US_CONTROL_MAGIC                0x5944545352444e55ULL
#define US_CONDEMNED_TAG                0xdead000000000000ULL
#define US_TABLE_SIGNATURE              "UNDS"

/* Sizes */
#define US_MAX_CORES                    512
#define US_LINUX_FUNCTIONS_MAX          4096
#define US_INSTANCES                    2
#define US_CONTROL_BYTES                0x200000
#define US_LOG_BYTES                    16384
#define US_TIMELINES                    16
#define US_EPITAPH_STRIDE               384
#define US_LOG_STRIDE                   16512
#define US_RESUME_SLOT_STRIDE           128
#define US_TIMELINE_STRIDE              216
#define US_CONDEMNED_STRIDE             128

/* Offsets in the control block */
#define US_AT_HEADER                    0x0
#define US_AT_EPOCH                     0x80
#define US_AT_PROTECTION                0x100
#define US_AT_PRIMARY_KEEPALIVE         0x180
#define US_AT_JOURNAL_RESERVED          0x2280
#define US_AT_JOURNAL_APPLIED           0x2300
#define US_AT_JOURNAL_CONSUMED          0x2380
#define US_AT_CONSOLE                   0x2600
#define US_AT_EPITAPHS                  0x2680
#define US_AT_TIMELINES                 0x2980
#define US_AT_INSTANCE_LOGS             0x7780
#define US_AT_RESUME_SLOTS              0xf880
#define US_AT_WITHHELD                  0xfc00
#define US_AT_CONDEMNED                 0xfe00

/* Journal */
#define US_RECORD_HEADER_BYTES          24
#define US_EPOCH_MAX                    0xffffffffffffULL

/* Instance */
#define US_INSTANCE_A                   0 /* the first primary */
#define US_INSTANCE_B                   1 /* the first backup */

/* Role */
#define US_ROLE_PRIMARY                 1 /* it serves, and owns the devices */
#define US_ROLE_BACKUP                  2 /* it waits beside a primary */

/* Vector */
#define US_VECTOR_KEEPALIVE_TO_SEAT     64 /* the primary's keepalive, to the seat */
#define US_VECTOR_EPITAPH               65 /* a dying primary's last interrupt, to the seat */
#define US_VECTOR_KEEPALIVE_TO_PRIMARY  66 /* the seat's keepalive, to the primary's first core */

/* ProtectionState */
#define US_PROTECTION_STATE_NO_BACKUP   0 /* no backup waits */
#define US_PROTECTION_STATE_ARMED       1 /* a backup waits that may take over */
#define US_PROTECTION_STATE_CLAIMED     2 /* a takeover is under way */
#define US_PROTECTION_STATE_DROPPED     3 /* the backup was dropped because the journal was full */
#define US_PROTECTION_STATE_FILLING     4 /* a new backup is receiving the state */

/* Obstacle */
#define US_OBSTACLE_NO_BACKUP           0 /* no backup waits */
#define US_OBSTACLE_BACKUP_DROPPED      1 /* the backup was dropped because the journal was full */
#define US_OBSTACLE_BACKUP_FILLING      2 /* a new backup is receiving the state */
#define US_OBSTACLE_TAKEOVER_UNDER_WAY  3 /* a takeover is under way */
#define US_OBSTACLE_SEAT_SILENT         4 /* the seat is silent */
#define US_OBSTACLE_CORES_MISSING       5 /* cores do not come when they are started, and may not stop either */
#define US_OBSTACLE_BACKUP_DOUBTED      6 /* the backup's state is not the primary's */
#define US_OBSTACLE_FENCE_REFUSED       7 /* cores did not prove that they have stopped */
#define US_OBSTACLE_STAGE_REFUSED       8 /* the interrupts or the devices could not be taken over */

/* ConsoleOwner */
#define US_CONSOLE_OWNER_MONITOR        0 /* the monitor */
#define US_CONSOLE_OWNER_INSTANCE_A     1 /* instance a */
#define US_CONSOLE_OWNER_INSTANCE_B     2 /* instance b */
#define US_CONSOLE_OWNER_NOBODY         0xffffffffffffffffULL /* nobody, until the next primary takes it */

/* Edge */
#define US_EDGE_LAST_KEEPALIVE          0 /* the newest keepalive of the dead primary was observed */
#define US_EDGE_DETECTED                1 /* the primary was declared dead */
#define US_EDGE_FENCED                  2 /* every core of the dead primary has checked in at the fence */
#define US_EDGE_INTERRUPTS_SEIZED       3 /* the monitor has taken the interrupt controllers */
#define US_EDGE_DEVICES_QUIET           4 /* no device of the dead primary masters the bus any more */
#define US_EDGE_RESUMED                 9 /* a parked kernel runs again */
#define US_EDGE_DEVICES_ADOPTED         5 /* the new primary brought the devices up */
#define US_EDGE_DISK_READABLE           10 /* the new primary has read from its disk */
#define US_EDGE_REPLAYED                6 /* the tail of the journal is applied */
#define US_EDGE_SERVING                 7 /* the service accepts requests */
#define US_EDGE_FIRST_REPLY             8 /* the first reply left */

/* Phase */
#define US_PHASE_DETECT                 0 /* from the last keepalive to the detection */
#define US_PHASE_FENCE                  1 /* from the detection until every core is fenced */
#define US_PHASE_INTERRUPTS             2 /* until the interrupt controllers are seized */
#define US_PHASE_DEVICES                3 /* until the devices are adopted */
#define US_PHASE_REPLAY                 4 /* until the tail of the journal is applied */
#define US_PHASE_FIRST_REPLY            5 /* until the first reply left */
#define US_PHASE_TOTAL                  6 /* from the detection to the first reply */

/* Counter */
#define US_COUNTER_FENCE_ROUNDS         0 /* rounds the fence needed */
#define US_COUNTER_CORES_LEFT           1 /* cores that told that they left virtualization for the fence */

/* Cause */
#define US_CAUSE_PANIC                  1 /* it left an epitaph */
#define US_CAUSE_SILENT                 2 /* no keepalive came within the time-out */
#define US_CAUSE_HUNG                   3 /* the main loop of a core stood still for the time-out */
#define US_CAUSE_NEVER_CAME_UP          4 /* no first keepalive came within the boot time-out */
#define US_CAUSE_IMAGE_REFUSED          5 /* its image was refused */
#define US_CAUSE_SWITCHOVER             6 /* it asked for a switchover */
#define US_CAUSE_REBOOT                 7 /* it asked to be started again */

/* StateFault */
#define US_STATE_FAULT_CORRUPT          1 /* a value in its memory is not what was stored */
#define US_STATE_FAULT_DIVERGED         2 /* two backups in a row had another state at one position of the journal */

/* BackupLoss */
#define US_BACKUP_LOSS_IMAGE_REFUSED    1 /* its image was refused */
#define US_BACKUP_LOSS_FAILED           2 /* it could not go on */
#define US_BACKUP_LOSS_CRASHED          3 /* it crashed on the seat */
#define US_BACKUP_LOSS_HUNG             4 /* it hung on the seat */
#define US_BACKUP_LOSS_DROPPED          5 /* the primary dropped it because the journal was full */
#define US_BACKUP_LOSS_PROMOTED         6 /* it became the primary */
#define US_BACKUP_LOSS_DISARMED         7 /* the operator disarmed it */
#define US_BACKUP_LOSS_UNFILLED         8 /* the primary died before the backup had the whole state */
#define US_BACKUP_LOSS_DAMAGED          9 /* a record that it read, its text or its page tables are damaged */
#define US_BACKUP_LOSS_DIVERGED         10 /* its state is not the primary's */
#define US_BACKUP_LOSS_OVERWRITTEN      11 /* the word that says that it waits was overwritten */
#define US_BACKUP_LOSS_CORRUPT          12 /* a value in its memory is not what was stored */

/* EpitaphState */
#define US_EPITAPH_STATE_EMPTY          0 /* nothing was written */
#define US_EPITAPH_STATE_WRITING        1 /* it is being written */
#define US_EPITAPH_STATE_WHOLE          2 /* it is complete */

/* EpitaphCause */
#define US_EPITAPH_CAUSE_PANIC          1 /* it panicked */
#define US_EPITAPH_CAUSE_EXCEPTION      2 /* a processor exception that nothing handles */
#define US_EPITAPH_CAUSE_SUPERSEDED     3 /* it found a foreign epoch: it had been fenced, or replaced */
#define US_EPITAPH_CAUSE_BOOT_FAILED    4 /* it could not boot */
#define US_EPITAPH_CAUSE_REBOOT         5 /* it asked to be started again */
#define US_EPITAPH_CAUSE_SWITCHOVER     6 /* it asked for a switchover */
#define US_EPITAPH_CAUSE_APPLICATION    7 /* a program's watchdog expired */
#define US_EPITAPH_CAUSE_SERVICE        8 /* its service did not answer the canary */
#define US_EPITAPH_CAUSE_DEVICE         9 /* its network card could not serve any longer */
#define US_EPITAPH_CAUSE_MEMORY_CHANGED 10 /* its memory was overwritten */
#define US_EPITAPH_CAUSE_STATE          11 /* its state was not what it should be */
#define US_EPITAPH_CAUSE_POWER_OFF      12 /* it was told to power the machine off */
#define US_EPITAPH_CAUSE_HALT           13 /* it was told to halt */

/* ParkState */
#define US_PARK_STATE_RUNNING           0 /* it runs, or was never started */
#define US_PARK_STATE_PARKED            1 /* it has saved everything and waits to be stopped, or is stopped */
#define US_PARK_STATE_RESUMED           2 /* it was resumed */

/* Command */
#define US_COMMAND_ARM                  1 /* load a new backup */
#define US_COMMAND_DISARM               2 /* give up the backup */
#define US_COMMAND_RETRY                3 /* try a refused takeover again */
#define US_COMMAND_LOAD                 4 /* load a native image in place of the present backup */
#define US_COMMAND_COMPUTE              5 /* give an order to a compute slice, or ask for its state */

/* ComputeOrder */
#define US_COMPUTE_ORDER_LIST           1 /* name all slices */
#define US_COMPUTE_ORDER_STATUS         2 /* say what it does */
#define US_COMPUTE_ORDER_START          3 /* begin anew; nothing of an earlier job is left */
#define US_COMPUTE_ORDER_STOP           4 /* stop its ranks */
#define US_COMPUTE_ORDER_LOG            5 /* read a piece of its log */
#define US_COMPUTE_ORDER_RESULT         6 /* read a piece of a result as of the last committed step */

/* ImageSource */
#define US_IMAGE_SOURCE_PRIMARY         0 /* `primary_kernel` of the boot line */
#define US_IMAGE_SOURCE_FAILOVER        1 /* `failover_kernel` of the boot line */
#define US_IMAGE_SOURCE_STAGED          2 /* the image that the arguments name */

/* Answer */
#define US_ANSWER_ACCEPTED              1 /* it is done, or under way */
#define US_ANSWER_REFUSED               2 /* it cannot be done, and the text says why */

/* RecordKind */
#define US_RECORD_KIND_INPUT            1 /* input of the native service */
#define US_RECORD_KIND_APPLICATION      2 /* what a program of a Linux appended through `/dev/understudy` */
#define US_RECORD_KIND_CONNECTION       3 /* a fact about a connection of the native service */
#define US_RECORD_KIND_STATUS           4 /* what a native primary knows of itself and its backup, for replies */
#define US_RECORD_KIND_CHECKPOINT       5 /* a section of a checkpoint, which holds a native primary's state */
#define US_RECORD_KIND_EPOCH            6 /* the first record of a new native primary */
#define US_RECORD_KIND_DIGEST           7 /* fingerprints of a native primary's state at this position */

/* EntryReason */
#define US_ENTRY_REASON_START_PRIMARY   1 /* first core of the primary, cold */
#define US_ENTRY_REASON_JOIN_CORE       2 /* a further core of the primary */
#define US_ENTRY_REASON_SEAT_INIT       3 /* get ready to wait, on the seat */
#define US_ENTRY_REASON_SEAT_STEP       4 /* apply what the journal holds, on the seat */
#define US_ENTRY_REASON_PROMOTE         5 /* become the primary, on a freed core */

/* SeatStatus */
#define US_SEAT_STATUS_IDLE             0 /* everything that may be applied is applied */
#define US_SEAT_STATUS_MORE             1 /* there is more: call again after looking at the detector */
#define US_SEAT_STATUS_FAILED           2 /* this backup cannot go on, and its log says why */
#define US_SEAT_STATUS_FILLING          3 /* everything in the journal is read, but the state is not complete yet */
#define US_SEAT_STATUS_DAMAGED          4 /* a record that the primary applied is damaged, missing or impossible */
#define US_SEAT_STATUS_DIVERGED         5 /* the state is not the primary's at the same position of the journal */
#define US_SEAT_STATUS_CORRUPT          6 /* a value in this backup's memory is not what was stored */

/* PromotionFault */
#define US_PROMOTION_FAULT_PANIC        1 /* it must panic */
#define US_PROMOTION_FAULT_HANG         2 /* it must hang */

/* DeviceRequest */
#define US_DEVICE_REQUEST_INFO          0 /* return which kernel this is */
#define US_DEVICE_REQUEST_STAMP         1 /* stamp an edge of the takeover that made this kernel the primary */
#define US_DEVICE_REQUEST_KEEPALIVE_START 2 /* arm the program's watchdog, or change its period */
#define US_DEVICE_REQUEST_KEEPALIVE_BEAT 3 /* feed the watchdog */
#define US_DEVICE_REQUEST_KEEPALIVE_STOP 4 /* disarm the watchdog */
#define US_DEVICE_REQUEST_SWITCHOVER    5 /* switch over to the backup */
#define US_DEVICE_REQUEST_ADD_MEMORY    6 /* add the memory that belongs to the primary's role */

/* DeviceFlag */
#define US_DEVICE_FLAG_BEATING          1 /* keepalives are being sent */
#define US_DEVICE_FLAG_RESUMED          2 /* it was parked and took over */
#define US_DEVICE_FLAG_REARM_AUTO       4 /* failover_rearm=auto */
#define US_DEVICE_FLAG_ADOPTED          8 /* it has adopted the PCI bus */

/* SliceEntry */
#define US_SLICE_ENTRY_FRESH            1 /* begin anew */
#define US_SLICE_ENTRY_RESUME           2 /* continue behind the last committed step, or begin if there is none */

/* SliceState */
#define US_SLICE_STATE_EMPTY            0 /* nothing was loaded */
#define US_SLICE_STATE_PREPARED         1 /* it is about to be entered */
#define US_SLICE_STATE_RUNNING          2 /* the computation runs */
#define US_SLICE_STATE_FINISHED         3 /* the computation is done */
#define US_SLICE_STATE_FAILED           4 /* the computation ended itself, and its epitaph says why */
#define US_SLICE_STATE_DIED             5 /* a rank died, and its epitaph says how */

/* DeathCause */
#define US_DEATH_CAUSE_EXCEPTION        1 /* a processor exception */
#define US_DEATH_CAUSE_PANIC            2 /* it panicked */
#define US_DEATH_CAUSE_REFUSED          3 /* it found an error, which the message names */

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
	u64 progress[512];
};
static_assert(offsetof(struct us_keepalive_slot, version) == 0);
static_assert(offsetof(struct us_keepalive_slot, sequence) == 8);
static_assert(offsetof(struct us_keepalive_slot, time_ns) == 16);
static_assert(offsetof(struct us_keepalive_slot, epoch) == 24);
static_assert(offsetof(struct us_keepalive_slot, cores) == 32);
static_assert(offsetof(struct us_keepalive_slot, progress) == 40);
static_assert(sizeof(struct us_keepalive_slot) == 4136);

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

struct us_resume_slot {
	u64 reset;
	u64 state;
	u64 page_table;
	u64 entry;
	u64 stack;
	u64 apic_id;
	u64 real_at_boot_ns;
};
static_assert(offsetof(struct us_resume_slot, reset) == 0);
static_assert(offsetof(struct us_resume_slot, state) == 8);
static_assert(offsetof(struct us_resume_slot, page_table) == 16);
static_assert(offsetof(struct us_resume_slot, entry) == 24);
static_assert(offsetof(struct us_resume_slot, stack) == 32);
static_assert(offsetof(struct us_resume_slot, apic_id) == 40);
static_assert(offsetof(struct us_resume_slot, real_at_boot_ns) == 48);
static_assert(sizeof(struct us_resume_slot) == 56);

struct us_condemned {
	u64 word;
	u64 heard;
	u64 left;
};
static_assert(offsetof(struct us_condemned, word) == 0);
static_assert(offsetof(struct us_condemned, heard) == 8);
static_assert(offsetof(struct us_condemned, left) == 16);
static_assert(sizeof(struct us_condemned) == 24);

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

struct us_pci_root {
	u32 segment;
	u32 first_bus;
	u32 last_bus;
	u32 reserved;
	u64 ecam;
};
static_assert(offsetof(struct us_pci_root, segment) == 0);
static_assert(offsetof(struct us_pci_root, first_bus) == 4);
static_assert(offsetof(struct us_pci_root, last_bus) == 8);
static_assert(offsetof(struct us_pci_root, reserved) == 12);
static_assert(offsetof(struct us_pci_root, ecam) == 16);
static_assert(sizeof(struct us_pci_root) == 24);

struct us_linux_hand_off {
	u32 abi_revision;
	u32 journal_revision;
	u32 instance;
	u32 rearm_auto;
	struct us_physical_range shared;
	struct us_physical_range pmem;
	struct us_physical_range slot;
	struct us_physical_range spare;
	struct us_physical_range pool[65];
	u32 pool_count;
	u32 seat_apic_id;
	u64 tsc_hz;
	u64 tsc_at_boot;
	u64 keepalive_ns;
	u64 timeout_ns;
	u32 core_count;
	u32 function_count;
	u32 root_count;
	u32 reserved;
	u32 core_apic_ids[512];
	u32 core_numbers[512];
	struct us_pci_root roots[64];
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
static_assert(offsetof(struct us_linux_hand_off, pool_count) == 1120);
static_assert(offsetof(struct us_linux_hand_off, seat_apic_id) == 1124);
static_assert(offsetof(struct us_linux_hand_off, tsc_hz) == 1128);
static_assert(offsetof(struct us_linux_hand_off, tsc_at_boot) == 1136);
static_assert(offsetof(struct us_linux_hand_off, keepalive_ns) == 1144);
static_assert(offsetof(struct us_linux_hand_off, timeout_ns) == 1152);
static_assert(offsetof(struct us_linux_hand_off, core_count) == 1160);
static_assert(offsetof(struct us_linux_hand_off, function_count) == 1164);
static_assert(offsetof(struct us_linux_hand_off, root_count) == 1168);
static_assert(offsetof(struct us_linux_hand_off, reserved) == 1172);
static_assert(offsetof(struct us_linux_hand_off, core_apic_ids) == 1176);
static_assert(offsetof(struct us_linux_hand_off, core_numbers) == 3224);
static_assert(offsetof(struct us_linux_hand_off, roots) == 5272);
static_assert(sizeof(struct us_linux_hand_off) == 6808);

#endif /* __ASSEMBLY__ */

#endif /* UNDERSTUDY_ABI_H */
