/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's memory map: sorted, disjoint rows, as int 15h function E820h would tell them. One map serves the Linux
 * zero page, PVH and multiboot 1.
 */
#ifndef BOOT_E820_H
#define BOOT_E820_H

#include "mm/types.h"

/* Types, as in ACPI 6.x table 15.4. Where rows overlap, the larger number wins: RAM yields to everything. */
enum e820_type {
	E820_RAM = 1,
	E820_RESERVED = 2,
	E820_ACPI = 3, /* tables: RAM once the guest has read them */
	E820_NVS = 4,
	E820_UNUSABLE = 5,
};

struct e820_row {
	u64 addr, size; /* never 0, never past 2^64 */
	u32 type;
};

#define E820_ROWS_MAX 64 /* the zero page has room for 128 */

struct e820_map {
	struct e820_row row[E820_ROWS_MAX];
	unsigned count;
};

/*
 * Adds a row. The map stays sorted; of what overlaps the larger type wins; neighbours of one type are merged. False,
 * and the map unchanged: size 0, a range past 2^64, an unknown type, or no room.
 */
bool e820_add(struct e820_map *map, u64 addr, u64 size, enum e820_type type);

/* Is all of [addr, addr + size) of one row of this type? */
bool e820_covers(const struct e820_map *map, u64 addr, u64 size, enum e820_type type);

#endif
