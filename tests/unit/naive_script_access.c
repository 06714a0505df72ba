// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/naive_play.h"

#include <stdlib.h>
#include <string.h>

/*
 * ---- comparing accesses
 * -------------------------------------------------------------------------------------
 */

static int compare_faults(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct naive_fault));
}

static void check_faults(struct script *s, struct naive_world *world)
{
	int i;

	qsort(world->fault, (size_t)world->faults, sizeof(world->fault[0]), compare_faults);
	qsort(s->fault, (size_t)s->faults, sizeof(s->fault[0]), compare_faults);
	for (i = 0; i < world->faults && i < s->faults; i++)
		if (compare_faults(&world->fault[i], &s->fault[i]))
			break;
	if (i != world->faults || i != s->faults)
		script_fail(s,
			    "faults of %d bytes were told, expected %d; differ at r%d 0x%llx reason %u / r%d "
			    "0x%llx "
			    "reason %u",
			    s->faults, world->faults, s->fault[i].iommu, (ull)s->fault[i].iova,
			    s->fault[i].reason, world->fault[i].iommu, (ull)world->fault[i].iova,
			    world->fault[i].reason);
}

void script_check_contents(struct script *s)
{
	int i;

	for (i = 0; i < s->now.count; i++) {
		if (script_is_kind(s->now.region[i].kind, SCRIPT_MEMORY) &&
		    memcmp(s->contents.memory[i], script_region(s, i)->host, MEMORY_MAX))
			script_fail(s, "the memory of r%d differs", i);
		if (s->now.region[i].has_ops &&
		    memcmp(s->contents.device[i].bytes, s->device[i].state.bytes, 64))
			script_fail(s, "the device r%d differs", i);
		script_check_kept(s, i);
	}
}

/* After a write that the naive model has done; one through a mapping looks at the log itself. */
void script_mark_written(struct script *s, bool mapped)
{
	int i, client, page;

	for (i = 0; i < s->now.count; i++)
		for (client = 0; client < 2 && (mapped || s->logs[i]); client++)
			for (page = 0; s->logging[i][client] && page < NAIVE_PAGES; page++)
				s->dirty[i][client][page] |= s->world.written[i][page];
	memset(s->world.written, 0, sizeof(s->world.written));
}

static void hex(char *text, const u8 *bytes, unsigned length)
{
	unsigned i;

	for (i = 0; i < length && i < 24; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	text[2 * i] = 0;
}

static void check_access(struct script *s, struct naive_world *world, const char *what, int space,
			 u64 address, unsigned length, enum mem_result result, const u8 *bytes,
			 const struct naive_outcome *naive, const u8 *expected)
{
	char got[64], want[64];

	hex(got, bytes, length);
	hex(want, expected, length);
	TRACE("%s a%d 0x%llx %u: %d %s", what, space, (ull)address, length, result, got);
	if (result != naive->result || memcmp(bytes, expected, length))
		script_fail(s, "%s a%d 0x%llx of %u bytes: %d %s, expected %d %s", what, space, (ull)address,
			    length, result, got, naive->result, want);
	check_faults(s, world);
	script_check_rings(s);
}

static void to_bytes(u8 *bytes, u64 value, unsigned size, bool big)
{
	unsigned i;

	for (i = 0; i < size; i++)
		bytes[big ? size - 1 - i : i] = (u8)(value >> 8 * i);
}

static u64 from_bytes(const u8 *bytes, unsigned size, bool big)
{
	u64 value = 0;
	unsigned i;

	for (i = 0; i < size; i++)
		value |= (u64)bytes[big ? size - 1 - i : i] << 8 * i;
	return value;
}

static enum mem_result named_load(struct address_space *as, u64 address, unsigned size, bool big, u64 *value)
{
	enum mem_result result;
	u16 v16 = 0;
	u32 v32 = 0;
	u8 v8 = 0;

	switch (size) {
	case 1:
		result = (big ? as_load_be8 : as_load_le8)(as, address, &v8);
		*value = v8;
		return result;
	case 2:
		result = (big ? as_load_be16 : as_load_le16)(as, address, &v16);
		*value = v16;
		return result;
	case 4:
		result = (big ? as_load_be32 : as_load_le32)(as, address, &v32);
		*value = v32;
		return result;
	default:
		return (big ? as_load_be64 : as_load_le64)(as, address, value);
	}
}

static enum mem_result named_store(struct address_space *as, u64 address, unsigned size, bool big, u64 value)
{
	switch (size) {
	case 1:
		return (big ? as_store_be8 : as_store_le8)(as, address, (u8)value);
	case 2:
		return (big ? as_store_be16 : as_store_le16)(as, address, (u16)value);
	case 4:
		return (big ? as_store_be32 : as_store_le32)(as, address, (u32)value);
	default:
		return (big ? as_store_be64 : as_store_le64)(as, address, value);
	}
}

struct naive_world *script_world(struct script *s)
{
	s->faults = s->world.faults = 0;
	s->rings.count = s->world.rings.count = 0;
	return &s->world;
}

void script_access(struct script *s, const u64 *w, u64 address)
{
	int space = (int)(w[1] % SPACES);
	unsigned size = 1u << (w[1] >> 8 & 3);
	bool big = w[1] >> 16 & 1, write = w[1] >> 17 & 1, cached = w[1] >> 18 & 1 && !big;
	u64 written = w[5] & 3 ? w[4] : w[4] & 3, value = write ? written & mem_size_mask(size) : 0x5555;
	struct naive_world *world = script_world(s);
	u8 bytes[8] = { 0 }, expected[8] = { 0 };
	struct naive_outcome naive;
	enum mem_result result;

	if (!s->live[space] || s->unsettled)
		return;
	to_bytes(expected, value, size, big);
	naive = naive_access(world, space, address, expected, size, write, false);
	if (write) {
		script_mark_written(s, false);
		result = cached ? as_store(&s->space[space], &s->cache[space], address, size, written)
				: named_store(&s->space[space], address, size, big, value);
		to_bytes(bytes, value, size, big);
	} else {
		result = cached ? as_load(&s->space[space], &s->cache[space], address, size, &value)
				: named_load(&s->space[space], address, size, big, &value);
		to_bytes(bytes, value, size, big);
		if (value != from_bytes(bytes, size, big))
			script_fail(s, "a load of %u bytes gives 0x%llx", size, (ull)value);
	}
	check_access(s, world, write ? (big ? "store be" : "store") : (big ? "load be" : "load"), space,
		     address, size, result, bytes, &naive, expected);
}

void script_op_access(struct script *s, const u64 *w)
{
	script_access(s, w, script_choose_address(s, w[2], w[3]));
}

void script_op_transfer(struct script *s, const u64 *w)
{
	int space = (int)(w[1] % SPACES);
	unsigned length = (unsigned)(w[1] >> 8) % (w[1] >> 24 & 3 ? 24 : NAIVE_TRANSFER + 1), i;
	bool write = w[1] >> 16 & 1, fill = write && w[1] >> 17 & 1;
	u64 address = script_choose_address(s, w[2], w[3]), done = 12345;
	struct naive_world *world = script_world(s);
	u8 bytes[NAIVE_TRANSFER], expected[NAIVE_TRANSFER];
	struct naive_outcome naive;
	enum mem_result result;

	if (!s->live[space] || s->unsettled)
		return;
	for (i = 0; i < length; i++) /* anything, or the small numbers that doorbells wait for */
		bytes[i] = fill	      ? (u8)w[4]
			   : w[5] & 3 ? (u8)(w[4] >> (i * 5 % 57))
			   : i % 8    ? 0
				      : (u8)(w[4] & 3);
	memcpy(expected, bytes, length);
	naive = naive_access(world, space, address, expected, length, write, true);
	if (write)
		script_mark_written(s, false);
	switch (w[1] >> 18 & 3) {
	case 0:
		result = fill	 ? as_fill(&s->space[space], address, (u8)w[4], length)
			 : write ? as_write(&s->space[space], address, bytes, length)
				 : as_read(&s->space[space], address, bytes, length);
		break;
	case 1:
		result = write ? as_write_cached(&s->space[space], &s->cache[space], address, bytes, length)
			       : as_read_cached(&s->space[space], &s->cache[space], address, bytes, length);
		break;
	default:
		result = write ? as_write_done(&s->space[space], address, bytes, length, &done)
			       : as_read_done(&s->space[space], address, bytes, length, &done);
		if (done != naive.done)
			script_fail(s, "a %s of 0x%llx, %u bytes: %llu were done, expected %llu",
				    write ? "write" : "read", (ull)address, length, (ull)done,
				    (ull)naive.done);
		break;
	}
	check_access(s, world,
		     fill    ? "fill"
		     : write ? "write"
			     : "read",
		     space, address, length, result, bytes, &naive, expected);
}

/*
 * Copies are compared where they can be said in bytes: neither side sees a device, and the ranges do not
 * overlap.
 */
void script_op_copy(struct script *s, const u64 *w)
{
	int to = (int)(w[1] % SPACES), from = (int)((w[1] >> 8) % SPACES);
	unsigned length = (unsigned)(w[1] >> 16) % NAIVE_TRANSFER, asked, i, j;
	u64 to_address = script_choose_address(s, w[2], w[3]), address = script_choose_address(s, w[4], w[5]);
	struct naive_place source[NAIVE_TRANSFER];
	struct naive_world *world = script_world(s);
	struct naive_outcome read, write;
	u8 bytes[NAIVE_TRANSFER];
	enum mem_result result;

	if (!s->live[to] || !s->live[from] || s->profile == SCRIPT_IOMMU)
		return;
	asked = length;
	while (length && (address + (length - 1) < address || to_address + (length - 1) < to_address))
		length--;
	for (i = 0; i < length; i++) {
		struct naive_place place = naive_resolve(&s->seen, &s->naive_space[to], to_address + i);

		source[i] = naive_resolve(&s->seen, &s->naive_space[from], address + i);
		if (source[i].region != NAIVE_NONE && s->seen.region[source[i].region].kind != REGION_RAM)
			return;
		if (place.region != NAIVE_NONE && s->seen.region[place.region].has_ops)
			return;
		for (j = 0; j <= i; j++)
			if (place.region == source[j].region && place.region != NAIVE_NONE)
				return;
	}
	read = naive_access(world, from, address, bytes, length, false, true);
	write = naive_access(world, to, to_address, bytes, length, true, true);
	script_mark_written(s, false);
	result = as_copy(&s->space[to], to_address, &s->space[from], address, asked);
	TRACE("copy a%d 0x%llx from a%d 0x%llx %u: %d", to, (ull)to_address, from, (ull)address, length,
	      result);
	if (asked != length)
		read.result |= MEM_DECODE_ERROR;
	if (result != (read.result | write.result))
		script_fail(s, "a copy says %d, expected %d", result, read.result | write.result);
}
