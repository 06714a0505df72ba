// SPDX-License-Identifier: BSD-2-Clause
/*
 * Packed rings (virtio 1.2, 2.8):
 *
 *	desc	addr:64 len:32 id:16 flags:16, `size` of them
 *	driver	off:15 wrap:1 flags:16, when the driver wants an interrupt
 *	device	the same, when the device wants a notification
 *
 * A descriptor is available if its AVAIL bit is the wrap counter of the driver's side and its USED bit is not; the
 * device writes both as its own counter into the first place of what it gives back.
 */
#include "devices/virtqueue_ring.h"

#include <errno.h>

#define DESC_F_AVAIL 0x0080u
#define DESC_F_USED  0x8000u

enum { EVENT_ENABLE, EVENT_DISABLE, EVENT_DESC, EVENT_MASK };
#define EVENT_WRAP 0x8000u

void virtq_packed_start(struct virtq *q)
{
	q->avail_wrap = q->used_wrap = true;
	q->area[VIRTQ_DESC] = (struct virtq_area){ q->desc, 16u * q->size, .access = MEM_READ_WRITE };
	q->area[VIRTQ_DRIVER] = (struct virtq_area){ q->driver, 4, .access = MEM_READ };
	q->area[VIRTQ_DEVICE] = (struct virtq_area){ q->device, 4, .access = MEM_WRITE };
}

static void step(const struct virtq *q, u16 *place, bool *wrap, u16 slots)
{
	*place += slots;
	if (*place >= q->size) {
		*place -= q->size;
		*wrap = !*wrap;
	}
}

/* The half with the flags: one load, and the first one, so that the rest is not older than they are. */
static bool get_flags(struct virtq *q, u16 place, struct virtq_packed_desc *desc)
{
	u64 half;

	if (!virtq_load(q, VIRTQ_DESC, 16u * place + 8, 8, &half))
		return false;
	desc->len = (u32)half;
	desc->id = (u16)(half >> 32);
	desc->flags = (u16)(half >> 48);
	return true;
}

static bool is_available(const struct virtq *q, u16 flags)
{
	return !!(flags & DESC_F_AVAIL) == q->avail_wrap && !!(flags & DESC_F_USED) != q->avail_wrap;
}

/* One after the other; of their flags WRITE is the only one that counts. */
static inline int add_table(struct virtq *q, struct virtq_gather *gather, u64 addr, u32 len)
{
	struct virtq_packed_desc piece[VIRTQ_TABLE_PIECE];
	int entries = virtq_table_entries(q, addr, len), result;
	u32 count = entries > 0 ? (u32)entries : 0;

	for (u32 i = 0; i < count; i++) {
		const struct virtq_packed_desc *desc = &piece[i % VIRTQ_TABLE_PIECE];

		if (i % VIRTQ_TABLE_PIECE == 0) {
			result = virtq_read_table(q, addr, i, MIN(count - i, VIRTQ_TABLE_PIECE), piece);
			if (unlikely(result))
				return result;
		}
		result = virtq_add_segment(q, gather, desc->addr, desc->len, desc->flags);
		if (unlikely(result))
			return result;
	}
	return entries < 0 ? entries : 0;
}

static inline int add_desc(struct virtq *q, struct virtq_gather *gather, const struct virtq_packed_desc *desc,
			   bool alone)
{
	if (!(desc->flags & VIRTQ_DESC_F_INDIRECT))
		return virtq_add_segment(q, gather, desc->addr, desc->len, desc->flags);
	/* 2.8.17: not in a list. */
	if (unlikely(desc->flags & VIRTQ_DESC_F_NEXT || !alone))
		return virtq_break(q, "an indirect descriptor in a list", desc->addr);
	return add_table(q, gather, desc->addr, desc->len);
}

int virtq_packed_pop(struct virtq *q, struct virtq_chain *chain)
{
	struct virtq_gather gather = virtq_gather_start(chain);
	struct virtq_packed_desc desc;
	u16 place = q->next_avail;
	bool wrap = q->avail_wrap;

	if (!get_flags(q, place, &desc))
		return -EIO;
	if (!is_available(q, desc.flags))
		return 0;
	virtq_load_barrier();
	for (chain->slots = 1;; chain->slots++) {
		int result;

		if (unlikely(chain->slots > q->size - q->taken))
			return virtq_break(q, "more is available than the queue has room for", place);
		if (!virtq_load(q, VIRTQ_DESC, 16u * place, 8, &desc.addr))
			return -EIO;
		result = add_desc(q, &gather, &desc, chain->slots == 1);
		if (unlikely(result))
			return result;
		step(q, &place, &wrap, 1);
		if (!(desc.flags & VIRTQ_DESC_F_NEXT))
			break;
		if (!get_flags(q, place, &desc))
			return -EIO;
	}
	if (unlikely(virtq_gather_end(q, chain, &gather)))
		return -EIO;
	chain->id = desc.id;
	q->next_avail = place;
	q->avail_wrap = wrap;
	return 1;
}

void virtq_packed_push(struct virtq *q, const struct virtq_chain *chain, u32 written)
{
	u64 flags = (q->used_wrap ? DESC_F_AVAIL | DESC_F_USED : 0) | (written ? VIRTQ_DESC_F_WRITE : 0);

	/* Length, id and flags in one store: whoever sees the flags sees the rest. What it is about came before. */
	virtq_store_barrier();
	virtq_store(q, VIRTQ_DESC, 16u * q->next_used + 8, 8, flags << 48 | (u64)chain->id << 32 | written);
	step(q, &q->next_used, &q->used_wrap, chain->slots);
}

/* A driver goes by the first one: it is written last. */
void virtq_packed_push_all(struct virtq *q, const struct virtq_chain *chains, const u32 *written,
			   unsigned count)
{
	u16 first = q->next_used, end;
	bool first_wrap = q->used_wrap, end_wrap;

	step(q, &q->next_used, &q->used_wrap, chains[0].slots);
	for (unsigned i = 1; i < count; i++)
		virtq_packed_push(q, &chains[i], written[i]);
	if (unlikely(q->broken))
		return;
	end = q->next_used;
	end_wrap = q->used_wrap;
	q->next_used = first;
	q->used_wrap = first_wrap;
	virtq_packed_push(q, &chains[0], written[0]);
	q->next_used = end;
	q->used_wrap = end_wrap;
}

bool virtq_packed_interrupt(struct virtq *q, u32 moved)
{
	u64 event;
	u16 off;

	if (!virtq_load(q, VIRTQ_DRIVER, 0, 4, &event))
		return false;
	if ((event >> 16 & EVENT_MASK) != EVENT_DESC || !q->event_idx)
		return (event >> 16 & EVENT_MASK) != EVENT_DISABLE;
	off = (u16)(event & ~(u64)EVENT_WRAP);
	if (!!(event & EVENT_WRAP) != q->used_wrap)
		off -= q->size;
	return virtq_event_passed(off, q->next_used, moved);
}

bool virtq_packed_rearm(struct virtq *q)
{
	u64 event = EVENT_DESC << 16 | (q->avail_wrap ? EVENT_WRAP : 0) | q->next_avail;
	struct virtq_packed_desc desc;

	if (q->event_idx && !virtq_store(q, VIRTQ_DEVICE, 0, 4, event))
		return false;
	if (!q->event_idx && q->disarmed && !virtq_store(q, VIRTQ_DEVICE, 0, 4, EVENT_ENABLE << 16))
		return false;
	q->disarmed = false;
	/* Either the driver sees this, or what it made available before that is seen here. */
	virtq_full_barrier();
	return get_flags(q, q->next_avail, &desc) && is_available(q, desc.flags);
}

void virtq_packed_disarm(struct virtq *q)
{
	if (!q->disarmed)
		virtq_store(q, VIRTQ_DEVICE, 0, 4, EVENT_DISABLE << 16);
}
