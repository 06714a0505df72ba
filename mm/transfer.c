// SPDX-License-Identifier: BSD-2-Clause
/* Accesses and transfers: the rest of space.h. */
#include "mm/space.h"

#include <string.h>

#include "mm/copy.h"
#include "mm/dirty.h"
#include "mm/dispatch.h"
#include "mm/iommu_region.h"

/*
 * ---- one part of a transfer: within one section
 * -------------------------------------------------------------
 */

/* What a transfer moves. A fill has no buffer but a byte. */
struct transfer {
	enum mem_access access;
	bool fill;
	u8 byte;
};

static void fill_failed(const struct transfer *transfer, const struct section *section, u8 *buffer,
			u64 length)
{
	bool zeros = section && section->kind == SECTION_UNCLAIMED && section->unclaimed == UNCLAIMED_ZEROS;

	if (transfer->access == MEM_READ)
		memset(buffer, zeros ? 0 : 0xff, length);
}

static void mark_written(const struct section *section, u64 at, u64 length)
{
	if (unlikely(section->flags & SECTION_DIRTY_LOG))
		region_mark_dirty(section->region, section->offset + at, length);
}

/* In pieces that start and end where the accesses that the device sees do. */
static enum mem_result fill_device(const struct section *section, u64 offset, u8 byte, u64 length, u64 *done)
{
	enum mem_result result = MEM_OK;
	u8 piece[64];

	memset(piece, byte, sizeof(piece));
	*done = 0;
	while (length) {
		u64 from = section->ops->valid.unaligned ? 0 : offset & (sizeof(piece) - 1);
		u64 size = MIN(sizeof(piece) - from, length), part;
		enum mem_result now = dispatch_write_transfer(section, offset, piece, size, &part);

		*done += result == MEM_OK ? part : 0;
		result |= now;
		offset += size;
		length -= size;
	}
	return result;
}

/* The section accepts the access, and is no IOMMU's. */
static enum mem_result move(const struct transfer *transfer, const struct section *section, u64 address,
			    u8 *buffer, u64 length, u64 *done)
{
	u64 at = address - section->first;

	if (transfer->access == MEM_READ) {
		if (!(section->flags & SECTION_READ_DIRECT))
			return dispatch_read_transfer(section, section->offset + at, buffer, length, done);
		copy_in(buffer, section->host + at, length);
	} else {
		if (!(section->flags & SECTION_WRITE_DIRECT)) {
			if (transfer->fill)
				return fill_device(section, section->offset + at, transfer->byte, length,
						   done);
			return dispatch_write_transfer(section, section->offset + at, buffer, length, done);
		}
		if (transfer->fill)
			memset(section->host + at, transfer->byte, length);
		else
			copy_out(section->host + at, buffer, length);
		mark_written(section, at, length);
	}
	*done = length;
	return MEM_OK;
}

static enum mem_result part_refused(const struct transfer *transfer, const struct section *section,
				    u8 *buffer, u64 length, enum mem_result result)
{
	fill_failed(transfer, section, buffer, length);
	return result;
}

/* What the short way did not manage; it may be possible by now. */
static enum mem_result part_walked(const struct transfer *transfer, const struct section *section,
				   u64 address, u8 *buffer, u64 *length, u64 *done)
{
	struct iommu_target target;

	iommu_walk(section, address, *length, transfer->access, &target);
	*length = target.length;
	if (target.result == MEM_OK)
		return move(transfer, target.section, target.address, buffer, *length, done);
	iommu_tell(&target, transfer->access);
	return part_refused(transfer, NULL, buffer, *length, target.result);
}

/* As much as goes on in one section and through one translation: *length becomes that. */
static enum mem_result part(const struct transfer *transfer, const struct section *section, u64 address,
			    u8 *buffer, u64 *length, u64 *done)
{
	enum mem_result result = section_refuses(section, transfer->access);
	const struct section *there = section;
	u64 asked = section_clip(section, address, *length), to = address;

	*done = 0;
	*length = asked;
	if (unlikely(result != MEM_OK))
		return part_refused(transfer, section, buffer, asked, result);
	if (section->kind == SECTION_IOMMU) {
		there = iommu_follow(section, &to, length, transfer->access);
		if (unlikely(!there)) {
			*length = asked;
			return part_walked(transfer, section, address, buffer, length, done);
		}
	}
	return move(transfer, there, to, buffer, *length, done);
}

/*
 * ---- transfers
 * ----------------------------------------------------------------------------------------------
 */

static enum mem_result run(const struct transfer *transfer, const struct address_space *as, u64 address,
			   u8 *buffer, u64 length, u64 *done)
{
	/* One view for all of it: a device that changes the map takes effect on the next transfer. */
	const struct flatview *view = as_view(as);
	const struct section *section = flatview_lookup(view, address);
	enum mem_result result = MEM_OK;
	u64 good = 0;

	while (length) {
		u64 size = length, moved;
		enum mem_result now;

		if (address > section->last || unlikely(address < section->first))
			section = flatview_lookup(view, address);
		now = part(transfer, section, address, buffer, &size, &moved);
		good += result == MEM_OK ? moved : 0;
		result |= now;
		if (!transfer->fill) /* has no buffer */
			buffer += size;
		address += size;
		length -= size;
		if (unlikely(!address) && length) {
			fill_failed(transfer, NULL, buffer, length);
			result |= MEM_DECODE_ERROR;
			break;
		}
	}
	if (done)
		*done = good;
	return result;
}

enum mem_result as_read_done(const struct address_space *as, u64 address, void *buffer, u64 length, u64 *done)
{
	return run(&(struct transfer){ .access = MEM_READ }, as, address, buffer, length, done);
}

enum mem_result as_write_done(const struct address_space *as, u64 address, const void *buffer, u64 length,
			      u64 *done)
{
	return run(&(struct transfer){ .access = MEM_WRITE }, as, address, (u8 *)buffer, length, done);
}

/*
 * Behind an IOMMU, for a transfer within its section that one translation (`entry`, its first) does not do: from the
 * first piece on, one by one, as far as that goes. Pages that go on in host memory are copied in one go. What is in the
 * way is left to run().
 */
static __attribute__((noinline)) enum mem_result read_pages(const struct address_space *as,
							    const struct section *section,
							    const struct iommu_entry *entry, u64 iova,
							    u8 *buffer, u64 length)
{
	u64 address = section->first + (iova - section->offset);
	u64 moved = 0, found = 0; /* copied; found after that, one after the other in host memory */
	const u8 *host = NULL;

	while (moved + found < length) {
		u64 to = address + moved + found, size = length - moved - found;
		const struct section *there = iommu_follow_entry(section, entry, &to, &size, MEM_READ);
		const u8 *next;

		entry = NULL;
		if (unlikely(!there) || unlikely(!(there->flags & SECTION_READ_DIRECT)))
			break;
		next = there->host + (to - there->first);
		if ((uintptr_t)next != (uintptr_t)host + found) {
			if (found)
				copy_in(buffer + moved, host, found);
			moved += found;
			found = 0;
			host = next;
		}
		found += size;
	}
	if (likely(found))
		copy_in(buffer + moved, host, found);
	moved += found;
	if (likely(moved == length))
		return MEM_OK;
	return as_read_done(as, address + moved, buffer + moved, length - moved, NULL);
}

static __attribute__((noinline)) enum mem_result write_pages(const struct address_space *as,
							     const struct section *section,
							     const struct iommu_entry *entry, u64 iova,
							     const u8 *buffer, u64 length)
{
	u64 address = section->first + (iova - section->offset), moved = 0, found = 0;
	u8 *host = NULL;

	while (moved + found < length) {
		u64 to = address + moved + found, size = length - moved - found;
		const struct section *there = iommu_follow_entry(section, entry, &to, &size, MEM_WRITE);
		bool logged;
		u8 *next;

		entry = NULL;
		if (unlikely(!there) || unlikely(!(there->flags & SECTION_WRITE_DIRECT)))
			break;
		next = there->host + (to - there->first);
		logged = there->flags & SECTION_DIRTY_LOG;
		if ((uintptr_t)next != (uintptr_t)host + found || unlikely(logged)) {
			if (found)
				copy_out(host, buffer + moved, found);
			moved += found;
			found = 0;
			host = next;
		}
		if (unlikely(logged)) {
			/* Marked after it was written: whoever takes the mark in between would miss that. */
			copy_out(next, buffer + moved, size);
			mark_written(there, to - there->first, size);
			moved += size;
			host = next + size;
		} else {
			found += size;
		}
	}
	if (likely(found))
		copy_out(host, buffer + moved, found);
	moved += found;
	if (likely(moved == length))
		return MEM_OK;
	return as_write_done(as, address + moved, buffer + moved, length - moved, NULL);
}

/*
 * One translation to memory is enough for most: the section where it leads, and where in that. NULL: it does not do;
 * *entry is what the first region says.
 */
static inline __attribute__((always_inline)) const struct section *
translate_once(const struct section *section, u64 iova, u64 length, enum mem_access access,
	       struct iommu_entry *entry, u64 *at)
{
	struct iommu_region *iommu = region_to_iommu(section->region);
	const struct section *there;
	u64 room;

	*entry = iommu->ops->translate(iommu, iova, access);
	if (unlikely(!(entry->perm & access)) || unlikely((~iova & entry->mask) < length - 1))
		return NULL;
	there = iommu_target_place(iommu, iommu_entry_address(entry, iova), at, &room);
	return likely(section_is_direct(there, access)) && likely(room >= length - 1) ? there : NULL;
}

static __attribute__((noinline)) enum mem_result read_iommu(const struct address_space *as,
							    const struct section *section, u64 address,
							    u64 room, u8 *buffer, u64 length)
{
	u64 iova = section_offset(section, address), at;
	const struct section *there;
	struct iommu_entry entry;

	if (unlikely(room < length - 1))
		return as_read_done(as, address, buffer, length, NULL);
	there = translate_once(section, iova, length, MEM_READ, &entry, &at);
	if (unlikely(!there))
		return read_pages(as, section, &entry, iova, buffer, length);
	copy_in_few(buffer, there->host + at, length);
	return MEM_OK;
}

static __attribute__((noinline)) enum mem_result write_iommu(const struct address_space *as,
							     const struct section *section, u64 address,
							     u64 room, const u8 *buffer, u64 length)
{
	u64 iova = section_offset(section, address), at;
	const struct section *there;
	struct iommu_entry entry;

	if (unlikely(room < length - 1 || section->flags & SECTION_READONLY))
		return as_write_done(as, address, buffer, length, NULL);
	there = translate_once(section, iova, length, MEM_WRITE, &entry, &at);
	if (unlikely(!there))
		return write_pages(as, section, &entry, iova, buffer, length);
	copy_out_few(there->host + at, buffer, length);
	mark_written(there, at, length);
	return MEM_OK;
}

/* One access, a power of two of bytes, that the ops take as it is? `sizes` has no bit above 8. */
static inline bool is_register(u8 sizes, u64 offset, u64 length)
{
	return sizes & length && !((offset | length) & (length - 1));
}

/* What is not RAM within a section: kept apart, so that the short way saves no registers for it. */
static __attribute__((noinline)) enum mem_result
read_other(const struct address_space *as, const struct section *section, u64 address, u8 *buffer, u64 length)
{
	u64 offset = section_offset(section, address), value;
	enum mem_result result;

	if (section->last - address >= length - 1 && is_register(section->read_sizes, offset, length)) {
		result = section->ops->read(section->device, offset, (unsigned)length, &value);
		put_bytes(buffer, likely(result == MEM_OK) ? value : ~0ull, length);
		return result;
	}
	return as_read_done(as, address, buffer, length, NULL);
}

static __attribute__((noinline)) enum mem_result write_other(const struct address_space *as,
							     const struct section *section, u64 address,
							     const u8 *buffer, u64 length)
{
	u64 offset = section_offset(section, address);

	if (section->last - address >= length - 1 && is_register(section->write_sizes, offset, length))
		return section->ops->write(section->device, offset, (unsigned)length,
					   get_bytes(buffer, length));
	return as_write_done(as, address, buffer, length, NULL);
}

/*
 * `at`: from the section's start, `room`: bytes that follow there before its end, less one. No bytes: length - 1 is
 * 2^64 - 1; only a section of 2^64 bytes has that many behind its start, and copies none.
 */
static inline enum mem_result read_from(const struct address_space *as, const struct section *section,
					u64 address, u64 at, u64 room, void *buffer, u64 length)
{
	if (unlikely(!(section->flags & SECTION_READ_DIRECT) || room < length - 1)) {
		if (section->kind == SECTION_IOMMU)
			return read_iommu(as, section, address, room, buffer, length);
		return read_other(as, section, address, buffer, length);
	}
	copy_in(buffer, section->host + at, length);
	return MEM_OK;
}

static inline enum mem_result write_to(const struct address_space *as, const struct section *section,
				       u64 address, u64 at, u64 room, const void *buffer, u64 length)
{
	if (unlikely((section->flags & (SECTION_WRITE_DIRECT | SECTION_DIRTY_LOG)) != SECTION_WRITE_DIRECT ||
		     room < length - 1)) {
		if (section->kind == SECTION_IOMMU)
			return write_iommu(as, section, address, room, buffer, length);
		return write_other(as, section, address, buffer, length);
	}
	copy_out(section->host + at, buffer, length);
	return MEM_OK;
}

enum mem_result as_read(const struct address_space *as, u64 address, void *buffer, u64 length)
{
	const struct section *section = flatview_lookup(as_view(as), address);

	return read_from(as, section, address, address - section->first, section->last - address, buffer,
			 length);
}

enum mem_result as_write(const struct address_space *as, u64 address, const void *buffer, u64 length)
{
	const struct section *section = flatview_lookup(as_view(as), address);

	return write_to(as, section, address, address - section->first, section->last - address, buffer,
			length);
}

/* Another section than the last time: kept apart for the same reason. */
static __attribute__((noinline)) enum mem_result read_elsewhere(const struct address_space *as,
								struct section_cache *cache, u64 address,
								void *buffer, u64 length)
{
	const struct section *section = section_cache_fill(cache, as_view(as), address);

	return read_from(as, section, address, address - section->first, section->last - address, buffer,
			 length);
}

static __attribute__((noinline)) enum mem_result write_elsewhere(const struct address_space *as,
								 struct section_cache *cache, u64 address,
								 const void *buffer, u64 length)
{
	const struct section *section = section_cache_fill(cache, as_view(as), address);

	return write_to(as, section, address, address - section->first, section->last - address, buffer,
			length);
}

enum mem_result as_read_cached(const struct address_space *as, struct section_cache *cache, u64 address,
			       void *buffer, u64 length)
{
	const struct section *section = cache->section;
	u64 at, room;

	if (unlikely(cache->id != as_view(as)->id) || unlikely(!section_places(section, address, &at, &room)))
		return read_elsewhere(as, cache, address, buffer, length);
	return read_from(as, section, address, at, room, buffer, length);
}

enum mem_result as_write_cached(const struct address_space *as, struct section_cache *cache, u64 address,
				const void *buffer, u64 length)
{
	const struct section *section = cache->section;
	u64 at, room;

	if (unlikely(cache->id != as_view(as)->id) || unlikely(!section_places(section, address, &at, &room)))
		return write_elsewhere(as, cache, address, buffer, length);
	return write_to(as, section, address, at, room, buffer, length);
}

enum mem_result as_fill(const struct address_space *as, u64 address, u8 byte, u64 length)
{
	return run(&(struct transfer){ .access = MEM_WRITE, .fill = true, .byte = byte }, as, address, NULL,
		   length, NULL);
}

enum mem_result as_copy(const struct address_space *to, u64 to_address, const struct address_space *from,
			u64 address, u64 length)
{
	u64 room = MIN(~0ull - address, ~0ull - to_address); /* bytes before 2^64, less one */
	enum mem_result result = MEM_OK;
	u8 piece[512];

	if (length && length - 1 > room) {
		length = room + 1;
		result = MEM_DECODE_ERROR;
	}
	while (length) {
		/* Pieces end on boundaries of the target: a device there sees whole registers. */
		u64 size = MIN(sizeof(piece) - (to_address & (sizeof(piece) - 1)), length);

		result |= as_read(from, address, piece, size);
		result |= as_write(to, to_address, piece, size);
		length -= size;
		address += size;
		to_address += size;
	}
	return result;
}

/*
 * ---- accesses
 * -----------------------------------------------------------------------------------------------
 */

/* One access on a section that accepts it and holds all of it. */
static enum mem_result access_section(const struct section *section, u64 address, unsigned size, u8 *bytes,
				      enum mem_access access)
{
	u64 at = address - section->first;

	if (access == MEM_READ) {
		if (!(section->flags & SECTION_READ_DIRECT))
			return dispatch_read(section, section->offset + at, size, bytes);
		copy_in(bytes, section->host + at, size);
	} else {
		if (!(section->flags & SECTION_WRITE_DIRECT))
			return dispatch_write(section, section->offset + at, size, bytes);
		copy_out(section->host + at, bytes, size);
		mark_written(section, at, size);
	}
	return MEM_OK;
}

static enum mem_result access_slow(const struct address_space *as, const struct section *section, u64 address,
				   unsigned size, u8 *bytes, enum mem_access access)
{
	if (section_clip(section, address, size) == size && section_refuses(section, access) == MEM_OK) {
		u64 to = address, length = size;

		if (section->kind != SECTION_IOMMU)
			return access_section(section, address, size, bytes, access);
		section = iommu_follow(section, &to, &length, access);
		if (section && length == size)
			return access_section(section, to, size, bytes, access);
	}
	/* Split at an edge, or refused, in whole or in part. */
	return run(&(struct transfer){ .access = access }, as, address, bytes, size, NULL);
}

enum mem_result as_load_slow(const struct address_space *as, const struct section *section, u64 address,
			     unsigned size, enum mem_endian endian, u64 *value)
{
	u64 bytes = 0;
	enum mem_result result = access_slow(as, section, address, size, (u8 *)&bytes, MEM_READ);

	*value = endian == MEM_BIG_ENDIAN ? __builtin_bswap64(bytes) >> (64 - 8 * size) : bytes;
	return result;
}

enum mem_result as_store_slow(const struct address_space *as, const struct section *section, u64 address,
			      unsigned size, enum mem_endian endian, u64 value)
{
	if (endian == MEM_BIG_ENDIAN)
		value = __builtin_bswap64(value) >> (64 - 8 * size);
	return access_slow(as, section, address, size, (u8 *)&value, MEM_WRITE);
}
