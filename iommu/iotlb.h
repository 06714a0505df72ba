/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IOTLB: translations that a unit has looked up before. Set-associative, bounded, tagged by domain.
 *
 * It never holds absent or denied entries (VT-d 6.1: hardware may not cache a not-present entry unless
 * caching mode says so): a guest that maps a page need not invalidate. Blocks are kept in pages of 4 KiB, 2
 * MiB or 1 GiB; an entry for any other size is cut down to the largest of these around the address asked for.
 * Protected by its unit's lock.
 */
#ifndef IOMMU_IOTLB_H
#define IOMMU_IOTLB_H

#include "mm/iommu_region.h"

#define IOTLB_WAYS 4

struct iotlb_entry {
	u64 tag;	/* page of iova, domain, level; 0: free. Layout in iotlb.c */
	u64 translated; /* page, rest of the domain, permission */
};

struct iotlb {
	struct iotlb_entry *entries; /* sets * IOTLB_WAYS */
	u32 sets;		     /* a power of two */
	u32 clock;		     /* next victim */
	u32 live[3];		     /* entries of each page size: sizes without any are not probed */
	u64 hits, misses, evictions, invalidations;
};

/* `count` entries, a power of two and at least IOTLB_WAYS; memory is the caller's: -EINVAL otherwise. */
int iotlb_init(struct iotlb *tlb, struct iotlb_entry *entries, u32 count);

/*
 * False: not there. The entry's permission is the caller's to check: what is not permitted is looked up anew
 * or denied.
 */
bool iotlb_lookup(struct iotlb *tlb, u16 domain, u64 iova, struct iommu_entry *entry);
/*
 * Remembers; does nothing for an entry without permission or with a mask below 4 KiB - 1. Replaces what is
 * there for the page.
 */
void iotlb_insert(struct iotlb *tlb, u16 domain, const struct iommu_entry *new);
/* The same, of what was just looked up in vain, with permission and a mask that will do. */
void iotlb_add(struct iotlb *tlb, u16 domain, const struct iommu_entry *new);

void iotlb_invalidate_all(struct iotlb *tlb);
void iotlb_invalidate_domain(struct iotlb *tlb, u16 domain);
/* Pages of this domain that touch [first, last], whatever their size. */
void iotlb_invalidate_range(struct iotlb *tlb, u16 domain, u64 first, u64 last);

#endif
