// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/naive_play.h"

#include <errno.h>
#include <string.h>

/*
 * ---- comparing views
 * ----------------------------------------------------------------------------------------
 */

static u8 expected_flags(struct script *s, const struct naive_place *place, const struct naive_region *region,
			 enum section_kind *kind)
{
	bool readonly = place->readonly || region->kind == REGION_ROM;
	u8 flags = readonly ? SECTION_READONLY : 0;
	(void)s;

	switch ((enum region_kind)region->kind) {
	case REGION_RAM:
	case REGION_ROM:
		*kind = readonly ? SECTION_ROM : SECTION_RAM;
		return flags | SECTION_READ_DIRECT | (readonly ? 0 : SECTION_WRITE_DIRECT);
	case REGION_ROM_DEVICE:
		*kind = SECTION_ROM_DEVICE;
		return flags | (region->direct ? SECTION_READ_DIRECT : 0);
	case REGION_RESERVED:
		*kind = SECTION_RESERVED;
		return flags;
	case REGION_IOMMU:
		*kind = SECTION_IOMMU;
		return flags;
	default:
		*kind = SECTION_MMIO;
		return flags;
	}
}

static void check_byte(struct script *s, int space, const struct section *section, u64 address)
{
	struct naive_place place = naive_resolve(&s->seen, &s->naive_space[space], address);
	enum section_kind kind = SECTION_UNCLAIMED;
	const struct section *found = flatview_lookup(as_view(&s->space[space]), address);
	const struct section *again = as_lookup(&s->space[space], &s->cache[space], address);
	bool ok = found == section && again == section;
	u8 flags = 0;

	if (place.region == NAIVE_NONE) {
		ok &= section->unclaimed == place.unclaimed &&
		      script_number(s, section->region) == place.policy_of;
	} else {
		flags = expected_flags(s, &place, &s->seen.region[place.region], &kind);
		ok &= script_number(s, section->region) == place.region &&
		      section->offset + (address - section->first) == place.offset;
		if (flags & (SECTION_READ_DIRECT | SECTION_WRITE_DIRECT))
			ok &= section->host == section->region->host + section->offset;
		ok &= (section->flags & 15 & ~SECTION_DIRTY_LOG) == flags;
		ok &= s->depth || script_may_ring(s, section);
	}
	if (!ok || section->kind != kind)
		script_fail(s,
			    "a%d 0x%llx is kind %u flags %x in r%d at 0x%llx, expected kind %u flags %x in "
			    "r%d at "
			    "0x%llx",
			    space, (ull)address, section->kind, section->flags,
			    script_number(s, section->region),
			    (ull)(section->offset + (address - section->first)), kind, flags, place.region,
			    (ull)place.offset);
}

void script_op_check_view(struct script *s, const u64 *w)
{
	int space = (int)(w[1] % SPACES);
	const struct flatview *view = as_view(&s->space[space]);
	u32 i, j;

	if (!s->live[space])
		return;
	for (i = 0; i < view->count && !s->failed; i++) {
		const struct section *section = &view->sections[i];
		u64 last = i + 1 < view->count ? section[1].first - 1 : ~0ull;
		struct naive_place place, next;

		if (section->last != last || section->first > section->last ||
		    (i == 0 && section->first != 0)) {
			script_fail(s, "the view is no partition at 0x%llx", (ull)section->first);
			return;
		}
		check_byte(s, space, section, section->first);
		check_byte(s, space, section, section->last);
		for (j = 0; j < 4; j++) {
			u64 inside = section->first +
				     (w[2] * (j + 1) >> 3) % (section->last - section->first + 1 ?: ~0ull);

			check_byte(s, space, section, inside);
		}
		if (i + 1 == view->count)
			break;
		place = naive_resolve(&s->seen, &s->naive_space[space], section->last);
		next = naive_resolve(&s->seen, &s->naive_space[space], section->last + 1);
		if (place.region != NAIVE_NONE && naive_continues(&place, &next))
			script_fail(s, "the view is cut in two at 0x%llx", (ull)section[1].first);
	}
	for (j = 0; j < 32 && !s->failed; j++) {
		u64 address = script_choose_address(s, w[3] * (2 * j + 1) >> 1, w[4] * (2 * j + 1) >> 7);

		check_byte(s, space, flatview_lookup(view, address), address);
	}
	TRACE("check a%d: %u sections", space, view->count);
}

/*
 * After each change: a view that should have been built again, and was not, must not hide until the next one.
 */
void script_check_edges(struct script *s, const u64 *w)
{
	for (int space = 0; space < SPACES; space++) {
		const struct flatview *view = as_view(&s->space[space]);

		for (u64 i = 0; i < 8 && s->live[space] && !s->failed; i++) {
			u64 address =
				script_choose_address(s, w[5] * (2 * i + 1) >> 3, w[4] * (2 * i + 1) >> 5);

			check_byte(s, space, flatview_lookup(view, address), address);
		}
	}
}

void script_op_quiescent(struct script *s)
{
	TRACE("quiescent");
	mem_quiescent(&s->core);
	if (s->core.retired)
		script_fail(s, "views are kept after the quiescent point of the only reader");
}

/*
 * ---- the dirty log
 * ------------------------------------------------------------------------------------------
 */

void script_op_dirty(struct script *s, const u64 *w)
{
	int number = script_choose_kind(s, w[1], 1u << REGION_RAM);
	unsigned client = (unsigned)(w[2] & 1), i;
	u64 bits[1] = { ~0ull }, pages, count = 0;
	int error;

	if (number == NAIVE_NONE || !script_is_used(&s->now.region[number]))
		return;
	pages = ((u64)s->now.region[number].size + PAGE_SIZE - 1) / PAGE_SIZE;
	switch (w[2] >> 8 & 3) {
	case 0:
		error = region_dirty_start(script_region(s, number), client);
		TRACE("dirty start r%d client %u: %d", number, client, error);
		if (error != (s->logging[number][client] ? -EBUSY : 0))
			script_fail(s, "starting a dirty log says %d", error);
		if (!error)
			memset(s->dirty[number][client], 0, NAIVE_PAGES);
		s->logging[number][client] = true;
		break;
	case 1:
		if (w[2] >> 16 & 3)
			return;
		TRACE("dirty stop r%d client %u", number, client);
		region_dirty_stop(script_region(s, number), client);
		s->logging[number][client] = false;
		break;
	default:
		if (!s->logging[number][client])
			return;
		count = region_dirty_snapshot(script_region(s, number), client, 0,
					      (u64)s->now.region[number].size, bits);
		TRACE("dirty snapshot r%d client %u: %llu", number, client, (ull)count);
		for (i = 0; i < pages; i++) {
			if ((bits[0] >> i & 1) != s->dirty[number][client][i])
				script_fail(s, "page %u of r%d is dirty: %u, expected %u", i, number,
					    (unsigned)(bits[0] >> i & 1), s->dirty[number][client][i]);
			count -= s->dirty[number][client][i];
			s->dirty[number][client][i] = 0;
		}
		if (count)
			script_fail(s, "a dirty snapshot counts wrong");
		break;
	}
}
