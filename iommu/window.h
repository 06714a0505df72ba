/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Static DMA windows: what a device may ever reach, as const rows; anything else is denied.
 *
 *	static const struct dma_row edu_dma[] = {
 *		//      name       iova  size     guest address  permission
 *		DMA_ROW("low ram", 0,    256 * MiB, 0,           MEM_READ_WRITE),
 *	};
 *	static const struct dma_table dma_tables[] = {
 *		{ .device = "edu", .requester = PCI_ID(0, 4, 0), .rows = edu_dma, .count = ARRAY_SIZE(edu_dma) },
 *	};
 *
 * The window is an IOMMU region of the whole 2^64, the root (or the target) of the device's bus-master space.
 * Its target is a space of guest RAM rows only, so that DMA can never reach a device's registers.
 */
#ifndef IOMMU_WINDOW_H
#define IOMMU_WINDOW_H

#include "iommu/fault.h"
#include "mm/iommu_region.h"
#include "mm/table.h"

struct dma_row {
	const char *name;
	u64 iova, last; /* last: size - 1 */
	u64 target;	/* address in the target space */
	u32 permission; /* enum mem_access */
};

#define DMA_ROW(name_, iova_, size_, target_, permission_)                               \
	{                                                                                \
		.name = (name_), .target = (target_), .permission = (permission_),       \
		.iova = (u64)(iova_) + ROW_PAGES(iova_, size_) + ROW_PAGES(target_, 0) + \
			ROW_CHECK((size_) != 0, "a DMA row has no size") +               \
			ROW_CHECK((u128)(iova_) + (u128)(size_) <= REGION_SIZE_WHOLE,    \
				  "a DMA row wraps past 2^64") +                         \
			ROW_CHECK((u128)(target_) + (u128)(size_) <= REGION_SIZE_WHOLE,  \
				  "the target of a DMA row wraps past 2^64"),            \
		.last = (u64)((u128)(size_)-1)                                           \
	}

/* One requester's rows: sorted by iova or not, but disjoint. */
struct dma_table {
	const char *device;
	const struct dma_row *rows;
	unsigned count;
	u16 requester;
};

#define PCI_ID(bus, device, function) ((u16)((bus) << 8 | (device) << 3 | (function)))

struct dma_window {
	struct iommu_region iommu;
	const struct dma_table *table;
	struct fault_log *log;
};

/* `log` may be NULL. A table without rows denies everything. */
void dma_window_init(struct dma_window *window, const char *name, const struct dma_table *table,
		     struct address_space *target, struct fault_log *log);

/*
 * Mistakes as lines, like region_table_check: rows without size, not page-aligned, wrapping, overlapping each
 * other (both named), without permission, not wholly inside RAM rows of `map`; two tables for one requester.
 * Returns how many.
 */
unsigned dma_table_check(const struct dma_table *tables, unsigned count, const struct region_table *map,
			 table_emit emit, void *to);
void dma_table_print(const struct dma_table *tables, unsigned count, table_emit emit, void *to);

#endif
