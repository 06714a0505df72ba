// SPDX-License-Identifier: BSD-2-Clause
#include "boot/e820.h"

#include <string.h>

/*
 * Rows with first and last byte, so that a row may end at 2^64 - 1. A new row cuts at most every old row in two, so
 * twice the rows and one more is room enough for the work.
 */
struct e820_span {
	u64 first, last;
	u32 type;
};

struct e820_work {
	struct e820_span span[2 * E820_ROWS_MAX + 2];
	unsigned count;
};

/*
 * Spans come in ascending order; one that continues its predecessor is merged into it, unless that made 2^64 bytes, a
 * size that a row cannot hold.
 */
static void e820_append(struct e820_work *work, u64 first, u64 last, u32 type)
{
	struct e820_span *tail = work->count ? &work->span[work->count - 1] : NULL;

	if (tail && tail->type == type && tail->last + 1 == first && (tail->first != 0 || last != ~0ull))
		tail->last = last;
	else
		work->span[work->count++] = (struct e820_span){ first, last, type };
}

bool e820_add(struct e820_map *map, u64 addr, u64 size, enum e820_type type)
{
	struct e820_work work = { .count = 0 };
	u64 first = addr, last = addr + size - 1;
	bool pending = true; /* [first, last] is what of the new row is not yet placed */

	if (size == 0 || last < addr || type < E820_RAM || type > E820_UNUSABLE)
		return false;
	for (unsigned i = 0; i < map->count; i++) {
		const struct e820_row *row = &map->row[i];
		const u64 row_last = row->addr + row->size - 1;
		u64 at = row->addr; /* the part of the old row from here on is not yet placed */

		if (pending && first < at) { /* what lies before the old row */
			const u64 end = MIN(last, at - 1);

			e820_append(&work, first, end, type);
			pending = last > end;
			first = end + 1;
		}
		if (!pending || first > row_last) {
			e820_append(&work, at, row_last, row->type);
			continue;
		}
		if (at < first) {
			e820_append(&work, at, first - 1, row->type);
			at = first;
		}
		/* Both start at `at` now. */
		const u64 end = MIN(last, row_last);

		e820_append(&work, at, end, MAX((u32)type, row->type));
		pending = last > end;
		first = end + 1;
		if (row_last > end)
			e820_append(&work, end + 1, row_last, row->type);
	}
	if (pending)
		e820_append(&work, first, last, type);
	if (work.count > E820_ROWS_MAX)
		return false;
	for (unsigned i = 0; i < work.count; i++)
		map->row[i] =
			(struct e820_row){ work.span[i].first, work.span[i].last - work.span[i].first + 1,
					   work.span[i].type };
	map->count = work.count;
	return true;
}

bool e820_covers(const struct e820_map *map, u64 addr, u64 size, enum e820_type type)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct e820_row *row = &map->row[i];

		if (row->type == type && addr >= row->addr && size != 0 && size <= row->size &&
		    addr - row->addr <= row->size - size)
			return true;
	}
	return false;
}
