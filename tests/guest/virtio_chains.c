// SPDX-License-Identifier: BSD-2-Clause
/* Cases that are one chain, or one indirect table, with something wrong in it. */
#include <string.h>

#include "tests/guest/virtio_cases.h"

#define CHAIN_MAX 15

struct wrong_chain {
	const char *name;
	uint32_t type;
	uint64_t sector;
	unsigned expected;
	struct descriptor chain[CHAIN_MAX];
};
/* clang-format off */
static const struct wrong_chain wrong_chains[] = {
	{ "all right, in pieces", BLK_IN, 3, OK, { { HEADER, 3, 0, 0 }, { HEADER + 3, 4, 0, 0 },
	  { HEADER + 7, 9, 0, 0 }, { AT(DATA_PAGE), 1, WRITE, 0 }, { AT(DATA_PAGE) + 1, 510, WRITE, 0 },
	  { AT(DATA_PAGE) + 511, 1, WRITE, 0 }, TAIL } },
	{ "unknown type", 77, 0, ERROR, { HEAD, DATA, TAIL } },
	{ "sector behind the end", BLK_IN, 1ull << 40, ERROR, { HEAD, DATA, TAIL } },
	{ "the last sector there is", BLK_IN, ~0ull, ERROR, { HEAD, DATA, TAIL } },
	{ "a sector whose byte address wraps", BLK_IN, 1ull << 55, ERROR, { HEAD, DATA, TAIL } },
	{ "writing behind the end", BLK_OUT, 1ull << 40, ERROR, { HEAD, { AT(DATA_PAGE), SECTOR, 0, 0 },
	  TAIL } },
	{ "half a sector", BLK_IN, 0, ERROR, { HEAD, { AT(DATA_PAGE), 256, WRITE, 0 }, TAIL } },
	{ "data longer than 4 GiB in all", BLK_IN, 0, ERROR | BROKEN, { HEAD, HUGE, HUGE, HUGE, HUGE, TAIL } },
	{ "data longer than the disk", BLK_IN, 0, ERROR | BROKEN, { HEAD, HUGE, TAIL } },
	{ "header longer than memory", BLK_IN, 3, ANY & ~NOTHING, { { HEADER, 0xffffffff, 0, 0 }, DATA,
	  TAIL } },
	{ "an address that wraps", BLK_IN, 0, ERROR | BROKEN, { HEAD, { 0ull - 256, SECTOR, WRITE, 0 },
	  TAIL } },
	{ "the last address there is", BLK_IN, 0, ERROR | BROKEN, { HEAD, { ~0ull, SECTOR, WRITE, 0 }, TAIL } },
	{ "a readable part behind a writable one", BLK_IN, 0, BROKEN, { HEAD, DATA, HEAD, TAIL } },
	{ "data where nothing is mapped", BLK_IN, 3, ERROR, { HEAD, { NOWHERE, SECTOR, WRITE, 0 }, TAIL } },
	{ "data from where nothing is mapped", BLK_OUT, 4, ERROR, { HEAD, { NOWHERE, SECTOR, 0, 0 }, TAIL } },
	{ "data where only reads are allowed", BLK_IN, 3, ERROR, { HEAD,
	  { AT(READ_ONLY_PAGE), SECTOR, WRITE, 0 }, TAIL } },
	{ "data across the end of a mapping", BLK_IN, 3, ERROR, { HEAD,
	  { AT(NEIGHBOUR_PAGE) - 256, SECTOR, WRITE, 0 }, TAIL } },
	{ "data in the device's registers", BLK_IN, 3, ERROR, { HEAD, { MMIO_IOVA, SECTOR, WRITE, 0 }, TAIL } },
	{ "data in the interrupt range", BLK_IN, 3, ERROR, { HEAD, { 0xfee00000, SECTOR, WRITE, 0 }, TAIL } },
	{ "header where nothing is mapped", BLK_IN, 3, ERROR | BROKEN, { { NOWHERE, 16, 0, 0 }, DATA, TAIL } },
	{ "status where nothing is mapped", BLK_IN, 3, NOTHING | ERROR | BROKEN, { HEAD, DATA,
	  { NOWHERE, 1, WRITE, 0 } } },
	{ "no status", BLK_OUT, 4, ERROR | BROKEN, { HEAD, { AT(DATA_PAGE), SECTOR, 0, 0 } } },
	{ "a status without bytes", BLK_OUT, 4, ERROR | BROKEN, { HEAD, { AT(DATA_PAGE), SECTOR, 0, 0 },
	  { STATUS, 0, WRITE, 0 } } },
	{ "half a header", BLK_IN, 3, ERROR | BROKEN, { { HEADER, 8, 0, 0 }, DATA, TAIL } },
	{ "no header", BLK_IN, 3, ERROR | BROKEN, { DATA, TAIL } },
	{ "parts without bytes", BLK_IN, 3, ANY & ~NOTHING, { HEAD, { 1, 0, 0, 0 },
	  { ~0ull, 0, WRITE, 0 }, DATA, TAIL } },
	{ "data into the descriptors", BLK_IN, 3, ANY, { HEAD, { AT(DESC_PAGE), SECTOR, WRITE, 0 }, TAIL } },
	{ "data into the driver's area", BLK_IN, 3, ANY, { HEAD, { AT(DRIVER_PAGE), SECTOR, WRITE, 0 },
	  TAIL } },
	{ "data into the device's area", BLK_IN, 3, ANY, { HEAD, { AT(DEVICE_PAGE), SECTOR, WRITE, 0 },
	  TAIL } },
	{ "data into the request", BLK_IN, 3, ANY & ~NOTHING, { HEAD, { HEADER, SECTOR, WRITE, 0 }, TAIL } },
	{ "an indirect table that is followed", BLK_IN, 3, ANY & ~NOTHING,
	  { { AT(TABLE_PAGE), 3 * ENTRY, INDIRECT, 0 }, TAIL } },
	{ "half an indirect table", BLK_IN, 3, BROKEN, { { AT(TABLE_PAGE), ENTRY / 2, INDIRECT, 0 } } },
	{ "an indirect table without entries", BLK_IN, 3, BROKEN, { { AT(TABLE_PAGE), 0, INDIRECT, 0 } } },
	{ "an indirect table of 4 GiB", BLK_IN, 3, BROKEN, { { AT(TABLE_PAGE), 0xfffffff0, INDIRECT, 0 } } },
	{ "an indirect table where nothing is mapped", BLK_IN, 3, BROKEN,
	  { { NOWHERE, 3 * ENTRY, INDIRECT, 0 } } },
	{ "an indirect table across the end of a mapping", BLK_IN, 3, BROKEN,
	  { { AT(NEIGHBOUR_PAGE) - ENTRY, 3 * ENTRY, INDIRECT, 0 } } },
	{ "an indirect table in the device's registers", BLK_IN, 3, BROKEN,
	  { { MMIO_IOVA, 3 * ENTRY, INDIRECT, 0 } } },
	{ "an indirect table whose address wraps", BLK_IN, 3, BROKEN,
	  { { 0ull - ENTRY, 3 * ENTRY, INDIRECT, 0 } } },
};
/* clang-format on */

static enum outcome post_chain(const struct wrong_chain *wrong)
{
	static const struct descriptor table[3] = { { HEADER, 16, NEXT, 1 },
						    { AT(DATA_PAGE), SECTOR, NEXT | WRITE, 2 },
						    { STATUS, 1, WRITE, 0 } };
	unsigned count = 0;

	while (count < CHAIN_MAX &&
	       (wrong->chain[count].address || wrong->chain[count].length || wrong->chain[count].flags))
		count++;
	memcpy(arena_at(AT(TABLE_PAGE)), table, sizeof(table));
	request(wrong->type, wrong->sector);
	put_chain(wrong->chain, count);
	kick();
	return outcome();
}

/* ---- indirect tables with something wrong inside ---- */

static enum outcome post_table(const struct descriptor *table, unsigned count)
{
	const struct descriptor chain = { AT(TABLE_PAGE), count * ENTRY, INDIRECT, 0 };
	struct descriptor *to = arena_at(AT(TABLE_PAGE));

	for (unsigned i = 0; i < count; i++) {
		to[i] = table[i];
		if (v.packed) { /* order is the link; id, flags */
			to[i].next = table[i].flags & ~NEXT;
			to[i].flags = 0;
		}
	}
	request(BLK_IN, 3);
	put_chain(&chain, 1);
	kick();
	return outcome();
}

/* clang-format off */
static const struct {
	const char *name;
	unsigned split, packed; /* expected */
	unsigned count;
	struct descriptor table[4];
} wrong_tables[] = {
	{ "all right, indirect", OK, OK, 3, { { HEADER, 16, NEXT, 1 },
	  { AT(DATA_PAGE), SECTOR, NEXT | WRITE, 2 }, TAIL } },
	{ "an indirect table that refers to itself", BROKEN, BROKEN, 1,
	  { { AT(TABLE_PAGE), ENTRY, INDIRECT, 0 } } },
	/* Packed: of an entry's flags only WRITE counts (2.8.7). */
	{ "an indirect table in an indirect table", BROKEN, ANY & ~NOTHING, 3, { { HEADER, 16, NEXT, 1 },
	  { AT(DATA_PAGE), 2 * ENTRY, NEXT | INDIRECT, 2 }, TAIL } },
	{ "an entry behind the end of its table", BROKEN, OK, 3, { { HEADER, 16, NEXT, 1 },
	  { AT(DATA_PAGE), SECTOR, NEXT | WRITE, 3 }, TAIL } },
	{ "an entry far behind it", BROKEN, OK, 3, { { HEADER, 16, NEXT, 1 },
	  { AT(DATA_PAGE), SECTOR, NEXT | WRITE, 0xffff }, TAIL } },
	{ "a loop in an indirect table", BROKEN, ANY & ~NOTHING, 3, { { HEADER, 16, NEXT, 1 },
	  { HEADER, 16, NEXT, 0 }, TAIL } },
	{ "an entry that is its own next", BROKEN, ANY & ~NOTHING, 2, { { HEADER, 16, NEXT, 0 }, TAIL } },
	{ "a readable entry behind a writable one", BROKEN, BROKEN, 3,
	  { { AT(DATA_PAGE), SECTOR, NEXT | WRITE, 1 }, { HEADER, 16, NEXT, 2 }, TAIL } },
};
/* clang-format on */

void virtio_wrong_chains(void)
{
	for (unsigned i = 0; i < sizeof(wrong_chains) / sizeof(wrong_chains[0]); i++) {
		virtio_fresh();
		virtio_judge(wrong_chains[i].name, post_chain(wrong_chains + i), wrong_chains[i].expected);
	}
	for (unsigned i = 0; i < sizeof(wrong_tables) / sizeof(wrong_tables[0]); i++) {
		virtio_fresh();
		virtio_judge(wrong_tables[i].name, post_table(wrong_tables[i].table, wrong_tables[i].count),
			     v.packed ? wrong_tables[i].packed : wrong_tables[i].split);
	}
}
