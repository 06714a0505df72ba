// SPDX-License-Identifier: BSD-2-Clause
#include "mm/doorbell.h"

#include <errno.h>
#include <string.h>

/*
 * ---- doorbells
 * ----------------------------------------------------------------------------------------------
 */

static bool both_answer(const struct doorbell *a, const struct doorbell *b)
{
	return a->offset == b->offset && (!a->size || !b->size || a->size == b->size) &&
	       (!a->match_data || !b->match_data || a->data == b->data);
}

int doorbell_add(struct region *region, struct doorbell *doorbell)
{
	if (!region->ops || !doorbell->ring || doorbell->offset > region->last ||
	    (doorbell->size && region->last - doorbell->offset < doorbell->size - 1))
		return -EINVAL;
	for (const struct doorbell *other = region->doorbells; other; other = other->next) {
		if (both_answer(other, doorbell))
			return -EEXIST;
	}
	doorbell->next = region->doorbells;
	__atomic_store_n(&region->doorbells, doorbell, __ATOMIC_RELEASE);
	/* With the first one the sections lose their shortcut for writes. */
	if (!doorbell->next)
		region_changed(region);
	return 0;
}

/* `doorbell` keeps its `next`: a reader that stands on it finds the rest of the list. */
void doorbell_remove(struct region *region, struct doorbell *doorbell)
{
	for (struct doorbell **link = &region->doorbells; *link; link = &(*link)->next) {
		if (*link != doorbell)
			continue;
		__atomic_store_n(link, doorbell->next, __ATOMIC_RELEASE);
		if (!region->doorbells)
			region_changed(region);
		return;
	}
}

bool doorbell_try(const struct region *region, u64 offset, unsigned size, u64 value)
{
	const struct doorbell *doorbell = __atomic_load_n(&region->doorbells, __ATOMIC_ACQUIRE);

	for (; doorbell; doorbell = __atomic_load_n(&doorbell->next, __ATOMIC_ACQUIRE)) {
		if (doorbell->offset == offset && (!doorbell->size || doorbell->size == size) &&
		    (!doorbell->match_data || doorbell->data == value)) {
			doorbell->ring(doorbell->device, value);
			return true;
		}
	}
	return false;
}

/*
 * ---- coalesced writes
 * ---------------------------------------------------------------------------------------
 */

int coalesced_attach(struct region *region, struct coalesced *coalesced)
{
	if (coalesced && (!region->ops || !region->ops->write || region->ops->endian != MEM_LITTLE_ENDIAN))
		return -EINVAL;
	if (region->coalesced)
		coalesced_flush(region);
	if (coalesced)
		*coalesced = (struct coalesced){ 0 };
	region->coalesced = coalesced;
	region_changed(region);
	return 0;
}

int coalesced_add_range(struct region *region, u64 offset, u64 length)
{
	struct coalesced *coalesced = region->coalesced;

	if (!coalesced || !length || offset > region->last || region->last - offset < length - 1)
		return -EINVAL;
	if (coalesced->range_count == COALESCED_RANGES)
		return -ENOSPC;
	coalesced->range[coalesced->range_count].first = offset;
	coalesced->range[coalesced->range_count].last = offset + (length - 1);
	coalesced->range_count++;
	return 0;
}

/* What the ops write while flushing goes to them at once: nothing is kept and nothing flushed twice. */
enum mem_result coalesced_flush(struct region *region)
{
	struct coalesced *coalesced = region->coalesced;
	enum mem_result result = MEM_OK;

	if (!coalesced || !coalesced->count || coalesced->flushing)
		return MEM_OK;
	coalesced->flushing = true;
	for (unsigned i = 0; i < coalesced->count; i++)
		result |= region->ops->write(region->device, coalesced->ring[i].offset,
					     coalesced->ring[i].size, coalesced->ring[i].value);
	coalesced->count = 0;
	coalesced->flushes++;
	coalesced->flushing = false;
	return result;
}

bool coalesced_keep(struct region *region, u64 offset, unsigned size, u64 value)
{
	struct coalesced *coalesced = region->coalesced;

	if (coalesced->flushing)
		return false;
	for (unsigned i = 0; i < coalesced->range_count; i++) {
		if (offset < coalesced->range[i].first || offset + (size - 1) > coalesced->range[i].last)
			continue;
		if (coalesced->count == COALESCED_ENTRIES)
			coalesced_flush(region);
		coalesced->ring[coalesced->count].offset = offset;
		coalesced->ring[coalesced->count].size = size;
		coalesced->ring[coalesced->count].value = value;
		coalesced->count++;
		coalesced->kept++;
		return true;
	}
	return false;
}
