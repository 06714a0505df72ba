// SPDX-License-Identifier: BSD-2-Clause
/*
 * Split rings (virtio 1.2, 2.7):
 *
 *	desc	addr:64 len:32 flags:16 next:16, `size` of them
 *	driver	flags:16 idx:16 ring:16[size] used_event:16
 *	device	flags:16 idx:16 { id:32 len:32 }[size] avail_event:16
 *
 * Both idx run freely modulo 2^16; `size` is a power of two.
 */
#include "devices/virtqueue_ring.h"

#include <errno.h>

enum {
	FLAGS = 0, /* of the available and the used ring */
	INDEX = 2,
	RING = 4,
};

#define AVAIL_F_NO_INTERRUPT 1u
#define USED_F_NO_NOTIFY     1u

static u32 used_event(const struct virtq *q)
{
	return RING + 2u * q->size;
}

static u32 avail_event(const struct virtq *q)
{
	return RING + 8u * q->size;
}

void virtq_split_start(struct virtq *q)
{
	u32 event = q->event_idx ? 2 : 0;

	q->area[VIRTQ_DESC] = (struct virtq_area){ q->desc, 16u * q->size, .access = MEM_READ };
	q->area[VIRTQ_DRIVER] = (struct virtq_area){ q->driver, used_event(q) + event, .access = MEM_READ };
	q->area[VIRTQ_DEVICE] = (struct virtq_area){ q->device, avail_event(q) + event, .access = MEM_WRITE };
}

/* How many heads are there to take; negative: the queue is broken. */
static int available(struct virtq *q)
{
	u64 idx;
	u16 ready;

	if (!virtq_load(q, VIRTQ_DRIVER, INDEX, 2, &idx))
		return -EIO;
	ready = (u16)(idx - q->next_avail);
	if (unlikely(ready > q->size - q->taken))
		return virtq_break(q, "more is available than the queue has room for", idx);
	return ready;
}

/* False: the queue is broken. */
static inline bool get_desc(struct virtq *q, u16 index, struct virtq_split_desc *desc)
{
	u32 offset = 16u * index;
	const u8 *host = virtq_host(&q->area[VIRTQ_DESC], offset, 16);
	u64 rest;

	if (unlikely(index >= q->size)) {
		virtq_break(q, "a descriptor beyond the table", index);
		return false;
	}
	if (likely(host)) {
		desc->addr = virtq_host_load(host, 8);
		rest = virtq_host_load(host + 8, 8);
	} else if (!virtq_load_slow(q, VIRTQ_DESC, offset, 8, &desc->addr) ||
		   !virtq_load_slow(q, VIRTQ_DESC, offset + 8, 8, &rest)) {
		return false;
	}
	desc->len = (u32)rest;
	desc->flags = (u16)(rest >> 32);
	desc->next = (u16)(rest >> 48);
	return true;
}

/* The table is read in pieces, from a descriptor that is needed on: Linux's are in order, and one piece does. */
static inline int add_table(struct virtq *q, struct virtq_gather *gather, u64 addr, u32 len)
{
	struct virtq_split_desc piece[VIRTQ_TABLE_PIECE];
	int entries = virtq_table_entries(q, addr, len), result;
	u32 count = entries > 0 ? (u32)entries : 0, first = 0, valid = 0, index = 0;

	for (u32 left = count; left; left--) {
		const struct virtq_split_desc *desc;

		if (index - first >= valid) {
			first = index;
			valid = MIN(count - index, VIRTQ_TABLE_PIECE);
			result = virtq_read_table(q, addr, first, valid, piece);
			if (unlikely(result))
				return result;
		}
		desc = &piece[index - first];
		if (unlikely(desc->flags & VIRTQ_DESC_F_INDIRECT))
			return virtq_break(q, "an indirect descriptor in an indirect table", desc->addr);
		result = virtq_add_segment(q, gather, desc->addr, desc->len, desc->flags);
		if (unlikely(result) || !(desc->flags & VIRTQ_DESC_F_NEXT))
			return result;
		index = desc->next;
		if (unlikely(index >= count))
			return virtq_break(q, "a descriptor beyond the indirect table", index);
	}
	return entries < 0 ? entries : virtq_break(q, "a loop in an indirect table", addr);
}

static inline int add_chain(struct virtq *q, struct virtq_gather *gather, u16 head)
{
	u16 index = head;

	/* More than the table has: some are there twice. */
	for (u32 left = q->size; left; left--) {
		struct virtq_split_desc desc;
		int result;

		if (unlikely(!get_desc(q, index, &desc)))
			return -EIO;
		if (desc.flags & VIRTQ_DESC_F_INDIRECT) {
			if (unlikely(desc.flags & VIRTQ_DESC_F_NEXT))
				return virtq_break(q, "an indirect descriptor that goes on", index);
			return add_table(q, gather, desc.addr, desc.len);
		}
		result = virtq_add_segment(q, gather, desc.addr, desc.len, desc.flags);
		if (unlikely(result) || !(desc.flags & VIRTQ_DESC_F_NEXT))
			return result;
		index = desc.next;
	}
	return virtq_break(q, "a loop of descriptors", head);
}

int virtq_split_pop(struct virtq *q, struct virtq_chain *chain)
{
	struct virtq_gather gather = virtq_gather_start(chain);
	int result = available(q);
	u64 head;

	if (result <= 0)
		return result;
	virtq_load_barrier();
	if (!virtq_load(q, VIRTQ_DRIVER, RING + 2u * (q->next_avail & (q->size - 1u)), 2, &head))
		return -EIO;
	chain->id = (u16)head;
	chain->slots = 1;
	result = add_chain(q, &gather, chain->id);
	if (likely(!result))
		result = virtq_gather_end(q, chain, &gather);
	if (unlikely(result))
		return result;
	q->next_avail++;
	return 1;
}

void virtq_split_push(struct virtq *q, const struct virtq_chain *chain, u32 written)
{
	u32 at = RING + 8u * (q->next_used & (q->size - 1u));

	if (!virtq_store(q, VIRTQ_DEVICE, at, 8, (u64)written << 32 | chain->id))
		return;
	virtq_store_barrier();
	virtq_store(q, VIRTQ_DEVICE, INDEX, 2, ++q->next_used);
}

void virtq_split_push_all(struct virtq *q, const struct virtq_chain *chains, const u32 *written,
			  unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		u32 at = RING + 8u * ((q->next_used + i) & (q->size - 1u));

		if (!virtq_store(q, VIRTQ_DEVICE, at, 8, (u64)written[i] << 32 | chains[i].id))
			return;
	}
	virtq_store_barrier();
	q->next_used = (u16)(q->next_used + count);
	virtq_store(q, VIRTQ_DEVICE, INDEX, 2, q->next_used);
}

bool virtq_split_interrupt(struct virtq *q, u32 moved)
{
	u64 value;

	if (!virtq_load(q, VIRTQ_DRIVER, q->event_idx ? used_event(q) : FLAGS, 2, &value))
		return false;
	return q->event_idx ? virtq_event_passed((u16)value, q->next_used, moved)
			    : !(value & AVAIL_F_NO_INTERRUPT);
}

bool virtq_split_rearm(struct virtq *q)
{
	if (q->event_idx && !virtq_store(q, VIRTQ_DEVICE, avail_event(q), 2, q->next_avail))
		return false;
	if (!q->event_idx && q->disarmed && !virtq_store(q, VIRTQ_DEVICE, FLAGS, 2, 0))
		return false;
	q->disarmed = false;
	/* Either the driver sees this, or what it made available before that is seen here. */
	virtq_full_barrier();
	return available(q) > 0;
}

void virtq_split_disarm(struct virtq *q)
{
	/* With event index an avail_event that stays behind does it. */
	if (!q->event_idx && !q->disarmed)
		virtq_store(q, VIRTQ_DEVICE, FLAGS, 2, USED_F_NO_NOTIFY);
}
