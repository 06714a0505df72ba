/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A naive driver for split and packed rings, written from the specification (virtio 1.2, 2.7 and 2.8) and sharing
 * nothing with the engine. Every field goes through `at`, byte by byte.
 */
#ifndef TESTS_UNIT_VIRTQ_DRIVER_H
#define TESTS_UNIT_VIRTQ_DRIVER_H

#include "mm/types.h"

#define DRIVER_IDS 256

struct driver_piece {
	u64 address;
	u32 length;
};

struct virtq_driver {
	u8 *(*at)(void *memory, u64 address);
	void *memory;
	bool packed, event_idx;
	u16 size;
	u64 desc, driver, device;
	/* The driver's own. */
	bool id_used[DRIVER_IDS];
	u16 descs_of[DRIVER_IDS]; /* places of the ring that it takes */
	u16 head_of[DRIVER_IDS];  /* split */
	bool desc_used[DRIVER_IDS];
	u16 free;
	u16 avail_idx, used_idx;     /* split */
	u16 avail_place, used_place; /* packed */
	bool avail_wrap, used_wrap;
	u16 added; /* heads or places since the last look at whether to notify */
};

/* The areas are cleared. */
void driver_init(struct virtq_driver *d, u16 size, bool packed, bool event_idx, u64 desc, u64 driver,
		 u64 device);

u64 driver_get(struct virtq_driver *d, u64 address, unsigned size);
void driver_put(struct virtq_driver *d, u64 address, unsigned size, u64 value);
void driver_put_desc(struct virtq_driver *d, u64 table, u16 index, u64 addr, u32 len, u16 third, u16 fourth);

/*
 * Makes `out` + `in` pieces available; from piece `direct` on they stand in a table at `table` (0: no table; packed:
 * `direct` is 0 then). Its id, or -1: no room.
 */
int driver_add(struct virtq_driver *d, const struct driver_piece *pieces, unsigned out, unsigned in,
	       u64 table, unsigned direct);
/* Must the device be notified of what was added since the last question? */
bool driver_must_notify(struct virtq_driver *d);
/* The next used buffer: its id, or -1. */
int driver_get_used(struct virtq_driver *d, u32 *length);
/* An interrupt after `more` further used heads or places (event index), or at all. */
void driver_want_interrupt(struct virtq_driver *d, u16 more);
void driver_want_none(struct virtq_driver *d);

#endif
