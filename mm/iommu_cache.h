/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of memory behind IOMMU regions that a device used last, with their host addresses: most of its accesses need no
 * translation and no lookup at all.
 *
 * A page is known as long as no view of the core was replaced (mem_core.epoch) and the region that the device's space
 * consists of has invalidated nothing (iommu_region.generation); what stands behind that one must be fixed. So it is
 * forgotten when a translation's mapping would be revoked, and an access is never denied out of it: what is not known goes
 * the long way. Not for two CPUs at a time: it belongs to a device, under the device's lock.
 */
#ifndef MM_IOMMU_CACHE_H
#define MM_IOMMU_CACHE_H

#include "mm/copy.h"
#include "mm/iommu_region.h"

#define IOMMU_CACHE_PAGES 256 /* a power of two: 6 KiB for 1 MiB that is in use */

struct iommu_page {
	u64 iova;
	u64 stamp; /* epoch and generation at the time, both of which only grow; in bits 1:0 what is permitted, 0: free */
	u8 *host;
};

/* Zero-initialised: empty. */
struct iommu_cache {
	struct section_cache section; /* for what goes the long way */
	struct iommu_page page[IOMMU_CACHE_PAGES];
};

static inline struct iommu_page *iommu_cache_slot(struct iommu_cache *cache, u64 address)
{
	return &cache->page[address >> PAGE_SHIFT & (IOMMU_CACHE_PAGES - 1)];
}

/* What a page's stamp must be, without the permission. `as`: its root is an IOMMU region. */
static inline u64 iommu_cache_stamp(const struct address_space *as)
{
	return (__atomic_load_n(&region_to_iommu(as->root)->generation, __ATOMIC_ACQUIRE) +
		__atomic_load_n(&as->core->epoch, __ATOMIC_ACQUIRE))
	       << 2;
}

/* Where `length` bytes within one page are that may be accessed so; NULL: not known. */
static inline u8 *iommu_cache_find(const struct address_space *as, struct iommu_cache *cache, u64 address,
				   u64 length, enum mem_access access)
{
	const struct iommu_page *page = iommu_cache_slot(cache, address);
	u64 at = address - page->iova;

	if (unlikely(at > PAGE_MASK || length - 1 > PAGE_MASK - at || as->root->kind != REGION_IOMMU ||
		     (page->stamp & (~3ull | access)) != (iommu_cache_stamp(as) | access)))
		return NULL;
	region_to_iommu(as->root)->remembered++;
	return page->host + at;
}

/* For the two below: what is not a page that is known. */
enum mem_result iommu_cache_read_long(const struct address_space *as, struct iommu_cache *cache, u64 address,
				      u8 *buffer, u64 length);
enum mem_result iommu_cache_write_long(const struct address_space *as, struct iommu_cache *cache, u64 address,
				       const u8 *buffer, u64 length);

/* as_read and as_write of any space by way of the cache. */
static inline enum mem_result iommu_cache_read(const struct address_space *as, struct iommu_cache *cache,
					       u64 address, void *buffer, u64 length)
{
	const u8 *host = iommu_cache_find(as, cache, address, length, MEM_READ);

	if (unlikely(!host))
		return iommu_cache_read_long(as, cache, address, buffer, length);
	copy_in(buffer, host, length);
	return MEM_OK;
}

static inline enum mem_result iommu_cache_write(const struct address_space *as, struct iommu_cache *cache,
						u64 address, const void *buffer, u64 length)
{
	u8 *host = iommu_cache_find(as, cache, address, length, MEM_WRITE);

	if (unlikely(!host))
		return iommu_cache_write_long(as, cache, address, buffer, length);
	copy_out(host, buffer, length);
	return MEM_OK;
}

#endif
