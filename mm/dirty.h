/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dirty log: which pages of a RAM region were written, for up to DIRTY_CLIENTS listeners of that
 * question.
 *
 * Everything that writes through this core tells it by itself. Who writes past it (a guest through EPT) calls
 * region_mark_dirty at the write fault. Marking is lock-free; it may run beside a snapshot: a page is in this
 * snapshot or in the next one.
 */
#ifndef MM_DIRTY_H
#define MM_DIRTY_H

#include "mm/region.h"

#define DIRTY_CLIENTS 4

struct dirty_log {
	/*
	 * One bit a page of PAGE_SIZE, from the region's start. Kept when logging stops: who marks beside it
	 * finds them.
	 */
	u64 *bitmap[DIRTY_CLIENTS];
	u64 pages;
	u32 active; /* bit n: client n */
};

/*
 * Starts with everything clean. -EINVAL: no RAM, or no such client; -EBUSY: it logs already; -ENOMEM. Takes
 * size / 32768 bytes until region_destroy. The region's sections get SECTION_DIRTY_LOG (listeners hear
 * `change`).
 */
int region_dirty_start(struct region *region, unsigned client);
void region_dirty_stop(struct region *region, unsigned client);
/* For region_destroy: nobody marks any more. */
void region_dirty_free(struct region *region);
static inline bool region_dirty_logging(const struct region *region)
{
	return region->dirty && __atomic_load_n(&region->dirty->active, __ATOMIC_RELAXED);
}

/* `length` bytes at `offset` were written; clipped to the region. */
void region_mark_dirty(struct region *region, u64 offset, u64 length);
bool region_is_dirty(const struct region *region, unsigned client, u64 offset, u64 length);

/*
 * Takes the client's bits of the pages that [offset, offset + length) touches and clears them. bits[0] bit 0
 * is the page of `offset`; bits may be NULL (just clear). Returns the number of dirty pages. Then every
 * listener of a space that shows one of these pages hears dirty_cleared for them, before this returns.
 */
u64 region_dirty_snapshot(struct region *region, unsigned client, u64 offset, u64 length, u64 *bits);

#endif
