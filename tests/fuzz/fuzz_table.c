// SPDX-License-Identifier: BSD-2-Clause
/*
 * Region tables as the fuzzer writes them. The checker must say something sensible about all of them, and
 * what it accepts must build: the tree links without a tie, its view is complete and shows memory only where
 * the table has some, and nothing is left when it is taken down.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/space.h"
#include "mm/table.h"

#define ROWS   12
#define MEMORY (16 * PAGE_SIZE)

struct board {
	struct ram_window place[ROWS]; /* the largest thing that a row can live in */
};

static u8 memory[MEMORY] __attribute__((aligned(4096)));

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "table: %s\n", what);
	abort();
}

static enum mem_result device_read(void *device, u64 offset, unsigned size, u64 *value)
{
	(void)device;
	(void)offset;
	(void)size;
	*value = 0;
	return MEM_OK;
}

static const struct region_ops ops = { .read = device_read };

static const char *choose_name(u8 byte)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f",  "g", "h",
					     "i", "j", "k", "l", "",  NULL, "a", "memory" };

	return names[byte % ARRAY_SIZE(names)];
}

static u64 choose_number(u8 byte, u8 more)
{
	u64 number = (u64)(more & 63) * (byte & 0x40 ? PAGE_SIZE : byte & 0x20 ? GiB : 1);

	return byte & 0x80 ? -number : number;
}

static void make_row(struct region_row *row, unsigned index, const u8 *data)
{
	static const u8 kinds[] = { REGION_CONTAINER, REGION_CONTAINER, REGION_RAM,   REGION_MMIO,
				    REGION_ALIAS,     REGION_RESERVED,	REGION_ALIAS, 99 };

	memset(row, 0, sizeof(*row));
	row->kind = kinds[data[0] & 7];
	/* Mostly names of their own, so that many tables are right. */
	row->name = data[0] & 0x80 ? choose_name(data[1]) : choose_name((u8)index);
	row->parent = data[2] & 0x80 ? NULL : choose_name(data[2] % (ROWS + 1));
	row->target = row->kind == REGION_ALIAS || data[3] & 0x80 ? choose_name(data[3]) : NULL;
	row->base = choose_number(data[4], data[5]);
	row->last = choose_number(data[6], data[7]) - 1;
	row->target_offset = choose_number(data[8], data[9]);
	row->priority = (s8)data[10] >> 5;
	row->over_ram = data[11] & 1;
	row->disabled = data[11] & 2;
	row->bytes = data[11] & 4 || row->kind == REGION_CONTAINER || row->kind == REGION_ALIAS;
	row->ops = row->kind == REGION_MMIO || data[11] & 8 ? &ops : NULL;
	row->unclaimed = data[11] & 0x30 ? 0 : data[11] >> 6;
	row->at = (u32)((data[0] & 0x40 ? data[12] % ROWS : index) * sizeof(struct ram_window));
	row->device = row->at;
}

static void count_line(void *to, const char *line)
{
	check(line[0] && strlen(line) < 400 && !strchr(line, '\n'), "a message that is no line");
	++*(unsigned *)to;
}

static void check_view(const struct address_space *as)
{
	const struct flatview *view = as_view(as);
	u32 i;

	for (i = 0; i < view->count; i++) {
		const struct section *section = &view->sections[i];

		check(section->first == (i ? section[-1].last + 1 : 0), "the view is no partition");
		check(flatview_lookup(view, section->first) == section &&
			      flatview_lookup(view, section->last) == section,
		      "a section is not found");
		if (section->host)
			check(section->host >= memory && section->last - section->first < MEMORY &&
				      section->host + (section->last - section->first) < memory + MEMORY,
			      "memory that the table does not have");
	}
	check(view->sections[i - 1].last == ~0ull, "the view does not end at 2^64");
}

static void build(const struct region_table *table, u64 ram_size)
{
	const struct ram_extent extents[] = { { memory, 3 * PAGE_SIZE },
					      { memory + 4 * PAGE_SIZE, PAGE_SIZE },
					      { memory + 6 * PAGE_SIZE, 10 * PAGE_SIZE } };
	static struct board board;
	struct address_space as;
	struct mem_core core;
	int error;
	unsigned i;

	memset(&board, 0, sizeof(board));
	error = region_table_build(table, &board, ram_size, extents, ARRAY_SIZE(extents));
	check(error == 0 || (ram_size && (error == -E2BIG || error == -ENOMEM)),
	      "what was accepted does not build");
	if (error)
		return;
	mem_core_init(&core);
	for (i = 0; i < table->count; i++) {
		if (table->rows[i].parent)
			continue;
		check(as_init(&as, &core, "root", region_row_region(&table->rows[i], &board),
			      UNCLAIMED_ONES) == 0,
		      "a root is no root");
		check_view(&as);
		as_destroy(&as);
	}
	region_table_unbuild(table, &board);
	for (i = 0; i < table->count; i++)
		check(!region_row_region(&table->rows[i], &board)->parent &&
			      (table->rows[i].kind != REGION_CONTAINER ||
			       !region_row_region(&table->rows[i], &board)->children),
		      "something is still linked");
	mem_core_destroy(&core);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct region_row rows[ROWS];
	struct region_table table = { .name = "fuzz", .rows = rows };
	unsigned lines = 0, printed = 0, bits, found;
	u64 ram_size;

	if (size < 2)
		return 0;
	bits = data[0] % 65;
	ram_size = (u64)(data[1] % 20) * PAGE_SIZE;
	for (data += 2, size -= 2; size >= 13 && table.count < ROWS; data += 13, size -= 13, table.count++)
		make_row(&rows[table.count], table.count, data);
	found = region_table_check(&table, bits, count_line, &lines);
	check(found == lines, "messages and their count differ");
	check(region_table_check(&table, bits, NULL, NULL) == found, "it depends on who listens");
	if (found)
		return 0;
	region_table_print(&table, count_line, &printed);
	build(&table, 0);
	build(&table, ram_size);
	return 0;
}
