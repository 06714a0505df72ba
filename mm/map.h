/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map and unmap: a pointer to what a device's transfer is about.
 *
 * RAM: zero copy, clipped to what is contiguous in one section and through the IOMMU's pages. A device behind
 * ops: a bounce slot of the client, filled when mapped for reading; written back at unmap, just the bytes
 * that were produced, to the translated address. Anything else: no mapping, and the result says why.
 *
 * A mapping cannot outlive the invalidation of its translation: iommu_invalidate() calls the client's
 * `revoked` for each mapping over the range before it returns, and from then on mem_map_valid() is false,
 * unmap writes nothing and returns MEM_ACCESS_ERROR. The client must not use `host` afterwards.
 *
 * Where devices run on several CPUs: `revoked` is called without any lock of the core. It takes the lock under
 * which the client maps, uses and unmaps (thereby it waits for what is under way), and looks then whether the
 * client still has this mapping and mem_map_valid() says no; it may have been unmapped, or made anew, meanwhile.
 */
#ifndef MM_MAP_H
#define MM_MAP_H

#include "mm/dirty.h"
#include "mm/iommu_region.h"
#include "mm/space.h"

struct mem_mapping;

struct bounce_slot {
	u8 *bytes;
	u32 generation; /* odd while in use */
};

/*
 * Who maps: a device, with its quota of bounce slots. One lock of the caller's protects client and mappings.
 */
struct map_client {
	const char *name;
	struct bounce_slot *slots;
	unsigned slot_count, slot_size;
	unsigned slots_used;
	bool waiting;		     /* was told MEM_AGAIN */
	u32 maps, unmaps;	     /* made and ended: map_client_live() */
	void (*retry)(void *device); /* a slot is free again: once for each MEM_AGAIN; may map */
	void (*revoked)(void *device, struct mem_mapping *mapping);
	void *device;
	u64 bounced, refused; /* counters: mappings through slots; MEM_AGAIN told */
};

/*
 * `memory`: slot_count * slot_size bytes, `slots`: slot_count entries; both live as long as the client. No
 * slots: what is not RAM cannot be mapped (MEM_ACCESS_ERROR). `retry` and `revoked` may be NULL.
 */
void map_client_init(struct map_client *client, const char *name, struct bounce_slot *slots,
		     unsigned slot_count, void *memory, unsigned slot_size, void (*retry)(void *device),
		     void (*revoked)(void *device, struct mem_mapping *mapping), void *device);

/* How many mappings it has. */
static inline u32 map_client_live(const struct map_client *client)
{
	return client->maps - client->unmaps;
}

/*
 * A mapping: the caller's, to be kept where it is until unmapped (an IOMMU region may point to it). `host`
 * and `length` are for the caller to use, the rest is private.
 */
struct mem_mapping {
	u8 *host;   /* NULL: not mapped */
	u64 length; /* what was mapped: as asked or less */
	struct map_client *client;
	u32 state;	       /* MAPPING_ bits; written as one: it is read as one right after */
	bool revoked;	       /* not in MAPPING_PLAIN */
	struct region *region; /* direct and for writing: for the dirty log */
	u64 offset;
	const struct address_space *as; /* bounced: where it really is */
	u64 address;
	u32 slot, slot_generation;
	struct iommu_link links[IOMMU_CHAIN_MAX];
};

#define MAPPING_ACCESS	3 /* enum mem_access */
#define MAPPING_BOUNCED 4
#define MAPPING_PLAIN	8 /* memory that is only read, behind no IOMMU that forgets: nothing can happen to it */
#define MAPPING_LINK	16 /* number of links, in units of this */

/*
 * Maps up to `length` (not 0) bytes for MEM_READ, MEM_WRITE or both. MEM_OK: mapping->host, mapping->length
 * >= 1. MEM_AGAIN: no bounce slot free, try again when `retry` is called. MEM_DECODE_ERROR, MEM_ACCESS_ERROR:
 * nothing there, or denied (recorded as for any other access). In all cases but MEM_OK mapping->host is NULL.
 */
enum mem_result as_map(const struct address_space *as, struct map_client *client, u64 address, u64 length,
		       enum mem_access access, struct mem_mapping *mapping);

/* The same for an address in `section`, without a shortcut. */
enum mem_result as_map_section(const struct address_space *as, const struct section *section,
			       struct map_client *client, u64 address, u64 length, enum mem_access access,
			       struct mem_mapping *mapping);

/* Links a mapping to the region that its address was translated by; mm/map.c keeps the order and the locks. */
static inline void map_link(struct mem_mapping *mapping, struct iommu_link *link, struct iommu_region *iommu,
			    u64 iova)
{
	struct iommu_link *next = iommu->links;

	link->mapping = mapping;
	link->iommu = iommu;
	link->first = iova;
	link->next = next;
	link->link = &iommu->links;
	if (next)
		next->link = &link->next;
	iommu->links = link;
}

static inline void map_unlink(struct iommu_link *link)
{
	struct iommu_link *next = link->next;

	if (unlikely(next)) {
		*link->link = next;
		next->link = link->link;
	} else {
		/* Not what was loaded: the next mapping need not wait for that. */
		*link->link = NULL;
	}
}

/*
 * The same as as_map() with the caller's section cache. What nearly all mappings of devices are needs but a few
 * instructions here: memory, also behind one translation that covers it, while no other CPU is about. Anything else
 * goes the long way, from the start.
 */
static inline __attribute__((always_inline)) enum mem_result
as_map_cached(const struct address_space *as, struct section_cache *cache, struct map_client *client,
	      u64 address, u64 length, enum mem_access access, struct mem_mapping *mapping)
{
	const struct section *section = as_lookup(as, cache, address), *there = section;
	struct iommu_region *forgets = NULL;
	u64 to = address, iova = 0;

	if (section->kind == SECTION_IOMMU) {
		struct iommu_region *iommu = region_to_iommu(section->region);
		u64 generation = __atomic_load_n(&iommu->generation, __ATOMIC_RELAXED);
		struct iommu_entry entry;

		if (unlikely(section->last - address < length - 1) ||
		    unlikely(access & MEM_WRITE && section->flags & SECTION_READONLY))
			goto any;
		iova = section_offset(section, address);
		entry = iommu->ops->translate(iommu, iova, access);
		if (unlikely((entry.perm & access) != access) || unlikely((~iova & entry.mask) < length - 1))
			goto any;
		to = iommu_entry_address(&entry, iova);
		there = iommu_target_section(iommu, to);
		if (!iommu->fixed) {
			forgets = iommu;
			/* Alone: nothing but the translator itself can have invalidated it meanwhile. */
			if (unlikely(mem_core_is_shared(as->core)) ||
			    unlikely(__atomic_load_n(&iommu->generation, __ATOMIC_RELAXED) != generation))
				goto any;
		}
	}
	/* No bytes: no memory has 2^64 of them to go on. */
	if (unlikely(!section_is_direct(there, access)) || unlikely(there->last - to < length - 1))
		goto any;
	mapping->host = there->host + (to - there->first);
	mapping->length = length;
	mapping->client = client;
	if (access & MEM_WRITE) {
		mapping->region = there->region;
		mapping->offset = section_offset(there, to);
	}
	client->maps++;
	if (forgets) {
		mapping->state = access + MAPPING_LINK;
		mapping->revoked = false;
		map_link(mapping, &mapping->links[0], forgets, iova);
	} else {
		mapping->state = access == MEM_READ ? MEM_READ | MAPPING_PLAIN : access;
		mapping->revoked = false;
	}
	return MEM_OK;
any:
	return as_map_section(as, section, client, address, length, access, mapping);
}

/* The whole of an unmap, without a shortcut. */
enum mem_result as_unmap_any(struct mem_mapping *mapping, u64 produced);

/*
 * Ends a mapping. `produced`: bytes from its start that the caller wrote (0 for a read), at most length.
 * MEM_ERROR: is not mapped (any more): nothing is done. MEM_ACCESS_ERROR: it was revoked. Otherwise what
 * writing back said.
 */
static inline enum mem_result as_unmap(struct mem_mapping *mapping, u64 produced)
{
	/* In line: memory that was read, by way of one link at most, while no other CPU is about. */
	if (mapping->state == MEM_READ + MAPPING_LINK) {
		struct iommu_link *link = &mapping->links[0];

		if (unlikely(__atomic_load_n(&mapping->revoked, __ATOMIC_RELAXED)) ||
		    unlikely(mem_core_is_shared(link->iommu->target->core)))
			return as_unmap_any(mapping, produced);
		map_unlink(link);
	} else if (mapping->state != (MEM_READ | MAPPING_PLAIN)) {
		return as_unmap_any(mapping, produced);
	}
	mapping->host = NULL;
	mapping->state = 0;
	mapping->client->unmaps++;
	return MEM_OK;
}

/* May `host` still be used? */
static inline bool mem_map_valid(const struct mem_mapping *mapping)
{
	return mapping->host && !__atomic_load_n(&mapping->revoked, __ATOMIC_ACQUIRE);
}

/*
 * For those who keep a mapping of RAM and write through it now and then: `length` bytes at `offset` of it have been
 * written. as_unmap() is told of none of them.
 */
static inline void mem_map_wrote(const struct mem_mapping *mapping, u64 offset, u64 length)
{
	if (mapping->state & MEM_WRITE && unlikely(region_dirty_logging(mapping->region)))
		region_mark_dirty(mapping->region, mapping->offset + offset, length);
}

#endif
