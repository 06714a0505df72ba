/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device's side of the tests: an IOMMU region with a flat array of page entries in front of a space with
 * RAM.
 */
#ifndef TESTS_UNIT_IOMMU_RIG_H
#define TESTS_UNIT_IOMMU_RIG_H

#include "mm/map.h"
#include "tests/unit/mm_rig.h"

#define FLAT_PAGES  16
#define FLAT_FAULTS 16

/* Entry n translates page n: address | permission. 0: absent. */
struct flat_iommu {
	struct iommu_region iommu;
	u64 page[FLAT_PAGES];
	u64 mask; /* of every entry; a page unless said otherwise */
	unsigned translations, faults;
	struct {
		u64 iova, length;
		unsigned access, reason;
	} fault[FLAT_FAULTS];
};

static inline struct iommu_entry flat_translate(const struct iommu_region *iommu, u64 iova,
						enum mem_access access)
{
	struct flat_iommu *flat = container_of((struct iommu_region *)iommu, struct flat_iommu, iommu);
	u64 entry = iova / PAGE_SIZE < FLAT_PAGES ? flat->page[iova / PAGE_SIZE] : 0;

	(void)access;
	flat->translations++;
	return (struct iommu_entry){ .iova = iova,
				     .translated = entry & ~PAGE_MASK,
				     .mask = flat->mask,
				     .perm = entry & MEM_READ_WRITE };
}

static inline void flat_fault(struct iommu_region *iommu, u64 iova, u64 length, enum mem_access access,
			      unsigned reason)
{
	struct flat_iommu *flat = container_of(iommu, struct flat_iommu, iommu);

	if (flat->faults < FLAT_FAULTS) {
		flat->fault[flat->faults].iova = iova;
		flat->fault[flat->faults].length = length;
		flat->fault[flat->faults].access = access;
		flat->fault[flat->faults].reason = reason;
	}
	flat->faults++;
}

static const struct iommu_ops flat_ops = { .translate = flat_translate, .fault = flat_fault };

static inline void flat_init(struct flat_iommu *flat, struct address_space *target)
{
	memset(flat, 0, sizeof(*flat));
	flat->mask = PAGE_MASK;
	region_init_iommu(&flat->iommu, "flat", FLAT_PAGES * PAGE_SIZE, &flat_ops, target, false);
}

#define assert_fault(flat, n, iova_, length_, access_, reason_)     \
	do {                                                        \
		assert_true((flat)->faults > (n));                  \
		assert_int_equal((flat)->fault[n].iova, iova_);     \
		assert_int_equal((flat)->fault[n].length, length_); \
		assert_int_equal((flat)->fault[n].access, access_); \
		assert_int_equal((flat)->fault[n].reason, reason_); \
	} while (0)

/*
 * Memory: RAM 0-0x7fff, a device 0x8000-0x80ff, ROM 0x9000-0x9fff. The DMA space: the IOMMU region at 0, 16
 * pages, of which 0..7 are identity; 8 the device; 9 ROM.
 */
struct dma_rig {
	struct rig rig;
	struct region ram, device, rom;
	struct probe probe;
	struct flat_iommu flat;
	struct address_space dma;
	u8 memory[0xa000] __attribute__((aligned(4096)));
};

static inline void dma_rig_init(struct dma_rig *d)
{
	memset(d, 0, sizeof(*d));
	rig_init(&d->rig);
	region_init_ram(&d->ram, "ram", 0x8000, d->memory);
	region_init_mmio(&d->device, "device", 0x100, &probe_ops, &d->probe);
	region_init_rom(&d->rom, "rom", 0x1000, d->memory + 0x9000);
	assert_int_equal(region_add(&d->rig.root, 0, &d->ram, 0), 0);
	assert_int_equal(region_add(&d->rig.root, 0x8000, &d->device, 0), 0);
	assert_int_equal(region_add(&d->rig.root, 0x9000, &d->rom, 0), 0);
	flat_init(&d->flat, &d->rig.as);
	for (unsigned i = 0; i < 10; i++)
		d->flat.page[i] = i * PAGE_SIZE | MEM_READ_WRITE;
	assert_int_equal(as_init(&d->dma, &d->rig.core, "dma", &d->flat.iommu.region, UNCLAIMED_ZEROS), 0);
}

static inline void dma_rig_destroy(struct dma_rig *d)
{
	as_destroy(&d->dma);
	rig_destroy(&d->rig);
}

#endif
