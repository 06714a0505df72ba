// SPDX-License-Identifier: BSD-2-Clause
#include "devices/virtqueue.h"

#include <errno.h>
#include <string.h>

#include "devices/virtqueue_ring.h"

/*
 * ---- the queue
 * ----------------------------------------------------------------------------------------------
 */

void virtq_init(struct virtq *q, struct dma_port *port, u16 size_max)
{
	*q = (struct virtq){ .port = port, .size_max = size_max };
	virtq_reset(q);
}

void virtq_reset(struct virtq *q)
{
	virtq_unmap(q);
	*q = (struct virtq){
		.port = q->port,
		.size_max = q->size_max,
		.size = q->size_max,
		.vector = VIRTQ_NO_VECTOR,
		.generation = q->generation + 1 ? q->generation + 1 : 1,
		.popped = q->popped,
		.pushed = q->pushed,
	};
}

/* An area's place is known; can it be there? */
static int check_area(struct virtq *q, const struct virtq_area *area, u32 alignment)
{
	if (!IS_ALIGNED(area->address, alignment))
		return virtq_break(q, "a ring is not aligned", area->address);
	if (area->address + (area->length - 1) < area->address)
		return virtq_break(q, "a ring goes past 2^64", area->address);
	return 0;
}

int virtq_enable(struct virtq *q, u64 features)
{
	static const u8 split_alignment[VIRTQ_AREAS] = { 16, 2, 4 };
	static const u8 packed_alignment[VIRTQ_AREAS] = { 16, 4, 4 };

	q->packed = features & VIRTIO_F_RING_PACKED;
	q->event_idx = features & VIRTIO_F_EVENT_IDX;
	q->indirect = features & VIRTIO_F_INDIRECT_DESC;
	if (!q->size || q->size > q->size_max || (!q->packed && q->size & (q->size - 1))) {
		virtq_break(q, "its size is impossible", q->size);
		return -EINVAL;
	}
	if (q->packed)
		virtq_packed_start(q);
	else
		virtq_split_start(q);
	for (unsigned i = 0; i < VIRTQ_AREAS; i++) {
		if (check_area(q, &q->area[i], (q->packed ? packed_alignment : split_alignment)[i]))
			return -EINVAL;
	}
	q->enabled = true;
	return 0;
}

/*
 * ---- chains
 * -------------------------------------------------------------------------------------------------
 */

void virtq_chain_init(struct virtq_chain *chain, struct virtq_segment *segments, u16 room)
{
	*chain = (struct virtq_chain){ .segments = segments, .room = room };
}

int virtq_add_segment(struct virtq *q, struct virtq_chain *chain, u64 addr, u32 len, u16 flags)
{
	if (!(flags & VIRTQ_DESC_F_WRITE) && unlikely(chain->writable))
		return virtq_break(q, "a readable descriptor after a writable one", addr);
	if (unlikely(!len))
		return 0;
	if (unlikely(addr + (len - 1) < addr))
		return virtq_break(q, "a buffer goes past 2^64", addr);
	if (unlikely(chain->readable_length + chain->writable_length + len > 4 * GiB))
		return virtq_break(q, "a chain of more than 4 GiB", addr);
	if (unlikely(chain->readable + chain->writable >= chain->room))
		return virtq_break(q, "a chain of too many descriptors", chain->room);
	chain->segments[chain->readable + chain->writable] = (struct virtq_segment){ addr, len };
	if (flags & VIRTQ_DESC_F_WRITE) {
		chain->writable++;
		chain->writable_length += len;
	} else {
		chain->readable++;
		chain->readable_length += len;
	}
	return 0;
}

int virtq_table_entries(struct virtq *q, u64 addr, u32 len)
{
	u32 count = len / sizeof(struct virtq_split_desc);

	if (unlikely(!q->indirect))
		return virtq_break(q, "an indirect descriptor, which was not negotiated", addr);
	if (unlikely(!count || len % sizeof(struct virtq_split_desc)))
		return virtq_break(q, "an indirect table of an odd length", len);
	/* A driver may go no further than the queue's size (2.7.5.3.1); Linux goes by what the device offers. */
	if (unlikely(count > q->size_max))
		return virtq_break(q, "an indirect table longer than the queue", len);
	if (unlikely(addr + (len - 1) < addr))
		return virtq_break(q, "an indirect table goes past 2^64", addr);
	return (int)count;
}

int virtq_read_table(struct virtq *q, u64 addr, u32 first, u32 count, void *descs)
{
	addr += (u64)first * sizeof(struct virtq_split_desc);
	if (likely(dma_read(q->port, addr, descs, count * sizeof(struct virtq_split_desc)) == MEM_OK))
		return 0;
	return virtq_break(q, "no access to an indirect table", addr);
}

int virtq_pop(struct virtq *q, struct virtq_chain *chain)
{
	int result;

	chain->generation = 0;
	if (unlikely(!virtq_is_live(q)))
		return q->broken ? -EIO : 0;
	chain->readable = chain->writable = 0;
	chain->readable_length = chain->writable_length = 0;
	memset(chain->cursor, 0, sizeof(chain->cursor));
	result = q->packed ? virtq_packed_pop(q, chain) : virtq_split_pop(q, chain);
	if (result <= 0)
		return result;
	chain->cursor[1].segment = chain->readable;
	chain->generation = q->generation;
	q->taken += chain->slots;
	q->popped++;
	return 1;
}

static bool is_taken(const struct virtq *q, const struct virtq_chain *chain)
{
	return chain->generation == q->generation && !q->broken;
}

void virtq_push(struct virtq *q, struct virtq_chain *chain, u32 written)
{
	if (unlikely(!is_taken(q, chain)))
		return;
	chain->generation = 0;
	written = (u32)MIN(written, chain->writable_length);
	if (q->packed)
		virtq_packed_push(q, chain, written);
	else
		virtq_split_push(q, chain, written);
	q->taken -= chain->slots;
	q->unsignalled += chain->slots;
	q->pushed++;
}

/*
 * ---- what is in them
 * ----------------------------------------------------------------------------------------
 */

enum { READABLE, WRITABLE };

/* The segment with byte `offset`. Transfers go upwards as a rule: the search starts where the last one ended. */
static u16 find(struct virtq_chain *chain, unsigned side, u64 offset, u64 *start)
{
	u16 i = chain->cursor[side].segment;

	*start = chain->cursor[side].start;
	if (offset < *start) {
		i = side == WRITABLE ? chain->readable : 0;
		*start = 0;
	}
	while (offset - *start >= chain->segments[i].length)
		*start += chain->segments[i++].length;
	chain->cursor[side].segment = i;
	chain->cursor[side].start = *start;
	return i;
}

static enum mem_result transfer(struct virtq *q, struct virtq_chain *chain, unsigned side, u64 offset,
				u8 *buffer, u64 length, u64 *done)
{
	u64 total = side == WRITABLE ? chain->writable_length : chain->readable_length, start;

	if (unlikely(!is_taken(q, chain)) || unlikely(offset > total || length > total - offset))
		return MEM_ERROR;
	while (*done < length) {
		u16 i = find(chain, side, offset, &start);
		const struct virtq_segment *segment = &chain->segments[i];
		u64 at = offset - start, size = MIN(segment->length - at, length - *done);
		enum mem_result result =
			side == WRITABLE ? dma_write(q->port, segment->address + at, buffer + *done, size)
					 : dma_read(q->port, segment->address + at, buffer + *done, size);

		if (unlikely(result != MEM_OK)) {
			chain->failed = i;
			return result;
		}
		offset += size;
		*done += size;
	}
	return MEM_OK;
}

enum mem_result virtq_read(struct virtq *q, struct virtq_chain *chain, u64 offset, void *buffer, u64 length)
{
	u64 done = 0;
	enum mem_result result = transfer(q, chain, READABLE, offset, buffer, length, &done);

	if (unlikely(result != MEM_OK))
		memset((u8 *)buffer + done, 0xff, length - done);
	return result;
}

enum mem_result virtq_write(struct virtq *q, struct virtq_chain *chain, u64 offset, const void *buffer,
			    u64 length)
{
	u64 done = 0;

	return transfer(q, chain, WRITABLE, offset, (u8 *)buffer, length, &done);
}

/*
 * ---- who is to be told
 * --------------------------------------------------------------------------------------
 */

bool virtq_must_interrupt(struct virtq *q)
{
	u32 moved = q->unsignalled;

	if (!moved || unlikely(!virtq_is_live(q)))
		return false;
	q->unsignalled = 0;
	/* What was pushed is visible before the driver's wish is looked at. */
	virtq_full_barrier();
	return q->packed ? virtq_packed_interrupt(q, moved) : virtq_split_interrupt(q, moved);
}

bool virtq_rearm(struct virtq *q)
{
	if (unlikely(!virtq_is_live(q)))
		return false;
	return q->packed ? virtq_packed_rearm(q) : virtq_split_rearm(q);
}

void virtq_disarm(struct virtq *q)
{
	if (unlikely(!virtq_is_live(q)))
		return;
	if (q->packed)
		virtq_packed_disarm(q);
	else
		virtq_split_disarm(q);
	q->disarmed = true;
}
