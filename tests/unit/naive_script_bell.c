// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/naive_play.h"

#include <errno.h>

/*
 * ---- comparing
 * ----------------------------------------------------------------------------------------------
 */

void script_check_rings(struct script *s)
{
	const struct naive_rings *got = &s->rings, *want = &s->world.rings;
	unsigned i;

	if (want->count)
		TRACE("%u doorbells ring, r%d.%d 0x%llx first", want->count, want->ring[0].region,
		      want->ring[0].doorbell, (ull)want->ring[0].value);
	for (i = 0; i < got->count && i < want->count; i++)
		if (got->ring[i].region != want->ring[i].region ||
		    got->ring[i].doorbell != want->ring[i].doorbell ||
		    got->ring[i].value != want->ring[i].value)
			break;
	if (i != got->count || i != want->count)
		script_fail(
			s, "%u doorbells rang, expected %u; ring %u is r%d.%d 0x%llx, expected r%d.%d 0x%llx",
			got->count, want->count, i, got->ring[i].region, got->ring[i].doorbell,
			(ull)got->ring[i].value, want->ring[i].region, want->ring[i].doorbell,
			(ull)want->ring[i].value);
}

void script_check_kept(struct script *s, int number)
{
	const struct naive_coalesced *want = &s->contents.device[number].coalesced;
	const struct coalesced *got = &s->coalesced[number];

	if (want->attached &&
	    (got->count != want->count || got->kept != want->kept || got->flushes != want->flushes))
		script_fail(s, "r%d keeps %u writes (%llu, %llu flushes), expected %u (%llu, %llu flushes)",
			    number, got->count, (ull)got->kept, (ull)got->flushes, want->count,
			    (ull)want->kept, (ull)want->flushes);
}

bool script_may_ring(struct script *s, const struct section *section)
{
	const struct naive_device *device;
	bool rings = false;
	int i;

	if (!(section->flags & SECTION_DOORBELLS))
		return true;
	device = &s->contents.device[script_number(s, section->region)];
	for (i = 0; i < NAIVE_DOORBELLS; i++)
		rings |= device->doorbell[i].used;
	return rings && !device->big_endian && !device->coalesced.attached;
}

/*
 * ---- doorbells
 * ----------------------------------------------------------------------------------------------
 */

static void ring(void *opaque, u64 value)
{
	struct script_doorbell *doorbell = opaque;

	naive_ring(&doorbell->script->rings, doorbell->region, doorbell->number, value);
}

/* Where one might look at a register: mostly where a space shows a region with ops. */
struct spot {
	int space, number;
	u64 offset, address; /* in the region, in the space */
};

static struct spot choose_spot(struct script *s, u64 word)
{
	struct spot spot = { .space = word & 15 ? (int)(word >> 4 & 1) : 2 };
	const struct flatview *view = as_view(&s->space[spot.space]);
	u32 i, at = (u32)(word >> 8) % view->count;
	u64 near = word >> 60;

	for (i = 0; i < view->count && word >> 40 & 7; i++, at = (at + 1) % view->count) {
		const struct section *section = &view->sections[at];

		if (!section->ops)
			continue;
		near = MIN(near, section->last - section->first);
		spot.number = script_number(s, section->region);
		spot.address = word >> 43 & 1 ? section->first + near : section->last - near;
		spot.offset = section_offset(section, spot.address);
		return spot;
	}
	spot.number = script_choose_region(s, word >> 16);
	spot.address = script_choose_address(s, word >> 8, word >> 16);
	spot.offset = word >> 43 & 1 ? near : (u64)(s->now.region[spot.number].size - 1) - near;
	return spot;
}

static bool expected_error(int error, u64 errors)
{
	return error ? errors >> -error & 1 : errors == 0;
}

/* Puts one into its slot, or takes out the one that is there. */
static void change_doorbell(struct script *s, const struct spot *spot, const u64 *w)
{
	static const u8 sizes[] = { 0, 1, 2, 4, 8, 4, 2, 0 };
	int number = spot->number, slot = (int)(w[2] % NAIVE_DOORBELLS), error, i;
	struct naive_region *region = &s->now.region[number];
	struct naive_device *device = &s->contents.device[number];
	struct naive_doorbell *bell = &device->doorbell[slot], made;
	struct script_doorbell *core = &s->doorbell[number][slot];
	bool first = true;
	u64 errors;

	if (bell->used || (w[2] >> 8 & 15) == 0) { /* taking off what is not there is harmless */
		TRACE("doorbell r%d.%d removed", number, slot);
		doorbell_remove(script_region(s, number), &core->bell);
		bell->used = false;
		return;
	}
	made = (struct naive_doorbell){ .used = true,
					.match = w[3] >> 8 & 1,
					.offset = spot->offset & ~(w[4] & 7),
					.data = w[3] & 3,
					.size = sizes[w[5] & 7] };
	*core = (struct script_doorbell){ .bell = { .offset = made.offset,
						    .size = made.size,
						    .match_data = made.match,
						    .data = made.data,
						    .ring = ring,
						    .device = core },
					  .script = s,
					  .region = number,
					  .number = slot };
	errors = naive_doorbell_errors(region->has_ops ? device : NULL, &made);
	error = doorbell_add(script_region(s, number), &core->bell);
	TRACE("doorbell r%d.%d at 0x%llx size %u%s 0x%llx: %d", number, slot, (ull)made.offset, made.size,
	      made.match ? " value" : "", (ull)made.data, error);
	if (!expected_error(error, errors))
		script_fail(s, "adding a doorbell says %d, expected one of 0x%llx", error, (ull)errors);
	if (errors)
		return;
	for (i = 0; i < NAIVE_DOORBELLS; i++)
		first &= !device->doorbell[i].used;
	s->unsettled |= s->depth && first;
	*bell = made;
}

/* A write at the doorbell or next to it. */
static void write_doorbell(struct script *s, const struct spot *spot, const struct naive_doorbell *bell,
			   const u64 *w)
{
	u64 size = w[3] >> 8 & 3, address = spot->address + (bell->offset - spot->offset);

	if (bell->size && w[3] >> 16 & 7)
		size = (u64)__builtin_ctz(bell->size);
	if ((w[3] >> 20 & 7) == 0)
		address += (w[3] >> 24 & 7) - 4;
	script_access(s,
		      (u64[]){ 0, (u64)spot->space | size << 8 | BIT(17) | (w[1] & BIT(18)), 0, 0,
			       w[4] & 3 ? bell->data : w[4], 1 },
		      address);
}

void script_op_doorbell(struct script *s, const u64 *w)
{
	struct spot spot = choose_spot(s, w[1]);
	const struct naive_doorbell *bell = s->contents.device[spot.number].doorbell;
	u64 i = w[2] >> 40, end = i + NAIVE_DOORBELLS;

	if (!script_is_used(&s->now.region[spot.number]))
		return;
	while (i < end && !bell[i % NAIVE_DOORBELLS].used)
		i++;
	if (i < end && w[2] >> 30 & 3)
		write_doorbell(s, &spot, &bell[i % NAIVE_DOORBELLS], w);
	else
		change_doorbell(s, &spot, w);
}

/*
 * ---- kept writes
 * --------------------------------------------------------------------------------------------
 */

static void attach(struct script *s, int number, bool on)
{
	struct naive_device *device = &s->contents.device[number];
	bool possible = !on || (s->now.region[number].has_ops && !device->big_endian);
	int error = coalesced_attach(script_region(s, number), on ? &s->coalesced[number] : NULL);

	TRACE("r%d coalesces %d: %d", number, on, error);
	if (!expected_error(error, possible ? 0 : BIT(EINVAL)))
		script_fail(s, "attaching a ring says %d", error);
	if (!possible)
		return;
	naive_flush(device);
	device->coalesced = (struct naive_coalesced){ .attached = on };
	s->unsettled |= on && s->depth;
}

static void add_range(struct script *s, const struct spot *spot, const u64 *w)
{
	int number = spot->number;
	const struct naive_region *region = &s->now.region[number];
	struct naive_device *device = &s->contents.device[number];
	u64 offset = w[3] & 3 ? 0 : spot->offset & ~(w[4] & 15);
	u64 length = w[3] & 4	? (u64)(region->size - offset)
		     : w[3] & 8 ? w[5] & 15
				: w[5] >> (w[3] >> 8 & 63);
	u64 errors = naive_range_errors(region->has_ops ? device : NULL, offset, length);
	int error = coalesced_add_range(script_region(s, number), offset, length);
	unsigned at = device->coalesced.ranges;

	TRACE("r%d coalesces 0x%llx, 0x%llx bytes: %d", number, (ull)offset, (ull)length, error);
	if (!expected_error(error, errors))
		script_fail(s, "adding a range says %d, expected one of 0x%llx", error, (ull)errors);
	if (errors)
		return;
	device->coalesced.range[at].offset = offset;
	device->coalesced.range[at].length = length;
	device->coalesced.ranges++;
}

static void flush(struct script *s, int number)
{
	enum mem_result expected = naive_flush(&s->contents.device[number]);
	enum mem_result result = coalesced_flush(script_region(s, number));

	TRACE("r%d flushed: %d", number, result);
	if (result != expected)
		script_fail(s, "flushing r%d says %d, expected %d", number, result, expected);
	script_check_kept(s, number);
}

/* More writes to one place than a ring holds; at the start or the end of a range, if there is one. */
static void burst(struct script *s, const struct spot *spot, const u64 *w)
{
	const struct naive_coalesced *coalesced = &s->contents.device[spot->number].coalesced;
	u64 each[6] = { 0, (u64)spot->space | (w[3] & 0x300) | BIT(17) | (w[3] & BIT(18)), 0, 0, w[5], 1 };
	unsigned i, times = (unsigned)(w[2] >> 8) % 100, range = (unsigned)(w[4] >> 8) % NAIVE_RANGES;
	u64 address = spot->address;

	if (range < coalesced->ranges)
		address += coalesced->range[range].offset +
			   (w[4] & BIT(7) ? coalesced->range[range].length : 0) - spot->offset;
	address -= w[4] & 7;
	for (i = 0; i < times && !s->failed; i++, each[4] = each[4] * 5 + 1)
		script_access(s, each, address);
}

void script_op_coalesce(struct script *s, const u64 *w)
{
	struct spot spot = choose_spot(s, w[1]);

	if (!script_is_used(&s->now.region[spot.number]))
		return;
	switch (w[2] & 15) {
	case 0:
		attach(s, spot.number, false);
		break;
	case 1:
	case 2:
	case 3:
		attach(s, spot.number, true);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		add_range(s, &spot, w);
		break;
	case 8:
	case 9:
		burst(s, &spot, w);
		break;
	default:
		flush(s, spot.number);
		break;
	}
}
