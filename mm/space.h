/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces: a root region, its current flat view, who listens, and the accesses.
 *
 * Two shapes of access:
 *
 *  - an *access* (as_load, as_store, and their named forms) is what a CPU does with one instruction: 1, 2, 4
 *    or 8 bytes. A device sees it as it is, or, if its `valid` sizes refuse it, not at all
 *    (MEM_DECODE_ERROR).
 *  - a *transfer* (as_read, as_write, as_fill, as_copy) moves any number of bytes. On a device it is broken
 *    into the largest naturally aligned accesses that the device decodes (or larger than natural alignment
 *    allows, if `valid.unaligned`).
 *
 * Either is split at the edges of sections and of IOMMU pages; an access that is split goes on as a transfer.
 * Every part is tried, also behind one that failed; the results are ORed. A part that fails reads as ones
 * (zeros where the policy of an unclaimed range says so), or is dropped. A transfer that runs past 2^64 - 1:
 * what is beyond is MEM_DECODE_ERROR. A transfer of no bytes is MEM_OK. RAM is accessed with single-copy
 * atomicity if the access is naturally aligned.
 *
 * Byte order: `as_load`/`as_store` and their forms with an explicit order move a number; transfers move bytes
 * in memory order. A device's numbers are turned into bytes as its ops' `endian` says. Translation never
 * changes any of this.
 */
#ifndef MM_SPACE_H
#define MM_SPACE_H

#include "mm/core.h"
#include "mm/doorbell.h"
#include "mm/flatview.h"

struct address_space {
	struct flatview *view; /* published with release, read with acquire */
	const char *name;
	struct mem_core *core;
	struct region *root;
	struct mem_listener *listeners;
	struct address_space *next_of_root; /* spaces of the same root */
	struct address_space *next_dirty;
	bool dirty;    /* on the core's list of spaces to rebuild */
	bool told;     /* mm/dirty.c: has heard of the pages at hand */
	bool ram_only; /* as_set_ram_only */
	u8 unclaimed;  /* enum unclaimed */
};

/*
 * `root` may be shared by several spaces. `unclaimed` INHERIT means ONES. 0, or what the first rebuild said
 * (core.h), or -EINVAL for an empty root.
 */
int as_init(struct address_space *as, struct mem_core *core, const char *name, struct region *root,
	    enum unclaimed unclaimed);
/* After the next quiescent point of all readers. Listeners must be gone. */
void as_destroy(struct address_space *as);

/*
 * Accesses never reach ops: MEM_ACCESS_ERROR instead. For what devices master: DMA cannot re-enter a device.
 */
void as_set_ram_only(struct address_space *as, bool ram_only);

/* For mm/region.c: `as` must be rebuilt at the outermost commit; now, if no transaction is open. */
void as_mark_dirty(struct address_space *as);

/* The listener hears the current view as an addition to nothing; unregistering, that all of it goes. */
void as_listen(struct address_space *as, struct mem_listener *listener);
void as_unlisten(struct address_space *as, struct mem_listener *listener);

/* The current view; valid until the reader's next quiescent point. */
static inline const struct flatview *as_view(const struct address_space *as)
{
	return __atomic_load_n(&as->view, __ATOMIC_ACQUIRE);
}

/* Does the cache hold the section of `address` in this view? */
static inline bool section_cache_hits(const struct section_cache *cache, const struct flatview *view,
				      u64 address)
{
	const struct section *section = cache->section;

	return likely(cache->id == view->id) &&
	       // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): no view has the id of an empty cache
	       likely(address - section->first <= section->last - section->first);
}

static inline const struct section *section_cache_fill(struct section_cache *cache,
						       const struct flatview *view, u64 address)
{
	const struct section *section = flatview_lookup(view, address);

	cache->id = view->id;
	cache->section = section;
	return section;
}

/* Never NULL; valid until the reader's next quiescent point. */
static inline const struct section *as_lookup(const struct address_space *as, struct section_cache *cache,
					      u64 address)
{
	const struct flatview *view = as_view(as);

	return section_cache_hits(cache, view, address) ? cache->section
							: section_cache_fill(cache, view, address);
}

/* Bytes of the section from `address` on, at most `length` (not 0). */
static inline u64 section_clip(const struct section *section, u64 address, u64 length)
{
	return section->last - address >= length - 1 ? length : section->last - address + 1;
}

static inline u64 section_offset(const struct section *section, u64 address)
{
	return section->offset + (address - section->first);
}

/*
 * Is the address in the section? Then *at: from its start, *room: bytes that follow there before its end, less one. What a
 * comparison computes is what is asked next.
 */
static inline bool section_places(const struct section *section, u64 address, u64 *at, u64 *room)
{
	return !__builtin_sub_overflow(address, section->first, at) &&
	       !__builtin_sub_overflow(section->last, address, room);
}

/*
 * ---- transfers
 * ----------------------------------------------------------------------------------------------
 */

enum mem_result as_read(const struct address_space *as, u64 address, void *buffer, u64 length);
enum mem_result as_write(const struct address_space *as, u64 address, const void *buffer, u64 length);
/* The same, and `*done` (may be NULL) tells how many bytes went well before the first that did not. */
enum mem_result as_read_done(const struct address_space *as, u64 address, void *buffer, u64 length,
			     u64 *done);
enum mem_result as_write_done(const struct address_space *as, u64 address, const void *buffer, u64 length,
			      u64 *done);
/* The same with the caller's section cache (not NULL). */
enum mem_result as_read_cached(const struct address_space *as, struct section_cache *cache, u64 address,
			       void *buffer, u64 length);
enum mem_result as_write_cached(const struct address_space *as, struct section_cache *cache, u64 address,
				const void *buffer, u64 length);
/* `length` times `byte`. */
enum mem_result as_fill(const struct address_space *as, u64 address, u8 byte, u64 length);
/*
 * From one space to another or within one; ranges that overlap in memory end as if copied upwards in some
 * chunks.
 */
enum mem_result as_copy(const struct address_space *to, u64 to_address, const struct address_space *from,
			u64 address, u64 length);

/*
 * ---- accesses
 * -----------------------------------------------------------------------------------------------
 */

/* The whole of an access, without a shortcut; `endian` is the order in which the number stands in memory. */
enum mem_result as_load_slow(const struct address_space *as, const struct section *section, u64 address,
			     unsigned size, enum mem_endian endian, u64 *value);
enum mem_result as_store_slow(const struct address_space *as, const struct section *section, u64 address,
			      unsigned size, enum mem_endian endian, u64 value);

static inline u64 mem_size_mask(unsigned size)
{
	return ~0ull >> (64 - 8 * size);
}

/*
 * One access of a CPU, little endian; size 1, 2, 4 or 8. *value is zero above the size; all ones in it if it
 * failed (but zeros where the policy says so). RAM and well-formed device accesses end in a few instructions
 * here.
 */
static inline enum mem_result as_load(const struct address_space *as, struct section_cache *cache,
				      u64 address, unsigned size, u64 *value)
{
	const struct section *section = as_lookup(as, cache, address);
	u64 at = address - section->first;

	if (likely(section->last - address >= size - 1)) {
		if (section->flags & SECTION_READ_DIRECT && !((uintptr_t)(section->host + at) & (size - 1))) {
			const void *host = section->host + at;

			switch (size) {
			case 1:
				*value = __atomic_load_n((const u8 *)host, __ATOMIC_RELAXED);
				return MEM_OK;
			case 2:
				*value = __atomic_load_n((const u16 *)host, __ATOMIC_RELAXED);
				return MEM_OK;
			case 4:
				*value = __atomic_load_n((const u32 *)host, __ATOMIC_RELAXED);
				return MEM_OK;
			default:
				*value = __atomic_load_n((const u64 *)host, __ATOMIC_RELAXED);
				return MEM_OK;
			}
		}
		if (section->read_sizes & size && !((section->offset + at) & (size - 1))) {
			enum mem_result result =
				section->ops->read(section->device, section->offset + at, size, value);

			*value = (result == MEM_OK ? *value : ~0ull) & mem_size_mask(size);
			return result;
		}
	}
	return as_load_slow(as, section, address, size, MEM_LITTLE_ENDIAN, value);
}

static inline enum mem_result as_store(const struct address_space *as, struct section_cache *cache,
				       u64 address, unsigned size, u64 value)
{
	const struct section *section = as_lookup(as, cache, address);
	u64 at = address - section->first;

	if (likely(section->last - address >= size - 1)) {
		if ((section->flags & (SECTION_WRITE_DIRECT | SECTION_DIRTY_LOG)) == SECTION_WRITE_DIRECT &&
		    !((uintptr_t)(section->host + at) & (size - 1))) {
			void *host = section->host + at;

			switch (size) {
			case 1:
				__atomic_store_n((u8 *)host, (u8)value, __ATOMIC_RELAXED);
				return MEM_OK;
			case 2:
				__atomic_store_n((u16 *)host, (u16)value, __ATOMIC_RELAXED);
				return MEM_OK;
			case 4:
				__atomic_store_n((u32 *)host, (u32)value, __ATOMIC_RELAXED);
				return MEM_OK;
			default:
				__atomic_store_n((u64 *)host, value, __ATOMIC_RELAXED);
				return MEM_OK;
			}
		}
		if (section->write_sizes & size && !((section->offset + at) & (size - 1)))
			return section->ops->write(section->device, section->offset + at, size,
						   value & mem_size_mask(size));
		if (section->flags & SECTION_DOORBELLS &&
		    doorbell_try(section->region, section->offset + at, size, value & mem_size_mask(size)))
			return MEM_OK;
	}
	return as_store_slow(as, section, address, size, MEM_LITTLE_ENDIAN, value);
}

/*
 * Numbers in a stated order, for those who keep no cache: as_load_le16(as, address, &value) .. as_store_be64.
 */
#define AS_ACCESSORS(order, in_order, bits)                                                               \
	static inline enum mem_result as_load_##order##bits(const struct address_space *as, u64 address,  \
							    u##bits *v)                                   \
	{                                                                                                 \
		struct section_cache none = { 0 };                                                        \
		u64 wide;                                                                                 \
		enum mem_result result = as_load(as, &none, address, bits / 8, &wide);                    \
                                                                                                          \
		*v = (u##bits)in_order(wide, bits);                                                       \
		return result;                                                                            \
	}                                                                                                 \
	static inline enum mem_result as_store_##order##bits(const struct address_space *as, u64 address, \
							     u##bits v)                                   \
	{                                                                                                 \
		struct section_cache none = { 0 };                                                        \
                                                                                                          \
		return as_store(as, &none, address, bits / 8, in_order((u64)v, bits));                    \
	}

#define AS_SAME(value, bits)	(value)
#define AS_SWAPPED(value, bits) (__builtin_bswap64(value) >> (64 - (bits)))
AS_ACCESSORS(le, AS_SAME, 8)
AS_ACCESSORS(le, AS_SAME, 16)
AS_ACCESSORS(le, AS_SAME, 32)
AS_ACCESSORS(le, AS_SAME, 64)
AS_ACCESSORS(be, AS_SWAPPED, 8)
AS_ACCESSORS(be, AS_SWAPPED, 16)
AS_ACCESSORS(be, AS_SWAPPED, 32)
AS_ACCESSORS(be, AS_SWAPPED, 64)

/*
 * ---- what it costs
 * ------------------------------------------------------------------------------------------
 */

struct as_usage {
	u32 sections;	/* of the current view, unclaimed ones too */
	u32 ranges;	/* without those */
	size_t bytes;	/* of the current view */
	size_t scratch; /* kept by the core for rebuilding, shared by its spaces */
};
void as_get_usage(const struct address_space *as, struct as_usage *usage);

#endif
