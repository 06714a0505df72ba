// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/naive_device.h"

#include <errno.h>
#include <string.h>

/*
 * ---- the ops
 * ------------------------------------------------------------------------------------------------
 */

bool naive_device_touch(const struct naive_device *device, u64 offset, unsigned size)
{
	unsigned i;

	for (i = 0; i < size; i++)
		if (device->poison >> ((offset + i) & 63) & 1)
			return false;
	return true;
}

u64 naive_device_get(const struct naive_device *device, u64 offset, unsigned size)
{
	u64 value = 0;
	unsigned i;

	for (i = 0; i < size; i++)
		value |= (u64)device->bytes[(offset + i) & 63] << 8 * (device->big_endian ? size - 1 - i : i);
	return value;
}

void naive_device_put(struct naive_device *device, u64 offset, unsigned size, u64 value)
{
	unsigned i;

	for (i = 0; i < size; i++)
		device->bytes[(offset + i) & 63] = (u8)(value >> 8 * (device->big_endian ? size - 1 - i : i));
}

/*
 * ---- doorbells and kept writes
 * ------------------------------------------------------------------------------
 */

void naive_ring(struct naive_rings *rings, int region, int doorbell, u64 value)
{
	if (rings->count < NAIVE_RINGS) {
		rings->ring[rings->count].region = region;
		rings->ring[rings->count].doorbell = doorbell;
		rings->ring[rings->count].value = value;
	}
	rings->count++;
}

static bool answers(const struct naive_doorbell *bell, u64 offset, unsigned size, u64 value)
{
	return bell->used && bell->offset == offset && (bell->size == 0 || bell->size == size) &&
	       (!bell->match || bell->data == value);
}

u64 naive_doorbell_errors(const struct naive_device *device, const struct naive_doorbell *added)
{
	unsigned i, size;

	if (!device || (u128)added->offset + (added->size ? added->size : 1) > device->size)
		return BIT(EINVAL);
	/* Is there a write that both answer? If one of them minds the value, then one of that value. */
	for (i = 0; i < NAIVE_DOORBELLS; i++)
		for (size = 1; size <= 8; size *= 2)
			if (answers(&device->doorbell[i], added->offset, size,
				    added->match ? added->data : device->doorbell[i].data) &&
			    answers(added, added->offset, size,
				    added->match ? added->data : device->doorbell[i].data))
				return BIT(EEXIST);
	return 0;
}

u64 naive_range_errors(const struct naive_device *device, u64 offset, u64 length)
{
	if (!device || !device->coalesced.attached || length == 0 || (u128)offset + length > device->size)
		return BIT(EINVAL);
	return device->coalesced.ranges == NAIVE_RANGES ? BIT(ENOSPC) : 0;
}

enum mem_result naive_flush(struct naive_device *device)
{
	struct naive_coalesced *coalesced = &device->coalesced;
	enum mem_result result = MEM_OK;
	unsigned i;

	coalesced->flushes += coalesced->count != 0;
	for (i = 0; i < coalesced->count; i++) {
		if (naive_device_touch(device, coalesced->write[i].offset, coalesced->write[i].size))
			naive_device_put(device, coalesced->write[i].offset, coalesced->write[i].size,
					 coalesced->write[i].value);
		else
			result = MEM_ERROR;
	}
	coalesced->count = 0;
	return result;
}

static bool keep(struct naive_device *device, u64 offset, unsigned size, u64 value)
{
	struct naive_coalesced *coalesced = &device->coalesced;
	bool inside = false;
	unsigned i;

	for (i = 0; i < coalesced->ranges; i++)
		inside |=
			offset >= coalesced->range[i].offset &&
			(u128)offset + size <= (u128)coalesced->range[i].offset + coalesced->range[i].length;
	if (!inside)
		return false;
	if (coalesced->count == NAIVE_KEPT)
		naive_flush(device);
	coalesced->write[coalesced->count].offset = offset;
	coalesced->write[coalesced->count].size = size;
	coalesced->write[coalesced->count].value = value;
	coalesced->count++;
	coalesced->kept++;
	return true;
}

/*
 * ---- the dispatcher
 * -----------------------------------------------------------------------------------------
 */

static struct mem_sizes with_defaults(struct mem_sizes sizes)
{
	sizes.min = sizes.min ? sizes.min : 1;
	sizes.max = sizes.max ? sizes.max : 8;
	return sizes;
}

bool naive_device_decodes(const struct naive_device *device, u64 offset, unsigned size)
{
	struct mem_sizes valid = with_defaults(device->valid);

	return size >= valid.min && size <= valid.max && (valid.unaligned || offset % size == 0);
}

/*
 * One access that the device decodes, by calls that it implements, all of one size: the largest that divides
 * it, and where even the smallest is too large, those around its bytes: read, changed and written again.
 */
static enum mem_result by_calls(struct naive_device *device, u64 offset, u8 *bytes, unsigned size, bool write,
				u64 value)
{
	struct mem_sizes impl = with_defaults(device->impl);
	enum mem_result result = MEM_OK;
	unsigned unit = impl.max, skip, i;
	u8 kept[8];
	u128 start;

	memcpy(kept, bytes, size);
	while (unit > impl.min && (unit > size || (!impl.unaligned && (size % unit || offset % unit))))
		unit /= 2;
	skip = impl.unaligned && unit <= size ? 0 : (unsigned)(offset % unit);
	for (start = offset - skip; start < (u128)offset + size; start += unit)
		if (start + unit > device->size)
			return MEM_DECODE_ERROR;
	if (write && unit == size && skip == 0 && keep(device, offset, size, value))
		return MEM_OK;
	naive_flush(device);
	for (start = offset - skip; start < (u128)offset + size; start += unit) {
		if (!naive_device_touch(device, (u64)start, unit)) {
			result |= MEM_ERROR;
			continue;
		}
		for (i = 0; i < size; i++) {
			u128 at = (u128)offset + i;

			if (at < start || at >= start + unit)
				continue;
			if (write)
				device->bytes[at & 63] = bytes[i];
			else
				kept[i] = device->bytes[at & 63];
		}
	}
	if (!write && result == MEM_OK)
		memcpy(bytes, kept, size);
	return result;
}

enum mem_result naive_device_access(struct naive_device *device, u64 offset, u8 *bytes, unsigned size,
				    bool write, struct naive_rings *rings)
{
	u64 value = 0;
	int i;

	for (i = 0; i < (int)size; i++)
		value |= (u64)bytes[i] << 8 * (device->big_endian ? (int)size - 1 - i : i);
	for (i = 0; i < NAIVE_DOORBELLS && write; i++) {
		if (answers(&device->doorbell[i], offset, size, value)) {
			naive_ring(rings, device->number, i, value);
			return MEM_OK;
		}
	}
	return naive_device_decodes(device, offset, size)
		       ? by_calls(device, offset, bytes, size, write, value)
		       : MEM_DECODE_ERROR;
}
