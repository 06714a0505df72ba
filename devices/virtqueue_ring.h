/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files of the queue engine: how a ring is accessed, and what the two formats have in common.
 *
 * An area is mapped when it is first used, as far as it goes on in host memory; what lies behind that, say a ring
 * over two pages that are no neighbours, is accessed through the port. Each access is one load or store of its size.
 */
#ifndef DEVICES_VIRTQUEUE_RING_H
#define DEVICES_VIRTQUEUE_RING_H

#include "devices/virtqueue.h"

enum virtq_area_index { VIRTQ_DESC, VIRTQ_DRIVER, VIRTQ_DEVICE, VIRTQ_AREAS };

/* Descriptor flags of both formats. */
#define VIRTQ_DESC_F_NEXT     1u
#define VIRTQ_DESC_F_WRITE    2u
#define VIRTQ_DESC_F_INDIRECT 4u

/* 2.7.5; an entry of the packed ring (2.8.13) has the same size, and the same first two fields. */
struct virtq_split_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct virtq_packed_desc {
	u64 addr;
	u32 len;
	u16 id, flags;
};
static_assert(sizeof(struct virtq_split_desc) == 16 && sizeof(struct virtq_packed_desc) == 16,
	      "descriptors as the specification has them");

/* How many descriptors of an indirect table are read at once. */
#define VIRTQ_TABLE_PIECE 16u

/* The queue is broken from now on: -EIO. `reason` is a literal. */
int virtq_break(struct virtq *q, const char *reason, u64 at);

static inline bool virtq_is_live(const struct virtq *q)
{
	return q->enabled && !q->broken && q->port->bus_master;
}

/* ---- loads and stores, by areas' offsets; false: the queue is broken ---- */

bool virtq_load_slow(struct virtq *q, enum virtq_area_index index, u32 offset, u32 size, u64 *value);
bool virtq_store_slow(struct virtq *q, enum virtq_area_index index, u32 offset, u32 size, u64 value);
void virtq_unmap(struct virtq *q);

/* NULL: not mapped, or not any more. */
static inline __attribute__((always_inline)) u8 *virtq_host(const struct virtq_area *area, u32 offset,
							    u32 size)
{
	return likely(offset + size <= area->mapped) && likely(mem_map_valid(&area->mapping))
		       ? area->mapping.host + offset
		       : NULL;
}

/* Host memory of any alignment; on x86 one instruction all the same. */
typedef u16 __attribute__((aligned(1), may_alias)) virtq_u16;
typedef u32 __attribute__((aligned(1), may_alias)) virtq_u32;
typedef u64 __attribute__((aligned(1), may_alias)) virtq_u64;

static inline u64 virtq_host_load(const u8 *host, u32 size)
{
	if (size == 2)
		return *(const volatile virtq_u16 *)host;
	if (size == 4)
		return *(const volatile virtq_u32 *)host;
	return *(const volatile virtq_u64 *)host;
}

static inline void virtq_host_store(u8 *host, u32 size, u64 value)
{
	if (size == 2)
		*(volatile virtq_u16 *)host = (u16)value;
	else if (size == 4)
		*(volatile virtq_u32 *)host = (u32)value;
	else
		*(volatile virtq_u64 *)host = value;
}

/* `size`: 2, 4 or 8. */
static inline __attribute__((always_inline)) bool virtq_load(struct virtq *q, enum virtq_area_index index,
							     u32 offset, u32 size, u64 *value)
{
	const u8 *host = virtq_host(&q->area[index], offset, size);

	if (unlikely(!host))
		return virtq_load_slow(q, index, offset, size, value);
	*value = virtq_host_load(host, size);
	return true;
}

static inline __attribute__((always_inline)) bool virtq_store(struct virtq *q, enum virtq_area_index index,
							      u32 offset, u32 size, u64 value)
{
	u8 *host = virtq_host(&q->area[index], offset, size);

	if (unlikely(!host))
		return virtq_store_slow(q, index, offset, size, value);
	virtq_host_store(host, size, value);
	mem_map_wrote(&q->area[index].mapping, offset, size);
	return true;
}

/* Order between what the driver sees, and what it is seen doing, on another CPU. */
static inline void virtq_load_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static inline void virtq_store_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void virtq_full_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---- chains ---- */

/* A chain while it is put together: of locals, as segments may lie anywhere for all that the compiler knows. */
struct virtq_gather {
	struct virtq_segment *segments;
	u64 readable_length, writable_length;
	u32 room, count, readable;
};

static inline struct virtq_gather virtq_gather_start(const struct virtq_chain *chain)
{
	return (struct virtq_gather){ .segments = chain->segments, .room = chain->room };
}

/* All are there: 0, or the queue is broken. Then they are the chain's. */
int virtq_gather_end(struct virtq *q, struct virtq_chain *chain, const struct virtq_gather *gather);

/* What is not just added: nothing to add, or something that breaks the queue. */
int virtq_odd_segment(struct virtq *q, u64 addr, u32 len, bool out_of_order);

/* A descriptor's buffer becomes the next segment. 0, or the queue is broken. */
static inline __attribute__((always_inline)) int
virtq_add_segment(struct virtq *q, struct virtq_gather *gather, u64 addr, u32 len, u16 flags)
{
	bool write = flags & VIRTQ_DESC_F_WRITE, out_of_order = !write && gather->writable_length;

	if (unlikely(!len) || unlikely(addr + (len - 1) < addr) || unlikely(gather->count >= gather->room) ||
	    unlikely(out_of_order))
		return virtq_odd_segment(q, addr, len, out_of_order);
	gather->segments[gather->count++] = (struct virtq_segment){ addr, len };
	if (write) {
		gather->writable_length += len;
	} else {
		gather->readable_length += len;
		gather->readable++;
	}
	return 0;
}

/* How many descriptors the table of `len` bytes has, or the queue is broken. */
int virtq_table_entries(struct virtq *q, u64 addr, u32 len);
/*
 * `count` descriptors of a table from the `first`th on, in one piece. 0, or the queue is broken: what stands in
 * the table is part of the ring.
 */
int virtq_read_table(struct virtq *q, u64 addr, u32 first, u32 count, void *descs);

/*
 * Event index, 2.7.10: is `event` among the last `moved` places before `now`, that is, was it stepped over?
 */
static inline bool virtq_event_passed(u16 event, u16 now, u32 moved)
{
	return (u16)(now - event - 1) < moved;
}

/* ---- the two formats; each is called for a live queue ---- */

void virtq_split_start(struct virtq *q); /* knows the areas */
int virtq_split_pop(struct virtq *q, struct virtq_chain *chain);
void virtq_split_push(struct virtq *q, const struct virtq_chain *chain, u32 written);
void virtq_split_push_all(struct virtq *q, const struct virtq_chain *chains, const u32 *written,
			  unsigned count);
bool virtq_split_interrupt(struct virtq *q, u32 moved);
bool virtq_split_rearm(struct virtq *q);
void virtq_split_disarm(struct virtq *q);

void virtq_packed_start(struct virtq *q);
int virtq_packed_pop(struct virtq *q, struct virtq_chain *chain);
void virtq_packed_push(struct virtq *q, const struct virtq_chain *chain, u32 written);
void virtq_packed_push_all(struct virtq *q, const struct virtq_chain *chains, const u32 *written,
			   unsigned count);
bool virtq_packed_interrupt(struct virtq *q, u32 moved);
bool virtq_packed_rearm(struct virtq *q);
void virtq_packed_disarm(struct virtq *q);

#endif
