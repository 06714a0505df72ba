// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/virtq_driver.h"

#include <string.h>

enum { F_NEXT = 1, F_WRITE = 2, F_INDIRECT = 4, F_AVAIL = 1 << 7, F_USED = 1 << 15 };

u64 driver_get(struct virtq_driver *d, u64 address, unsigned size)
{
	u64 value = 0;

	while (size--)
		value = value << 8 | *d->at(d->memory, address + size);
	return value;
}

void driver_put(struct virtq_driver *d, u64 address, unsigned size, u64 value)
{
	for (unsigned i = 0; i < size; i++)
		*d->at(d->memory, address + i) = (u8)(value >> (8 * i));
}

void driver_put_desc(struct virtq_driver *d, u64 table, u16 index, u64 addr, u32 len, u16 third, u16 fourth)
{
	driver_put(d, table + 16 * index, 8, addr);
	driver_put(d, table + 16 * index + 8, 4, len);
	driver_put(d, table + 16 * index + 12, 2, third);
	driver_put(d, table + 16 * index + 14, 2, fourth);
}

void driver_init(struct virtq_driver *d, u16 size, bool packed, bool event_idx, u64 desc, u64 driver,
		 u64 device)
{
	u8 *(*at)(void *, u64) = d->at;
	void *memory = d->memory;

	memset(d, 0, sizeof(*d));
	d->at = at;
	d->memory = memory;
	d->size = size;
	d->packed = packed;
	d->event_idx = event_idx;
	d->desc = desc;
	d->driver = driver;
	d->device = device;
	d->free = size;
	d->avail_wrap = d->used_wrap = true;
	for (u64 i = 0; i < 16u * size; i++)
		driver_put(d, desc + i, 1, 0);
	for (u64 i = 0; i < (packed ? 4 : 6 + 2u * size); i++)
		driver_put(d, driver + i, 1, 0);
	for (u64 i = 0; i < (packed ? 4 : 6 + 8u * size); i++)
		driver_put(d, device + i, 1, 0);
}

static u16 take_desc(struct virtq_driver *d)
{
	u16 i = 0;

	while (d->desc_used[i])
		i++;
	d->desc_used[i] = true;
	return i;
}

static void put_split(struct virtq_driver *d, unsigned id, const struct driver_piece *pieces, unsigned out,
		      unsigned count, u64 table, unsigned direct)
{
	u16 place[DRIVER_IDS + 1] = { 0 };
	unsigned descs = d->descs_of[id];

	for (unsigned i = 0; i < descs; i++)
		place[i] = take_desc(d);
	for (unsigned i = 0; i < count; i++) {
		u16 flags = i >= out ? F_WRITE : 0;

		if (table && i >= direct) {
			bool last = i == count - 1;

			driver_put_desc(d, table, i - direct, pieces[i].address, pieces[i].length,
					flags | (last ? 0 : F_NEXT), last ? 0 : i - direct + 1);
			continue;
		}
		if (i + 1 < descs)
			flags |= F_NEXT;
		driver_put_desc(d, d->desc, place[i], pieces[i].address, pieces[i].length, flags,
				place[i + 1]);
	}
	if (table)
		driver_put_desc(d, d->desc, place[descs - 1], table, 16 * (count - direct), F_INDIRECT, 0);
	d->head_of[id] = place[0];
	driver_put(d, d->driver + 4 + 2 * (d->avail_idx % d->size), 2, place[0]);
	driver_put(d, d->driver + 2, 2, ++d->avail_idx);
	d->added++;
}

static void put_packed(struct virtq_driver *d, unsigned id, const struct driver_piece *pieces, unsigned out,
		       unsigned count, u64 table)
{
	unsigned descs = d->descs_of[id];
	u64 first = d->desc + 16 * d->avail_place;
	u16 first_flags = 0;

	for (unsigned i = 0; table && i < count; i++)
		driver_put_desc(d, table, i, pieces[i].address, pieces[i].length, 0xdead,
				i >= out ? F_WRITE : 0);
	for (unsigned i = 0; i < descs; i++) {
		u16 flags = (d->avail_wrap ? F_AVAIL : F_USED) | (i + 1 < descs ? F_NEXT : 0);

		if (table)
			flags |= F_INDIRECT;
		else if (i >= out)
			flags |= F_WRITE;
		if (!i)
			first_flags = flags;
		driver_put_desc(d, d->desc, d->avail_place, table ? table : pieces[i].address,
				table ? 16 * count : pieces[i].length, i + 1 < descs ? 0xdead : id,
				i ? flags : (u16)driver_get(d, first + 14, 2));
		if (++d->avail_place == d->size) {
			d->avail_place = 0;
			d->avail_wrap = !d->avail_wrap;
		}
	}
	driver_put(d, first + 14, 2, first_flags);
	d->added += descs;
}

int driver_add(struct virtq_driver *d, const struct driver_piece *pieces, unsigned out, unsigned in,
	       u64 table, unsigned direct)
{
	unsigned count = out + in, descs = table ? direct + 1 : count, id = 0;

	if (descs > d->free)
		return -1;
	while (d->id_used[id])
		id++;
	d->id_used[id] = true;
	d->descs_of[id] = descs;
	d->free -= descs;
	if (d->packed)
		put_packed(d, id, pieces, out, count, table);
	else
		put_split(d, id, pieces, out, count, table, direct);
	return id;
}

static bool passed(u16 event, u16 new, u16 old)
{
	/* Step by step: did it leave `event` behind? */
	for (; old != new; old++) {
		if (old == event)
			return true;
	}
	return false;
}

bool driver_must_notify(struct virtq_driver *d)
{
	u16 added = d->added;

	d->added = 0;
	if (!added)
		return false;
	if (!d->packed) {
		if (d->event_idx)
			return passed(driver_get(d, d->device + 4 + 8 * d->size, 2), d->avail_idx,
				      d->avail_idx - added);
		return !(driver_get(d, d->device, 2) & 1);
	}
	switch (driver_get(d, d->device + 2, 2)) {
	case 0:
		return true;
	case 1:
		return false;
	default: {
		/* Places of two rounds in a row: those before the wrap of the place that comes next, and after. */
		u16 event = driver_get(d, d->device, 2), place = d->avail_place;
		bool wrap = d->avail_wrap;

		while (added--) {
			if (!place--) {
				place = d->size - 1;
				wrap = !wrap;
			}
			if (event == (place | wrap << 15))
				return true;
		}
		return false;
	}
	}
}

static int split_get_used(struct virtq_driver *d, u32 *length)
{
	u64 element = d->device + 4 + 8 * (d->used_idx % d->size);
	u32 head = driver_get(d, element, 4);
	u16 at = head;

	if (driver_get(d, d->device + 2, 2) == d->used_idx)
		return -1;
	*length = driver_get(d, element + 4, 4);
	d->used_idx++;
	for (unsigned id = 0; id < DRIVER_IDS; id++) {
		if (!d->id_used[id] || d->head_of[id] != head)
			continue;
		for (unsigned i = 0; i < d->descs_of[id]; i++) {
			d->desc_used[at] = false;
			at = driver_get(d, d->desc + 16 * at + 14, 2);
		}
		return id;
	}
	return -2;
}

static int packed_get_used(struct virtq_driver *d, u32 *length)
{
	u64 desc = d->desc + 16 * d->used_place;
	u16 flags = driver_get(d, desc + 14, 2), id = driver_get(d, desc + 12, 2);

	if (!!(flags & F_AVAIL) != d->used_wrap || !!(flags & F_USED) != d->used_wrap)
		return -1;
	*length = driver_get(d, desc + 8, 4);
	if (id >= DRIVER_IDS || !d->id_used[id] || !!*length != !!(flags & F_WRITE))
		return -2;
	d->used_place += d->descs_of[id];
	if (d->used_place >= d->size) {
		d->used_place -= d->size;
		d->used_wrap = !d->used_wrap;
	}
	return id;
}

int driver_get_used(struct virtq_driver *d, u32 *length)
{
	int id = d->packed ? packed_get_used(d, length) : split_get_used(d, length);

	if (id >= 0) {
		d->id_used[id] = false;
		d->free += d->descs_of[id];
	}
	return id;
}

void driver_want_interrupt(struct virtq_driver *d, u16 more)
{
	if (!d->packed) {
		driver_put(d, d->driver, 2, 0);
		if (d->event_idx)
			driver_put(d, d->driver + 4 + 2 * d->size, 2, d->used_idx + more);
	} else if (d->event_idx) {
		u16 place = d->used_place + more;
		bool wrap = d->used_wrap;

		if (place >= d->size) {
			place -= d->size;
			wrap = !wrap;
		}
		driver_put(d, d->driver, 4, 2u << 16 | wrap << 15 | place);
	} else {
		driver_put(d, d->driver, 4, 0);
	}
}

void driver_want_none(struct virtq_driver *d)
{
	if (d->packed)
		driver_put(d, d->driver, 4, 1u << 16);
	else if (d->event_idx) /* far behind */
		driver_put(d, d->driver + 4 + 2 * d->size, 2, d->used_idx - 1);
	else
		driver_put(d, d->driver, 2, 1);
}
