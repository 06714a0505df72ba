/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtqueues, the device's side: split and packed rings, indirect descriptors, event index (virtio 1.2,
 * sections 2.6 to 2.8), all through the device's DMA port.
 *
 *	while (virtq_pop(q, &chain) > 0) {		at most q->size times in one go
 *		virtq_read(q, &chain, ...);		what the driver gave, any number of times
 *		virtq_write(q, &chain, ...);		what it gets
 *		virtq_push(q, &chain, written);		or later, in any order
 *	}
 *	more = virtq_rearm(q);				true: others brought more meanwhile, come back soon
 *	if (virtq_must_interrupt(q))
 *		...
 *	if (q->broken)					the transport: DEVICE_NEEDS_RESET, one line, with the reason
 *		...
 *
 * The guest may change any byte of a ring at any time. Each descriptor is copied once, then judged, and the copy
 * is what counts. What a driver must not do, and what cannot be accessed of a ring itself, breaks the queue: from
 * then on nothing is read or written for it until virtq_reset(). What cannot be accessed of a buffer is the
 * result of that one virtq_read or virtq_write.
 *
 * Rings stay mapped (mm/map.h) while the translation lasts: every access asks whether it still does; every call,
 * whether the function is bus master. Where devices run on several CPUs, the device's lock is held around all of this, and
 * taken by what the port calls when a mapping is revoked.
 */
#ifndef DEVICES_VIRTQUEUE_H
#define DEVICES_VIRTQUEUE_H

#include "devices/dma.h"

#define VIRTQ_SIZE_MAX	256
#define VIRTQ_NO_VECTOR 0xffff

/* Of the feature bits (virtio 1.2, 6) those that a queue knows. */
#define VIRTIO_F_INDIRECT_DESC BIT(28)
#define VIRTIO_F_EVENT_IDX     BIT(29)
#define VIRTIO_F_RING_PACKED   BIT(34)

/* Part of a buffer: never empty, never past 2^64. */
struct virtq_segment {
	u64 address;
	u32 length;
};

/* Where the last transfer went: a segment, the offset of its first byte; the one behind the last of its side. */
struct virtq_cursor {
	u64 start;
	u16 segment, end;
};

/*
 * A buffer that the driver made available, as virtq_pop() copied it. A device may keep several, each with
 * segments of its own. After virtq_push(), or when the queue was reset, it stands for nothing.
 */
struct virtq_chain {
	struct virtq_segment *segments; /* first what the device reads, then what it writes */
	u16 room;			/* for so many */
	u16 readable, writable;		/* so many of each */
	u16 failed;			/* index of the segment where a transfer ended that was not MEM_OK */
	u64 readable_length, writable_length; /* in bytes; at most 4 GiB together */
	/* Private to the queue. */
	u16 id, slots;
	u32 generation;		       /* 0: stands for nothing */
	struct virtq_cursor cursor[2]; /* readable, writable */
};

/* Part of a ring. */
struct virtq_area {
	u64 address;
	u32 length;
	u32 mapped; /* so many bytes from its start, or were */
	u8 access;  /* enum mem_access */
	struct mem_mapping mapping;
};

struct virtq {
	/* The transport's, to set while the queue is not enabled. */
	u16 size;
	u16 vector; /* for MSI-X; VIRTQ_NO_VECTOR: none. The queue does not look at it */
	u64 desc;   /* bus address of the descriptors */
	u64 driver; /* of the available ring (split), the driver's event area (packed) */
	u64 device; /* of the used ring, the device's event area */
	/* To look at. */
	u16 size_max;
	bool enabled, packed, event_idx, indirect;
	const char *broken; /* why; NULL: is not */
	u64 broken_at;	    /* the index, length or address that was wrong */
	u64 popped, pushed; /* since virtq_init */
	/* Private to the queue. */
	struct dma_port *port;
	u32 generation;		   /* of chains */
	u16 next_avail, next_used; /* free-running (split), or places in the ring (packed) */
	bool avail_wrap, used_wrap;
	u16 taken;	 /* heads (split) or places (packed) between pop and push */
	u32 unsignalled; /* the same, pushed since virtq_must_interrupt() */
	bool disarmed;
	struct virtq_area area[3]; /* desc, driver, device */
};

/* `size_max`: at most VIRTQ_SIZE_MAX, a power of two if the device offers split rings. `port` outlives it. */
void virtq_init(struct virtq *q, struct dma_port *port, u16 size_max);
/* Forgets all but port, size_max and counters: not enabled, no addresses, not broken, size is size_max. */
void virtq_reset(struct virtq *q);
/*
 * `features`: negotiated. -EINVAL for addresses or a size that cannot be (2.7, 2.8): the queue is broken and not
 * enabled. Touches no memory.
 */
int virtq_enable(struct virtq *q, u64 features);

/* Once, before the first pop. `segments` lives as long as the chain. */
void virtq_chain_init(struct virtq_chain *chain, struct virtq_segment *segments, u16 room);
/*
 * The next available buffer. 1: there it is; 0: there is none (or the queue is not enabled, or the function not
 * bus master); -EIO: the queue is broken. More segments than the chain has room for break it too: `room` is what
 * the device promises its driver, up to VIRTQ_SIZE_MAX.
 */
int virtq_pop(struct virtq *q, struct virtq_chain *chain);
/*
 * Between the device's memory and bytes offset.. of what the chain lets it read, or write: straight, without a
 * copy in between. MEM_OK: all of it; MEM_ERROR: the chain is shorter, or stands for nothing: no byte is moved.
 * Otherwise what the port said; segments before chain->failed were done, those behind it were not tried. What was
 * not read is filled with ones.
 */
enum mem_result virtq_read(struct virtq *q, struct virtq_chain *chain, u64 offset, void *buffer, u64 length);
enum mem_result virtq_write(struct virtq *q, struct virtq_chain *chain, u64 offset, const void *buffer,
			    u64 length);
/* Gives it back, `written` bytes of it filled. Does nothing for a chain that stands for nothing. */
void virtq_push(struct virtq *q, struct virtq_chain *chain, u32 written);
/* The same for several, in this order; a driver that sees the first one sees all. `written`: none beyond its chain. */
void virtq_push_all(struct virtq *q, struct virtq_chain *chains, const u32 *written, unsigned count);

/* After some pushes: does the driver want to hear of them? Asks once: then they count as told. */
bool virtq_must_interrupt(struct virtq *q);
/*
 * The driver shall notify again when it makes more available. True: there is more already, of which it may have
 * said nothing.
 */
bool virtq_rearm(struct virtq *q);
/* It need not until virtq_rearm(). For a device that waits for something else; never needed. */
void virtq_disarm(struct virtq *q);

#endif
