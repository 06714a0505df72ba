/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables that region-map is linked with. NULL ends them. */
#ifndef TOOLS_REGION_MAP_H
#define TOOLS_REGION_MAP_H

#include "mm/table.h"

extern const struct region_table *const region_map_tables[];

#endif
