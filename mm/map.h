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
	u32 live;		     /* mappings */
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

/*
 * A mapping: the caller's, to be kept where it is until unmapped (an IOMMU region may point to it). `host`
 * and `length` are for the caller to use, the rest is private.
 */
struct mem_mapping {
	u8 *host;   /* NULL: not mapped */
	u64 length; /* what was mapped: as asked or less */
	struct map_client *client;
	const struct address_space *as; /* translated: where it really is */
	u64 address;
	struct region *region; /* direct: for the dirty log */
	u64 offset;
	u32 slot, slot_generation; /* bounced */
	u8 access;		   /* enum mem_access */
	bool bounced;
	bool revoked;
	u8 link_count;
	struct iommu_link links[IOMMU_CHAIN_MAX];
};

/*
 * Maps up to `length` (not 0) bytes for MEM_READ, MEM_WRITE or both. MEM_OK: mapping->host, mapping->length
 * >= 1. MEM_AGAIN: no bounce slot free, try again when `retry` is called. MEM_DECODE_ERROR, MEM_ACCESS_ERROR:
 * nothing there, or denied (recorded as for any other access). In all cases but MEM_OK mapping->host is NULL.
 */
enum mem_result as_map(const struct address_space *as, struct map_client *client, u64 address, u64 length,
		       enum mem_access access, struct mem_mapping *mapping);

/*
 * Ends a mapping. `produced`: bytes from its start that the caller wrote (0 for a read), at most length.
 * MEM_ERROR: is not mapped (any more): nothing is done. MEM_ACCESS_ERROR: it was revoked. Otherwise what
 * writing back said.
 */
enum mem_result as_unmap(struct mem_mapping *mapping, u64 produced);

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
	if (unlikely(region_dirty_logging(mapping->region)))
		region_mark_dirty(mapping->region, mapping->offset + offset, length);
}

#endif
