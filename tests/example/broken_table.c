// SPDX-License-Identifier: BSD-2-Clause
/* A board whose table is wrong, for the test of region-map: the UART lies inside of RAM. */
#include "tools/region-map.h"

struct board {
	struct region memory, uart;
	struct ram_window ram;
};

static const struct region_row rows[] = {
	ROW_CONTAINER("memory", NULL, 0, REGION_SIZE_WHOLE, AT(struct board, memory)),
	ROW_RAM("ram", "memory", 0, 1 * GiB, AT(struct board, ram)),
	ROW_MMIO("uart", "memory", 0x1000, 4 * KiB, AT(struct board, uart), .priority = 1),
};
static const struct region_table table = REGION_TABLE(rows);

const struct region_table *const region_map_tables[] = { &table, NULL };
