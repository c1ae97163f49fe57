// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Appends to the journal in the shared region, in the same steps and the same
 * format as the crate `journal`, which explains them.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"
#include "understudy.h"

/* A record as it is in the ring, without its position. */
struct record {
	u64 stamp;
	u64 length;
	u64 epoch_word;
	u64 payload[];
};
static_assert(sizeof(struct record) == US_RECORD_HEADER_BYTES);

/* One append at a time, so that everything below `reserved` is published. */
static DEFINE_MUTEX(append_lock);

/* A word that this module alone writes while it is the primary. */
struct own_word {
	const char *name;
	size_t offset;
	/* What it wrote last. */
	u64 value;
};

/* Under append_lock. */
static struct own_word own_reserved = { "reserved", US_AT_JOURNAL_RESERVED };
static struct own_word own_applied = { "applied", US_AT_JOURNAL_APPLIED };

static void adopt(struct own_word *own)
{
	own->value = smp_load_acquire(us_word(own->offset));
}

static void set(struct own_word *own, u64 value)
{
	own->value = value;
	smp_store_release(us_word(own->offset), value);
}

/* Writes the word again if somebody else wrote there. */
static void restore(const struct own_word *own)
{
	u64 found = smp_load_acquire(us_word(own->offset));

	if (found == own->value)
		return;
	smp_store_release(us_word(own->offset), own->value);
	pr_emerg_ratelimited("the word '%s' was %#llx and must be %#llx: somebody overwrote it, and it is restored\n",
			     own->name, found, own->value);
}

static u64 capacity_bytes(void)
{
	return us_range_bytes(&us_hand_off.shared) - US_CONTROL_BYTES;
}

/* The finaliser of SplitMix64. */
static u64 stamp_of(u64 position)
{
	const struct us_header *header = us_region + US_AT_HEADER;
	u64 mixed = READ_ONCE(header->journal_salt) + position;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
	return mixed ^ (mixed >> 31);
}

static u64 words_of(u64 bytes)
{
	return DIV_ROUND_UP(bytes, sizeof(u64));
}

static u32 checksum_of(const struct record *record, u64 position, u64 bytes)
{
	u64 head[] = { position, bytes, record->epoch_word };
	u32 crc = us_crc32c(~0, head, sizeof(head));

	return ~us_crc32c(crc, record->payload, words_of(bytes) * sizeof(u64));
}

/* Reserves @bytes of the ring. Programs append through this module only. */
static int reserve(u64 bytes, u64 *position)
{
	u64 consumed = smp_load_acquire(us_word(US_AT_JOURNAL_CONSUMED));
	u64 start = own_reserved.value;

	if (start < consumed || start - consumed > capacity_bytes() ||
	    start % sizeof(u64) || start + bytes < start)
		return -EIO;
	if (bytes > capacity_bytes() - (start - consumed))
		return -ENOSPC;
	set(&own_reserved, start + bytes);
	*position = start;
	return 0;
}

/* Writes all but the stamp, then the stamp, which publishes the record. */
static void publish(const struct record *record, u64 position, u64 bytes)
{
	const u64 *words = (const u64 *)record;
	u64 *ring = us_region + US_CONTROL_BYTES;
	u64 ring_words = capacity_bytes() / sizeof(u64);
	u64 first = position / sizeof(u64);
	u64 count = bytes / sizeof(u64);
	u64 i;

	for (i = 1; i < count; i++)
		WRITE_ONCE(ring[(first + i) % ring_words], words[i]);
	smp_store_release(&ring[first % ring_words], record->stamp);
}

static int append(struct record *record, u64 bytes)
{
	u64 record_bytes = sizeof(*record) + words_of(bytes) * sizeof(u64);
	u64 position;
	int error;

	mutex_lock(&append_lock);
	restore(&own_reserved);
	restore(&own_applied);
	error = reserve(record_bytes, &position);
	if (!error) {
		record->length = bytes | (u64)checksum_of(record, position, bytes) << 32;
		record->stamp = stamp_of(position);
		publish(record, position, record_bytes);
		set(&own_applied, position + record_bytes);
	}
	mutex_unlock(&append_lock);
	return error;
}

/**
 * us_journal_begin() - takes the journal over, for a new primary
 *
 * Nobody appends yet: this kernel has not taken up the role.
 */
void us_journal_begin(void)
{
	adopt(&own_reserved);
	adopt(&own_applied);
}

/**
 * us_journal_append() - appends a record; for the primary only
 * @payload: its content
 * @bytes: length, 1 to UNDERSTUDY_RECORD_MAX
 *
 * Return: 0: it is published; -EROFS: not the primary; -EMSGSIZE: too long
 * for this ring; -ENOSPC: the ring is full of records that were not consumed;
 * -EIO: the cursors contradict each other; -EFAULT; -ENOMEM.
 */
int us_journal_append(const char __user *payload, size_t bytes)
{
	struct record *record;
	int error = 0;

	if (!us_is_primary() || us_current_epoch() != us_epoch)
		return -EROFS;
	if (bytes == 0 || bytes > UNDERSTUDY_RECORD_MAX || bytes > capacity_bytes() / 4)
		return -EMSGSIZE;
	record = kvzalloc(sizeof(*record) + words_of(bytes) * sizeof(u64), GFP_KERNEL);
	if (!record)
		return -ENOMEM;
	record->epoch_word = (us_epoch & US_EPOCH_MAX) | (u64)US_RECORD_KIND_APPLICATION << 48;
	if (copy_from_user(record->payload, payload, bytes))
		error = -EFAULT;
	else
		error = append(record, bytes);
	kvfree(record);
	return error;
}
