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

enum { READABLE, WRITABLE };

void virtq_chain_init(struct virtq_chain *chain, struct virtq_segment *segments, u16 room)
{
	*chain = (struct virtq_chain){ .segments = segments, .room = room };
}

int virtq_odd_segment(struct virtq *q, u64 addr, u32 len, bool out_of_order)
{
	if (out_of_order)
		return virtq_break(q, "a readable descriptor after a writable one", addr);
	if (!len)
		return 0;
	if (addr + (len - 1) < addr)
		return virtq_break(q, "a buffer goes past 2^64", addr);
	return virtq_break(q, "a chain of too many descriptors", addr);
}

int virtq_gather_end(struct virtq *q, struct virtq_chain *chain, const struct virtq_gather *gather)
{
	u64 total = gather->readable_length + gather->writable_length;

	if (unlikely(total > 4 * GiB))
		return virtq_break(q, "a chain of more than 4 GiB", total);
	chain->readable = (u16)gather->readable;
	chain->writable = (u16)(gather->count - gather->readable);
	chain->readable_length = gather->readable_length;
	chain->writable_length = gather->writable_length;
	chain->cursor[READABLE] = (struct virtq_cursor){ 0, 0, chain->readable };
	chain->cursor[WRITABLE] = (struct virtq_cursor){ 0, chain->readable, (u16)gather->count };
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
	result = q->packed ? virtq_packed_pop(q, chain) : virtq_split_pop(q, chain);
	if (result <= 0)
		return result;
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
	if (unlikely(!q->port->bus_master)) {
		virtq_break(q, "a buffer came back without bus mastering", chain->id);
		return;
	}
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

void virtq_push_all(struct virtq *q, struct virtq_chain *chains, const u32 *written, unsigned count)
{
	if (!count || unlikely(!is_taken(q, &chains[0])))
		return;
	if (unlikely(!q->port->bus_master)) {
		virtq_break(q, "a buffer came back without bus mastering", chains[0].id);
		return;
	}
	if (q->packed)
		virtq_packed_push_all(q, chains, written, count);
	else
		virtq_split_push_all(q, chains, written, count);
	for (unsigned i = 0; i < count; i++) {
		chains[i].generation = 0;
		q->taken -= chains[i].slots;
		q->unsignalled += chains[i].slots;
		q->pushed++;
	}
}

/*
 * ---- what is in them
 * ----------------------------------------------------------------------------------------
 */

/* The cursor goes to the segment with byte `offset`, which is less than the length of that side. */
static void seek(struct virtq_chain *chain, unsigned side, u64 offset)
{
	u16 i = chain->cursor[side].segment;
	u64 start = chain->cursor[side].start;

	if (offset < start) {
		i = side == WRITABLE ? chain->readable : 0;
		start = 0;
	}
	while (offset - start >= chain->segments[i].length)
		start += chain->segments[i++].length;
	chain->cursor[side].segment = i;
	chain->cursor[side].start = start;
}

/* Piece by piece, `*done` bytes before the first one that fails. */
static enum mem_result transfer(struct virtq *q, struct virtq_chain *chain, unsigned side, u64 offset,
				u8 *buffer, u64 length, u64 *done)
{
	u64 total = side == WRITABLE ? chain->writable_length : chain->readable_length;

	if (!is_taken(q, chain) || offset > total || length > total - offset)
		return MEM_ERROR;
	while (*done < length) {
		const struct virtq_segment *segment;
		enum mem_result result;
		u64 at, size;

		seek(chain, side, offset + *done);
		segment = &chain->segments[chain->cursor[side].segment];
		at = offset + *done - chain->cursor[side].start;
		size = MIN(segment->length - at, length - *done);
		result = side == WRITABLE ? dma_write(q->port, segment->address + at, buffer + *done, size)
					  : dma_read(q->port, segment->address + at, buffer + *done, size);
		if (result != MEM_OK) {
			chain->failed = chain->cursor[side].segment;
			return result;
		}
		*done += size;
	}
	return MEM_OK;
}

/* The way of nearly all: within the segment that the last transfer ended in, or within the next one. */
static inline bool within(const struct virtq *q, struct virtq_chain *chain, unsigned side, u64 offset,
			  u64 length, u64 *address)
{
	struct virtq_cursor *cursor = &chain->cursor[side];
	const struct virtq_segment *segment = &chain->segments[cursor->segment];
	u64 at = offset - cursor->start;

	if (at == segment->length && cursor->segment < cursor->end) {
		cursor->start = offset;
		cursor->segment++;
		segment++;
		at = 0;
	}
	if (cursor->segment >= cursor->end || at >= segment->length || length > segment->length - at ||
	    !is_taken(q, chain))
		return false;
	chain->failed = cursor->segment;
	*address = segment->address + at;
	return true;
}

enum mem_result virtq_read(struct virtq *q, struct virtq_chain *chain, u64 offset, void *buffer, u64 length)
{
	u64 done = 0, address;
	enum mem_result result;

	if (within(q, chain, READABLE, offset, length, &address))
		return dma_read(q->port, address, buffer, length);
	result = transfer(q, chain, READABLE, offset, buffer, length, &done);
	if (unlikely(result != MEM_OK))
		memset((u8 *)buffer + done, 0xff, length - done);
	return result;
}

enum mem_result virtq_write(struct virtq *q, struct virtq_chain *chain, u64 offset, const void *buffer,
			    u64 length)
{
	u64 done = 0, address;

	if (within(q, chain, WRITABLE, offset, length, &address))
		return dma_write(q->port, address, buffer, length);
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
