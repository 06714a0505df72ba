/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of virtqueues share: a port behind two gates, as a device has it on the board:
 *
 *	port -> IOMMU region with a flat array of page entries -> static window -> RAM
 *
 * Neighbouring bus pages are no neighbours in RAM unless a test says so.
 */
#ifndef TESTS_UNIT_VIRTQ_RIG_H
#define TESTS_UNIT_VIRTQ_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "devices/virtqueue.h"
#include "iommu/window.h"
#include "tests/unit/virtq_driver.h"

#define VRIG_PAGES 128

struct virtq_rig {
	struct mem_core core;
	struct region ram;
	struct dma_window window;
	struct iommu_region iommu;
	struct address_space memory, window_space, dma;
	struct dma_port port;
	u8 *bytes;
	u64 page[VRIG_PAGES]; /* address in RAM | permission */
	unsigned translations, faults;
	unsigned deny_from; /* that translation on nothing is there; 0: never */
	struct virtq q;
	struct virtq_chain chain;
	struct virtq_segment segments[VIRTQ_SIZE_MAX];
	struct virtq_driver driver;
};

static const struct dma_row vrig_rows[] = { DMA_ROW("ram", 0, VRIG_PAGES *PAGE_SIZE, 0, MEM_READ_WRITE) };
static const struct dma_table vrig_table = { .device = "test", .rows = vrig_rows, .count = 1 };

static inline struct iommu_entry vrig_translate(const struct iommu_region *iommu, u64 iova,
						enum mem_access access)
{
	struct virtq_rig *rig = container_of((struct iommu_region *)iommu, struct virtq_rig, iommu);
	u64 entry = iova / PAGE_SIZE < VRIG_PAGES ? rig->page[iova / PAGE_SIZE] : 0;

	(void)access;
	rig->translations++;
	if (rig->deny_from && rig->translations >= rig->deny_from)
		entry = 0;
	return (struct iommu_entry){ .iova = iova,
				     .translated = entry & ~PAGE_MASK,
				     .mask = PAGE_MASK,
				     .perm = entry & MEM_READ_WRITE };
}

static inline void vrig_fault(struct iommu_region *iommu, u64 iova, u64 length, enum mem_access access,
			      unsigned reason)
{
	(void)iova, (void)length, (void)access, (void)reason;
	container_of(iommu, struct virtq_rig, iommu)->faults++;
}

static const struct iommu_ops vrig_ops = { .translate = vrig_translate, .fault = vrig_fault };

/* The driver's way to its memory, by bus addresses; no permission stops it. */
static inline u8 *vrig_at(void *memory, u64 address)
{
	struct virtq_rig *rig = memory;

	assert_true(address / PAGE_SIZE < VRIG_PAGES);
	return rig->bytes + (rig->page[address / PAGE_SIZE] & ~PAGE_MASK) + (address & PAGE_MASK);
}

/* Bus page n is page n of RAM, backwards. */
static inline struct virtq_rig *vrig_new(void)
{
	struct virtq_rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->bytes = aligned_alloc(PAGE_SIZE, VRIG_PAGES * PAGE_SIZE);
	assert_non_null(rig->bytes);
	memset(rig->bytes, 0, VRIG_PAGES * PAGE_SIZE);
	for (unsigned i = 0; i < VRIG_PAGES; i++)
		rig->page[i] = (VRIG_PAGES - 1 - i) * PAGE_SIZE | MEM_READ_WRITE;
	mem_core_init(&rig->core);
	region_init_ram(&rig->ram, "ram", VRIG_PAGES * PAGE_SIZE, rig->bytes);
	assert_int_equal(as_init(&rig->memory, &rig->core, "memory", &rig->ram, UNCLAIMED_ONES), 0);
	dma_window_init(&rig->window, "window", &vrig_table, &rig->memory, NULL);
	assert_int_equal(
		as_init(&rig->window_space, &rig->core, "window", &rig->window.iommu.region, UNCLAIMED_ONES),
		0);
	region_init_iommu(&rig->iommu, "iommu", REGION_SIZE_WHOLE, &vrig_ops, &rig->window_space, false);
	assert_int_equal(as_init(&rig->dma, &rig->core, "dma", &rig->iommu.region, UNCLAIMED_ONES), 0);
	as_set_ram_only(&rig->dma, true);
	dma_port_init(&rig->port, "test", 8, &rig->dma);
	rig->port.bus_master = true;
	virtq_chain_init(&rig->chain, rig->segments, VIRTQ_SIZE_MAX);
	return rig;
}

/* The port remembers no pages behind a second gate that might invalidate: each access is translated. */
static inline void vrig_forget_pages(struct virtq_rig *rig)
{
	rig->window.iommu.fixed = false;
}

static inline void vrig_free(struct virtq_rig *rig)
{
	virtq_reset(&rig->q);
	assert_null(rig->iommu.links); /* nothing is mapped any more */
	as_destroy(&rig->dma);
	as_destroy(&rig->window_space);
	as_destroy(&rig->memory);
	region_destroy(&rig->ram);
	mem_core_destroy(&rig->core);
	free(rig->bytes);
	free(rig);
}

#endif
