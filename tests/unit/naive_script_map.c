// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/naive_play.h"

#include <string.h>

#include "mm/map.h"

/*
 * ---- mappings
 * -----------------------------------------------------------------------------------------------
 */

/*
 * A refusal is one fault, of as many bytes as one translation covers: only that it was told can be said here.
 */
static void check_refusal(struct script *s, const struct naive_world *world)
{
	if ((world->faults != 0) != (s->faults != 0))
		script_fail(s, "a mapping tells %d faults, expected %d", s->faults, world->faults);
	else if (world->faults &&
		 (s->fault[0].iommu != world->fault[0].iommu || s->fault[0].iova != world->fault[0].iova ||
		  s->fault[0].reason != world->fault[0].reason))
		script_fail(s,
			    "a mapping tells a fault of r%d 0x%llx reason %u, expected r%d 0x%llx reason %u",
			    s->fault[0].iommu, (ull)s->fault[0].iova, s->fault[0].reason,
			    world->fault[0].iommu, (ull)world->fault[0].iova, world->fault[0].reason);
}

void script_op_map(struct script *s, const u64 *w)
{
	int space = (int)(w[1] % SPACES);
	unsigned length = 1 + (unsigned)(w[1] >> 8) % (w[1] >> 24 & 1 ? 24 : NAIVE_TRANSFER), i, produced;
	u32 access = 1 + (u32)(w[1] >> 16) % 3;
	bool revoke = (w[1] >> 26 & 7) == 7;
	u64 address = script_choose_address(s, w[2], w[3]);
	struct naive_world *world = script_world(s);
	u8 slot_bytes[SLOT], bytes[NAIVE_TRANSFER];
	struct bounce_slot slot;
	struct map_client client;
	struct mem_mapping mapping;
	struct naive_outcome naive;
	struct naive_place place;
	enum mem_result result;
	bool bounced;

	if (!s->live[space] || s->unsettled)
		return;
	map_client_init(&client, "client", &slot, 1, slot_bytes, SLOT, NULL, NULL, NULL);
	naive = naive_map(world, space, address, length, access, SLOT, &place);
	if (naive.result == MEM_ERROR && access & MEM_READ) {
		/* The buffer is filled by a transfer of the device. */
		struct naive_world *again = script_world(s);
		struct naive_outcome filled =
			naive_access(again, space, address, bytes, (unsigned)naive.done, false, true);

		if (filled.result != MEM_OK)
			naive = filled;
		world->faults = 0;
	}
	result = as_map(&s->space[space], &client, address, length, access, &mapping);
	TRACE("map a%d 0x%llx %u access %u: %d, %llu bytes", space, (ull)address, length, access, result,
	      (ull)(result == MEM_OK ? mapping.length : 0));
	if (result != (naive.result == MEM_ERROR && mapping.host ? MEM_OK : naive.result)) {
		script_fail(s, "mapping a%d 0x%llx, %u bytes, access %u says %d, expected %d", space,
			    (ull)address, length, access, result, naive.result);
		return;
	}
	check_refusal(s, world);
	if (result != MEM_OK)
		return;
	bounced = mapping.state & MAPPING_BOUNCED;
	if (mapping.length != naive.done || bounced != (naive.result == MEM_ERROR) ||
	    (!bounced && mapping.host != script_region(s, place.region)->host + place.offset)) {
		script_fail(s, "mapping a%d 0x%llx, %u bytes, access %u gives %llu%s, expected %llu%s", space,
			    (ull)address, length, access, (ull)mapping.length, bounced ? " bounced" : "",
			    (ull)naive.done, naive.result == MEM_ERROR ? " bounced" : "");
		return;
	}
	if (bounced && access & MEM_READ && memcmp(mapping.host, bytes, mapping.length))
		script_fail(s, "a bounce buffer holds something else than the device");
	produced = access & MEM_WRITE ? (unsigned)(w[4] % (mapping.length + 1)) : 0;
	for (i = 0; i < produced; i++)
		bytes[i] = (u8)(w[5] >> (i * 3 % 56));
	if (revoke)
		for (i = 0; i < (unsigned)s->now.count; i++)
			if (s->now.region[i].kind == REGION_IOMMU && script_is_used(&s->now.region[i]))
				iommu_invalidate(&s->region[i], 0, ~0ull);
	if (mem_map_valid(&mapping) != !(revoke && mapping.state >= MAPPING_LINK))
		script_fail(s, "a mapping is valid: %d", mem_map_valid(&mapping));
	world = script_world(s);
	if (mem_map_valid(&mapping)) {
		memcpy(mapping.host, bytes, produced);
		result = as_unmap(&mapping, produced);
		naive = naive_access(world, space, address, bytes, produced, true, true);
		script_mark_written(s, !bounced);
	} else {
		result = as_unmap(&mapping, produced);
		naive = (struct naive_outcome){ MEM_ACCESS_ERROR, 0 };
	}
	if (result != naive.result)
		script_fail(s, "unmapping says %d, expected %d", result, naive.result);
	script_check_rings(s);
	if (map_client_live(&client) || client.slots_used || as_unmap(&mapping, 0) != MEM_ERROR)
		script_fail(s, "something is left of a mapping");
}
