// SPDX-License-Identifier: BSD-2-Clause
#include "iommu/window.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mm/space.h"

/* The row that holds `iova`; NULL if none. Windows are few: a search is not worth its memory. */
static const struct dma_row *find_row(const struct dma_table *table, u64 iova)
{
	for (const struct dma_row *row = table->rows; row < table->rows + table->count; row++) {
		if (iova - row->iova <= row->last)
			return row;
	}
	return NULL;
}

static unsigned top_bit(u64 x)
{
	return 63 - (unsigned)__builtin_clzll(x);
}

/*
 * The largest aligned block around `iova` that lies inside [first, last] and can be moved by `delta` as a
 * whole. 2^k fits if rounding down to it stays at or above `first`: bits k.. of iova and first - 1 differ;
 * likewise above `last`.
 */
static u64 block_mask(u64 iova, u64 first, u64 last, u64 delta)
{
	unsigned k = 63;

	if (first)
		k = top_bit(iova ^ (first - 1));
	if (last != ~0ull)
		k = MIN(k, top_bit(iova ^ (last + 1)));
	if (delta)
		k = MIN(k, (unsigned)__builtin_ctzll(delta));
	return BIT(k) - 1;
}

static struct iommu_entry window_translate(const struct iommu_region *iommu, u64 iova, enum mem_access access)
{
	const struct dma_window *window = container_of(iommu, struct dma_window, iommu);
	const struct dma_row *row = find_row(window->table, iova);
	struct iommu_entry entry = { .iova = iova, .mask = PAGE_MASK, .reason = IOMMU_FAULT_NOT_MAPPED };

	(void)access;
	if (!row)
		return entry;
	entry.mask = block_mask(iova, row->iova, row->iova + row->last, row->target - row->iova);
	entry.translated = (row->target + (iova - row->iova)) & ~entry.mask;
	entry.perm = row->permission;
	entry.reason = IOMMU_FAULT_NONE;
	return entry;
}

/* Whom to name: the row concerned, or for what is outside of all of them the closest. */
static const char *nearest_name(const struct dma_table *table, u64 iova)
{
	const struct dma_row *row = find_row(table, iova);
	u64 best = ~0ull;
	const char *name = NULL;

	if (row)
		return row->name;
	for (row = table->rows; row < table->rows + table->count; row++) {
		u64 distance = iova < row->iova ? row->iova - iova : iova - (row->iova + row->last);

		if (!name || distance < best) {
			best = distance;
			name = row->name;
		}
	}
	return name;
}

static void window_fault(struct iommu_region *iommu, u64 iova, u64 length, enum mem_access access,
			 unsigned reason)
{
	struct dma_window *window = container_of(iommu, struct dma_window, iommu);

	if (!window->log)
		return;
	fault_log_add(window->log, &(struct fault_record){
					   .iova = iova,
					   .length = length,
					   .device = window->table->device,
					   .detail = nearest_name(window->table, iova),
					   .requester = window->table->requester,
					   .reason = (u16)reason,
					   .access = (u8)access,
				   });
}

static const struct iommu_ops window_ops = { .translate = window_translate, .fault = window_fault };

void dma_window_init(struct dma_window *window, const char *name, const struct dma_table *table,
		     struct address_space *target, struct fault_log *log)
{
	region_init_iommu(&window->iommu, name, REGION_SIZE_WHOLE, &window_ops, target, true);
	window->table = table;
	window->log = log;
}
