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

/* The queue is broken from now on, if it was not before: -EIO. `reason` is a literal. */
int virtq_break(struct virtq *q, const char *reason, u64 at);

static inline bool virtq_is_live(const struct virtq *q)
{
	return q->enabled && !q->broken && q->port->bus_master;
}

/* ---- loads and stores, by areas' offsets; false: the queue is broken ---- */

bool virtq_load_slow(struct virtq *q, enum virtq_area_index index, u32 offset, u32 size, u64 *value);
bool virtq_store_slow(struct virtq *q, enum virtq_area_index index, u32 offset, u32 size, u64 value);
void virtq_unmap(struct virtq *q);

static inline bool virtq_is_mapped(const struct virtq *q, const struct virtq_area *area, u32 offset, u32 size)
{
	return likely(mem_map_valid(&area->mapping)) && likely(offset + size <= area->mapping.length) &&
	       likely(q->port->bus_master);
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
	const struct virtq_area *area = &q->area[index];

	if (unlikely(!virtq_is_mapped(q, area, offset, size)))
		return virtq_load_slow(q, index, offset, size, value);
	*value = virtq_host_load(area->mapping.host + offset, size);
	return true;
}

static inline __attribute__((always_inline)) bool virtq_store(struct virtq *q, enum virtq_area_index index,
							      u32 offset, u32 size, u64 value)
{
	struct virtq_area *area = &q->area[index];

	if (unlikely(!virtq_is_mapped(q, area, offset, size)))
		return virtq_store_slow(q, index, offset, size, value);
	virtq_host_store(area->mapping.host + offset, size, value);
	mem_map_wrote(&area->mapping, offset, size);
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

/* A descriptor's buffer becomes the chain's next segment. 0, or the queue is broken. */
int virtq_add_segment(struct virtq *q, struct virtq_chain *chain, u64 addr, u32 len, u16 flags);
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
bool virtq_split_interrupt(struct virtq *q, u32 moved);
bool virtq_split_rearm(struct virtq *q);
void virtq_split_disarm(struct virtq *q);

void virtq_packed_start(struct virtq *q);
int virtq_packed_pop(struct virtq *q, struct virtq_chain *chain);
void virtq_packed_push(struct virtq *q, const struct virtq_chain *chain, u32 written);
bool virtq_packed_interrupt(struct virtq *q, u32 moved);
bool virtq_packed_rearm(struct virtq *q);
void virtq_packed_disarm(struct virtq *q);

#endif
