// SPDX-License-Identifier: BSD-2-Clause
#include "mm/dispatch.h"

#include <string.h>

#include "mm/doorbell.h"

struct sizes {
	unsigned min, max;
};

static struct sizes with_defaults(const struct mem_sizes *sizes)
{
	return (struct sizes){ sizes->min ? sizes->min : 1, sizes->max ? sizes->max : 8 };
}

static bool sizes_valid(const struct mem_sizes *declared)
{
	struct sizes sizes = with_defaults(declared);

	return sizes.max <= 8 && !(sizes.max & (sizes.max - 1)) && !(sizes.min & (sizes.min - 1)) &&
	       sizes.min <= sizes.max;
}

bool region_ops_valid(const struct region_ops *ops)
{
	return ops && sizes_valid(&ops->valid) && sizes_valid(&ops->impl);
}

/* `size` bytes in memory order <-> the device's number. */
static u64 number(const struct region_ops *ops, const u8 *bytes, unsigned size)
{
	u64 value = 0;

	memcpy(&value, bytes, size);
	return ops->endian == MEM_BIG_ENDIAN ? __builtin_bswap64(value) >> (64 - 8 * size) : value;
}

static void put_number(const struct region_ops *ops, u8 *bytes, unsigned size, u64 value)
{
	if (ops->endian == MEM_BIG_ENDIAN)
		value = __builtin_bswap64(value) >> (64 - 8 * size);
	memcpy(bytes, &value, size);
}

static bool decodes(const struct region_ops *ops, u64 offset, unsigned size)
{
	struct sizes valid = with_defaults(&ops->valid);

	return size >= valid.min && size <= valid.max &&
	       (ops->valid.unaligned || IS_ALIGNED(offset, (u64)size));
}

/*
 * The units in which the ops implement [offset, offset + size): `count` of `size` bytes each from `start` on.
 * They cover it exactly where sizes and alignment allow, else with something over at the ends.
 */
struct units {
	u64 start;
	unsigned size, count;
};

static bool find_units(const struct section *section, u64 offset, unsigned size, struct units *units)
{
	const struct region_ops *ops = section->ops;
	struct sizes impl = with_defaults(&ops->impl);
	u64 both = ops->impl.unaligned ? size : size | offset;
	unsigned unit = MAX(impl.min, MIN(impl.max, (unsigned)(both & -both)));

	units->size = unit;
	units->start = ops->impl.unaligned && unit <= size ? offset : ALIGN_DOWN(offset, (u64)unit);
	units->count = (unsigned)((offset + size - 1 - units->start) / unit) + 1;
	return units->start + ((u64)units->count * unit - 1) <= section->region->last;
}

/* What of the unit at `at` lies inside [offset, offset + size): bytes from `skip` of the unit. */
static unsigned overlap(u64 at, unsigned unit, u64 offset, unsigned size, unsigned *skip)
{
	u64 last = MIN(at + (unit - 1), offset + (size - 1));

	*skip = at < offset ? (unsigned)(offset - at) : 0;
	return (unsigned)(last - (at + *skip)) + 1;
}

enum mem_result dispatch_read(const struct section *section, u64 offset, unsigned size, u8 *bytes)
{
	const struct region_ops *ops = section->ops;
	enum mem_result result = MEM_OK;
	struct units units;

	if (!decodes(ops, offset, size) || !find_units(section, offset, size, &units)) {
		result = MEM_DECODE_ERROR;
	} else if (!ops->read) {
		result = MEM_ACCESS_ERROR;
	} else {
		coalesced_flush(section->region);
		for (unsigned i = 0; i < units.count; i++) {
			u64 value = 0, at = units.start + i * units.size;
			unsigned skip, length = overlap(at, units.size, offset, size, &skip);
			u8 unit[8];

			result |= ops->read(section->device, at, units.size, &value);
			put_number(ops, unit, units.size, value);
			memcpy(bytes + (at + skip - offset), unit + skip, length);
		}
	}
	if (result != MEM_OK)
		memset(bytes, 0xff, size);
	return result;
}

/* A unit of which only a part is written: the rest is read and written back. */
static enum mem_result merge_unit(const struct section *section, u64 at, unsigned size, u8 *unit)
{
	enum mem_result result = MEM_ACCESS_ERROR;
	u64 value = 0;

	if (section->ops->read)
		result = section->ops->read(section->device, at, size, &value);
	put_number(section->ops, unit, size, value);
	return result;
}

enum mem_result dispatch_write(const struct section *section, u64 offset, unsigned size, const u8 *bytes)
{
	const struct region_ops *ops = section->ops;
	struct region *region = section->region;
	enum mem_result result = MEM_OK;
	struct units units;

	if (doorbell_try(region, offset, size, number(ops, bytes, size)))
		return MEM_OK;
	if (!decodes(ops, offset, size) || !find_units(section, offset, size, &units))
		return MEM_DECODE_ERROR;
	if (!ops->write)
		return MEM_ACCESS_ERROR;
	if (region->coalesced) {
		/* Kept is what the ops take as it is. */
		if (units.size == size && units.count == 1 &&
		    coalesced_keep(region, offset, size, number(ops, bytes, size)))
			return MEM_OK;
		coalesced_flush(region);
	}
	for (unsigned i = 0; i < units.count; i++) {
		u64 at = units.start + i * units.size;
		unsigned skip, length = overlap(at, units.size, offset, size, &skip);
		enum mem_result merged = MEM_OK;
		u8 unit[8];

		if (length < units.size)
			merged = merge_unit(section, at, units.size, unit);
		memcpy(unit + skip, bytes + (at + skip - offset), length);
		if (merged == MEM_OK)
			merged = ops->write(section->device, at, units.size, number(ops, unit, units.size));
		result |= merged;
	}
	return result;
}

/*
 * The next access of a transfer: its size, or, if the device decodes none here, 0 and the bytes to pass over
 * in *skip.
 */
static unsigned next_size(const struct region_ops *ops, u64 offset, u64 length, unsigned *skip)
{
	struct sizes valid = with_defaults(&ops->valid);
	unsigned size = valid.max;

	while (size > length || (!ops->valid.unaligned && !IS_ALIGNED(offset, (u64)size)))
		size /= 2;
	if (size >= valid.min)
		return size;
	*skip = (unsigned)MIN((u64)valid.min - (offset & (valid.min - 1)), length);
	return 0;
}

static enum mem_result transfer(const struct section *section, u64 offset, u8 *bytes, u64 length,
				enum mem_access access, u64 *done)
{
	enum mem_result result = MEM_OK;

	*done = 0;
	while (length) {
		unsigned skip = 0, size = next_size(section->ops, offset, length, &skip);
		enum mem_result part;

		if (!size) {
			part = MEM_DECODE_ERROR;
			size = skip;
			if (access == MEM_READ)
				memset(bytes, 0xff, size);
		} else if (access == MEM_READ) {
			part = dispatch_read(section, offset, size, bytes);
		} else {
			part = dispatch_write(section, offset, size, bytes);
		}
		result |= part;
		if (result == MEM_OK)
			*done += size;
		offset += size;
		bytes += size;
		length -= size;
	}
	return result;
}

enum mem_result dispatch_read_transfer(const struct section *section, u64 offset, u8 *bytes, u64 length,
				       u64 *done)
{
	return transfer(section, offset, bytes, length, MEM_READ, done);
}

enum mem_result dispatch_write_transfer(const struct section *section, u64 offset, const u8 *bytes,
					u64 length, u64 *done)
{
	return transfer(section, offset, (u8 *)bytes, length, MEM_WRITE, done);
}
