// SPDX-License-Identifier: BSD-2-Clause
/* What can be wrong with DMA windows and is not seen by the compiler; and their text. */
#include <stdio.h>
#include <string.h>

#include "iommu/window.h"

struct check {
	const struct region_table *map;
	struct complaints to;
};

struct row_text {
	char text[112];
};

static struct row_text text_of(const struct dma_row *row)
{
	struct row_text t;

	snprintf(t.text, sizeof(t.text), "window '%.32s' 0x%llx-0x%llx to 0x%llx-0x%llx",
		 row->name ? row->name : "?", (unsigned long long)row->iova,
		 (unsigned long long)(row->iova + row->last), (unsigned long long)row->target,
		 (unsigned long long)(row->target + row->last));
	return t;
}

/*
 * What RAM rows do not cover of [first, last]; the row that ends or starts next to the gap tells where to
 * look. False: all is covered. A step takes the RAM row that reaches furthest.
 */
static bool find_gap(const struct region_table *map, u64 first, u64 last, u64 *gap,
		     const struct region_row **near)
{
	*near = NULL;
	for (;;) {
		const struct region_row *best = NULL;
		u64 reach = 0;

		for (const struct region_row *row = map->rows; row < map->rows + map->count; row++) {
			u64 row_first, row_last;

			if (row->kind != REGION_RAM || !region_table_range(map, row, &row_first, &row_last))
				continue;
			if (row_first <= first && row_last >= first && row_last >= reach) {
				best = row;
				reach = row_last;
			}
			if (!*near)
				*near = row;
		}
		*gap = first;
		if (!best)
			return true;
		*near = best;
		if (reach >= last)
			return false;
		first = reach + 1;
	}
}

static void check_target(struct check *check, const struct dma_row *row)
{
	const struct region_row *near;
	u64 gap, first, last;

	if (!find_gap(check->map, row->target, row->target + row->last, &gap, &near))
		return;
	if (near && region_table_range(check->map, near, &first, &last))
		complain(&check->to, "%s leaves the RAM rows at 0x%llx, behind or before '%s' 0x%llx-0x%llx",
			 text_of(row).text, (unsigned long long)gap, near->name, (unsigned long long)first,
			 (unsigned long long)last);
	else
		complain(&check->to, "%s: '%s' has no RAM rows", text_of(row).text, check->map->name);
}

static void check_row(struct check *check, const struct dma_row *row)
{
	if (!row->name || !*row->name)
		complain(&check->to, "%s has no name", text_of(row).text);
	if (!IS_ALIGNED(row->iova | row->target | (row->last + 1), PAGE_SIZE))
		complain(&check->to, "%s is not made of whole pages", text_of(row).text);
	if (!row->permission || row->permission > MEM_READ_WRITE)
		complain(&check->to, "%s permits %s", text_of(row).text,
			 row->permission ? "what there is not" : "nothing");
	if (row->last > ~0ull - row->iova || row->last > ~0ull - row->target)
		complain(&check->to, "%s wraps past 2^64", text_of(row).text);
	else
		check_target(check, row);
}

static bool overlap(const struct dma_row *a, const struct dma_row *b)
{
	return a->iova <= b->iova ? b->iova - a->iova <= a->last : a->iova - b->iova <= b->last;
}

unsigned dma_table_check(const struct dma_table *tables, unsigned count, const struct region_table *map,
			 table_emit emit, void *to)
{
	struct check check = { .map = map, .to = { .what = "DMA of ", .emit = emit, .to = to } };

	for (unsigned t = 0; t < count; t++) {
		const struct dma_table *table = &tables[t];

		check.to.whose = table->device;
		for (unsigned other = 0; other < t; other++) {
			if (tables[other].requester == table->requester)
				complain(&check.to, "its requester id 0x%04x is that of %.32s too",
					 (unsigned)table->requester, tables[other].device);
		}
		for (unsigned i = 0; i < table->count; i++) {
			check_row(&check, &table->rows[i]);
			for (unsigned j = 0; j < i; j++) {
				if (overlap(&table->rows[i], &table->rows[j]))
					complain(&check.to, "%s and %s overlap",
						 text_of(&table->rows[j]).text,
						 text_of(&table->rows[i]).text);
			}
		}
	}
	return check.to.found;
}

void dma_table_print(const struct dma_table *tables, unsigned count, table_emit emit, void *to)
{
	static const char *const permissions[] = { "nothing", "read", "write", "read and write" };
	char line[200];

	for (const struct dma_table *table = tables; table < tables + count; table++) {
		snprintf(line, sizeof(line), "%.32s %02x:%02x.%x%s", table->device,
			 (unsigned)(table->requester >> 8), (unsigned)(table->requester >> 3 & 0x1f),
			 (unsigned)(table->requester & 7), table->count ? "" : ": no DMA");
		emit(to, line);
		for (unsigned i = 0; i < table->count; i++) {
			snprintf(line, sizeof(line), "  %s: %s", text_of(&table->rows[i]).text,
				 permissions[table->rows[i].permission & 3]);
			emit(to, line);
		}
	}
}
