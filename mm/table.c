// SPDX-License-Identifier: BSD-2-Clause
/* From rows to regions, and rows as text. What can be wrong with rows: table_check.c. */
#include "mm/table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/log.h"

const struct region_row *region_table_find(const struct region_table *table, const char *name)
{
	for (unsigned i = 0; name && i < table->count; i++) {
		if (table->rows[i].name && !strcmp(table->rows[i].name, name))
			return &table->rows[i];
	}
	return NULL;
}

bool region_table_range(const struct region_table *table, const struct region_row *row, u64 *first, u64 *last)
{
	u64 size_1 = row->last;

	*first = 0;
	/* A root stands at 0 of its space, whatever its base says. */
	for (unsigned level = 0; row && row->parent; level++) {
		if (level > REGION_DEPTH_MAX || row->base > ~0ull - *first)
			return false;
		*first += row->base;
		row = region_table_find(table, row->parent);
	}
	*last = *first + size_1;
	return row && *last >= *first;
}

/*
 * ---- building
 * -----------------------------------------------------------------------------------------------
 */

static int init_row(const struct region_table *table, const struct region_row *row, void *board)
{
	struct region *region = region_row_region(row, board);
	void *device = (char *)board + row->device;
	u128 size = (u128)row->last + 1;

	if (row->kind == REGION_CONTAINER && row->ops) {
		region_init_container_ops(region, row->name, size, row->ops, device);
	} else if (row->kind == REGION_CONTAINER || row->kind == REGION_RAM) {
		region_init_container(region, row->name, size);
	} else if (row->kind == REGION_MMIO && row->ops) {
		region_init_mmio(region, row->name, size, row->ops, device);
	} else if (row->kind == REGION_RESERVED) {
		region_init_reserved(region, row->name, size);
	} else if (row->kind == REGION_ALIAS) {
		const struct region_row *target = region_table_find(table, row->target);

		region_init_alias(region, row->name, size, target ? region_row_region(target, board) : NULL,
				  row->target_offset);
	} else if (region->kind != row->kind || region->last != row->last || region->empty) {
		log_error("%s: row '%s' (%s, 0x%llx bytes - 1) finds a region that is not so: '%s' (%s, "
			  "0x%llx)",
			  table->name, row->name, region_kind_name(row->kind), (unsigned long long)row->last,
			  region->name ? region->name : "?", region_kind_name(region->kind),
			  (unsigned long long)region->last);
		return -EINVAL;
	}
	region->unclaimed = row->unclaimed;
	region->enabled = !row->disabled;
	return 0;
}

/* What is left of the host memory while RAM rows are filled from it. */
struct pour {
	u64 left; /* of the guest's memory */
	const struct ram_extent *extents;
	unsigned extent_count, at;
	u64 used; /* of the extent `at` */
};

static int pour_row(const struct region_row *row, struct ram_window *window, struct pour *pour)
{
	window->pieces = 0;
	window->filled = 0;
	while (pour->left && window->filled <= row->last) {
		u64 room = row->last - window->filled, size;
		struct region *piece;

		if (pour->at == pour->extent_count) {
			log_error("row '%s': host memory ends 0x%llx bytes before the guest's is full",
				  row->name, (unsigned long long)pour->left);
			return -ENOMEM;
		}
		size = MIN(pour->extents[pour->at].size - pour->used, pour->left);
		/* room is one less than what there is: that may be 2^64. */
		size = size - 1 > room ? room + 1 : size;
		if (pour->extents[pour->at].size != pour->used) {
			if (window->pieces == RAM_PIECES) {
				log_error("row '%s' would need more than %u pieces of host memory", row->name,
					  RAM_PIECES);
				return -E2BIG;
			}
			piece = &window->piece[window->pieces++];
			region_init_ram(piece, row->name, size,
					(u8 *)pour->extents[pour->at].host + pour->used);
			region_add(&window->region, window->filled, piece, 0);
			window->filled += size;
			pour->used += size;
			pour->left -= size;
		}
		if (pour->used == pour->extents[pour->at].size) {
			pour->at++;
			pour->used = 0;
		}
	}
	return 0;
}

static int fill_ram(const struct region_table *table, void *board, u64 ram_size,
		    const struct ram_extent *extents, unsigned extent_count)
{
	struct pour pour = { .left = ram_size, .extents = extents, .extent_count = extent_count };

	for (unsigned i = 0; i < table->count; i++) {
		const struct region_row *row = &table->rows[i];
		int error = 0;

		if (row->kind == REGION_RAM)
			error = pour_row(row, (struct ram_window *)region_row_region(row, board), &pour);
		if (error)
			return error;
	}
	if (!pour.left)
		return 0;
	log_error("%s: its RAM rows hold 0x%llx bytes less than the 0x%llx that the guest is to have",
		  table->name, (unsigned long long)pour.left, (unsigned long long)ram_size);
	return -E2BIG;
}

int region_table_build(const struct region_table *table, void *board, u64 ram_size,
		       const struct ram_extent *extents, unsigned extent_count)
{
	int error = 0;

	for (unsigned i = 0; i < table->count && !error; i++)
		error = init_row(table, &table->rows[i], board);
	if (!error)
		error = fill_ram(table, board, ram_size, extents, extent_count);
	if (error)
		return error;
	for (unsigned i = 0; i < table->count && !error; i++) {
		const struct region_row *row = &table->rows[i],
					*parent = region_table_find(table, row->parent);

		if (row->parent)
			error = parent ? region_add(region_row_region(parent, board), row->base,
						    region_row_region(row, board), row->priority)
				       : -EINVAL;
	}
	if (error)
		region_table_unbuild(table, board);
	return error;
}

void region_table_unbuild(const struct region_table *table, void *board)
{
	for (unsigned i = 0; i < table->count; i++)
		region_remove(region_row_region(&table->rows[i], board));
}

/*
 * ---- text
 * ---------------------------------------------------------------------------------------------------
 */

static bool same_parent(const struct region_row *row, const struct region_row *parent)
{
	return parent ? row->parent && !strcmp(row->parent, parent->name) : !row->parent;
}

/* The child of `parent` that comes after `previous`, by base and then as the table has them. */
static const struct region_row *next_child(const struct region_table *table, const struct region_row *parent,
					   const struct region_row *previous)
{
	const struct region_row *best = NULL;

	for (const struct region_row *row = table->rows; row < table->rows + table->count; row++) {
		if (!row->name || !same_parent(row, parent) ||
		    (previous &&
		     (row->base < previous->base || (row->base == previous->base && row <= previous))))
			continue;
		if (!best || row->base < best->base)
			best = row;
	}
	return best;
}

static void print_children(const struct region_table *table, const struct region_row *parent, unsigned level,
			   table_emit emit, void *to)
{
	const struct region_row *row = NULL;

	while (level <= REGION_DEPTH_MAX && (row = next_child(table, parent, row)) != NULL) {
		char line[160], more[48] = "";
		u64 first = row->base, last = row->base + row->last;

		region_table_range(table, row, &first, &last);
		if (row->kind == REGION_ALIAS)
			snprintf(more, sizeof(more), " -> %.24s +0x%llx", row->target ? row->target : "?",
				 (unsigned long long)row->target_offset);
		snprintf(line, sizeof(line), "%*s%-*.24s %-10s 0x%012llx-0x%012llx", (int)MIN(2 * level, 16u),
			 "", (int)(26 - MIN(2 * level, 16u)), row->name, region_kind_name(row->kind),
			 (unsigned long long)first, (unsigned long long)last);
		if (row->priority)
			snprintf(line + strlen(line), sizeof(line) - strlen(line), " prio %d",
				 (int)row->priority);
		if (row->unclaimed)
			snprintf(line + strlen(line), sizeof(line) - strlen(line), " unclaimed: %s",
				 unclaimed_name(row->unclaimed));
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s%s", more,
			 row->disabled ? " (disabled)" : "");
		emit(to, line);
		if (row->kind == REGION_CONTAINER)
			print_children(table, row, level + 1, emit, to);
	}
}

void region_table_print(const struct region_table *table, table_emit emit, void *to)
{
	print_children(table, NULL, 0, emit, to);
}
