// SPDX-License-Identifier: BSD-2-Clause
#include "mm/dirty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/space.h"

int region_dirty_start(struct region *region, unsigned client)
{
	struct dirty_log *log = region->dirty;
	u64 pages = (region->last >> PAGE_SHIFT) + 1, words = (pages + 63) / 64;
	u64 *bitmap;

	if (client >= DIRTY_CLIENTS || region->kind != REGION_RAM)
		return -EINVAL;
	if (log && log->active & BIT(client))
		return -EBUSY;
	if (!log) {
		log = calloc(1, sizeof(*log));
		if (!log)
			return -ENOMEM;
		log->pages = pages;
		__atomic_store_n(&region->dirty, log, __ATOMIC_RELEASE);
	}
	bitmap = log->bitmap[client];
	if (!bitmap)
		bitmap = malloc(words * sizeof(u64));
	if (!bitmap)
		return -ENOMEM;
	memset(bitmap, 0, words * sizeof(u64));
	log->bitmap[client] = bitmap;
	__atomic_or_fetch(&log->active, (u32)BIT(client), __ATOMIC_RELEASE);
	region_changed(region);
	return 0;
}

void region_dirty_stop(struct region *region, unsigned client)
{
	if (!region->dirty || client >= DIRTY_CLIENTS || !(region->dirty->active & BIT(client)))
		return;
	__atomic_and_fetch(&region->dirty->active, ~(u32)BIT(client), __ATOMIC_RELEASE);
	region_changed(region);
}

void region_dirty_free(struct region *region)
{
	if (!region->dirty)
		return;
	for (unsigned client = 0; client < DIRTY_CLIENTS; client++)
		free(region->dirty->bitmap[client]);
	free(region->dirty);
	region->dirty = NULL;
}

/* The pages of [offset, offset + length) that the log has; false if none. */
static bool page_range(const struct dirty_log *log, u64 offset, u64 length, u64 *first, u64 *last)
{
	u64 end = length - 1 > ~0ull - offset ? ~0ull : offset + length - 1;

	*first = offset >> PAGE_SHIFT;
	*last = MIN(end >> PAGE_SHIFT, log->pages - 1);
	return length && *first < log->pages;
}

/* Bits of the word `word` that stand for pages in [first, last]. */
static u64 word_mask(u64 word, u64 first, u64 last)
{
	u64 low = word == first / 64 ? first % 64 : 0, high = word == last / 64 ? last % 64 : 63;

	return BITS(high, low);
}

void region_mark_dirty(struct region *region, u64 offset, u64 length)
{
	struct dirty_log *log = __atomic_load_n(&region->dirty, __ATOMIC_ACQUIRE);
	u32 active = log ? __atomic_load_n(&log->active, __ATOMIC_ACQUIRE) : 0;
	u64 first, last;

	if (!active || !page_range(log, offset, length, &first, &last))
		return;
	for (; active; active &= active - 1) {
		u64 *bitmap = log->bitmap[__builtin_ctz(active)];

		for (u64 word = first / 64; word <= last / 64; word++) {
			u64 mask = word_mask(word, first, last);

			/* A page that is written again and again costs a load. */
			if ((__atomic_load_n(&bitmap[word], __ATOMIC_RELAXED) & mask) != mask)
				__atomic_or_fetch(&bitmap[word], mask, __ATOMIC_RELEASE);
		}
	}
}

bool region_is_dirty(const struct region *region, unsigned client, u64 offset, u64 length)
{
	const struct dirty_log *log = region->dirty;
	u64 first, last;

	if (!log || client >= DIRTY_CLIENTS || !(log->active & BIT(client)) ||
	    !page_range(log, offset, length, &first, &last))
		return false;
	for (u64 word = first / 64; word <= last / 64; word++) {
		if (__atomic_load_n(&log->bitmap[client][word], __ATOMIC_RELAXED) &
		    word_mask(word, first, last))
			return true;
	}
	return false;
}

/*
 * ---- snapshot
 * -----------------------------------------------------------------------------------------------
 */

struct cleared {
	const struct region *region;
	u64 first, last; /* offsets in the region */
};

static void tell_space(struct address_space *as, void *to)
{
	const struct cleared *cleared = to;
	const struct flatview *view = as->view;

	/* More than one way may lead to a space. */
	if (as->told)
		return;
	as->told = true;
	for (u32 i = 0; as->listeners && i < view->count; i++) {
		const struct section *section = &view->sections[i];
		u64 end = section->offset + (section->last - section->first), from, until;

		if (section->region != cleared->region || section->kind == SECTION_UNCLAIMED ||
		    section->offset > cleared->last || end < cleared->first)
			continue;
		from = section->first + (MAX(cleared->first, section->offset) - section->offset);
		until = section->first + (MIN(cleared->last, end) - section->offset);
		for (struct mem_listener *listener = as->listeners; listener; listener = listener->next) {
			if (listener->dirty_cleared)
				listener->dirty_cleared(listener, section, from, until);
		}
	}
}

static void forget_told(struct address_space *as, void *to)
{
	(void)to;
	as->told = false;
}

static void tell_cleared(struct region *region, u64 first_page, u64 last_page)
{
	struct cleared cleared = {
		.region = region,
		.first = first_page << PAGE_SHIFT,
		.last = (last_page << PAGE_SHIFT) + PAGE_MASK,
	};

	region_each_space(region, tell_space, &cleared);
	region_each_space(region, forget_told, NULL);
}

u64 region_dirty_snapshot(struct region *region, unsigned client, u64 offset, u64 length, u64 *bits)
{
	struct dirty_log *log = region->dirty;
	u64 first, last, total = 0,
			 run = 0; /* run: dirty pages in a row that were not told yet, up to here */

	if (!log || client >= DIRTY_CLIENTS || !(log->active & BIT(client)) ||
	    !page_range(log, offset, length, &first, &last))
		return 0;
	if (bits)
		memset(bits, 0, ((last - first) / 64 + 1) * sizeof(u64));
	for (u64 page = first; page <= last;) {
		u64 word = page / 64, end = MIN(last, word * 64 + 63);
		u64 taken = __atomic_fetch_and(&log->bitmap[client][word], ~word_mask(word, page, end),
					       __ATOMIC_ACQ_REL);

		for (; page <= end; page++) {
			if (taken & BIT(page % 64)) {
				if (bits)
					bits[(page - first) / 64] |= BIT((page - first) % 64);
				total++;
				run++;
			} else if (run) {
				tell_cleared(region, page - run, page - 1);
				run = 0;
			}
		}
	}
	if (run)
		tell_cleared(region, last + 1 - run, last);
	return total;
}
