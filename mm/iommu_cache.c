// SPDX-License-Identifier: BSD-2-Clause
#include "mm/iommu_cache.h"

/*
 * Looks up the page of `address` and remembers it, if it is memory that may be accessed so, and if it is known when to forget
 * it again: only the first region of the chain may ever invalidate. Where `address` is; NULL: an access must go the long
 * way, which tells why.
 */
static u8 *look_up(const struct address_space *as, struct iommu_cache *cache, u64 address,
		   enum mem_access access)
{
	u64 iova = ALIGN_DOWN(address, PAGE_SIZE), at = iova, stamp;
	struct iommu_page *page = iommu_cache_slot(cache, iova);
	const struct section *section;
	u8 *host;

	/* Before anything is looked at: what a change overtakes is not remembered as valid. */
	stamp = iommu_cache_stamp(as);
	section = as_lookup(as, &cache->section, iova);
	if (unlikely(section->region != as->root || section->last - iova < PAGE_MASK))
		return NULL;
	for (unsigned step = 0; !section_is_direct(section, access); step++) {
		struct iommu_region *iommu;
		struct iommu_entry entry;

		if (section->kind != SECTION_IOMMU || section->flags & SECTION_READONLY ||
		    step == IOMMU_CHAIN_MAX)
			return NULL;
		iommu = region_to_iommu(section->region);
		if (step && !iommu->fixed)
			return NULL;
		at = section_offset(section, at);
		entry = iommu->ops->translate(iommu, at, access);
		if (unlikely((entry.perm & access) != access || entry.mask < PAGE_MASK))
			return NULL;
		at = iommu_entry_address(&entry, at);
		section = iommu_target_section(iommu, at);
		if (unlikely(at & PAGE_MASK || section->last - at < PAGE_MASK))
			return NULL;
	}
	if (unlikely(section->flags & SECTION_DIRTY_LOG))
		return NULL;
	host = section->host + (at - section->first);
	if (page->iova == iova && page->stamp >> 2 == stamp >> 2 && page->host == host)
		page->stamp |= access;
	else
		*page = (struct iommu_page){ iova, stamp | access, host };
	return host + (address - iova);
}

/* What goes on in host memory from `address` on, as far as it is known or becomes so: *length of it. NULL: nothing. */
static u8 *run(const struct address_space *as, struct iommu_cache *cache, u64 address, u64 *length,
	       enum mem_access access)
{
	u64 found = 0;
	u8 *host = NULL;

	while (found < *length) {
		u64 at = address + found, size = MIN(PAGE_SIZE - (at & PAGE_MASK), *length - found);
		u8 *next = iommu_cache_find(as, cache, at, size, access);

		if (!next)
			next = look_up(as, cache, at, access);
		if (!next || (host && next != host + found))
			break;
		host = host ? host : next;
		found += size;
	}
	*length = found;
	return host;
}

/* What runs past 2^64 is for others to tell. */
static bool has_pages(const struct address_space *as, u64 address, u64 length)
{
	return as->root->kind == REGION_IOMMU && length - 1 <= ~address;
}

enum mem_result iommu_cache_read_long(const struct address_space *as, struct iommu_cache *cache, u64 address,
				      u8 *buffer, u64 length)
{
	u64 size;
	u8 *host;

	if (has_pages(as, address, length)) {
		for (size = length; size && (host = run(as, cache, address, &size, MEM_READ)) != NULL;
		     size = length) {
			copy_in(buffer, host, size);
			address += size;
			buffer += size;
			length -= size;
		}
	}
	return length ? as_read_cached(as, &cache->section, address, buffer, length) : MEM_OK;
}

enum mem_result iommu_cache_write_long(const struct address_space *as, struct iommu_cache *cache, u64 address,
				       const u8 *buffer, u64 length)
{
	u64 size;
	u8 *host;

	if (has_pages(as, address, length)) {
		for (size = length; size && (host = run(as, cache, address, &size, MEM_WRITE)) != NULL;
		     size = length) {
			copy_out(host, buffer, size);
			address += size;
			buffer += size;
			length -= size;
		}
	}
	return length ? as_write_cached(as, &cache->section, address, buffer, length) : MEM_OK;
}
