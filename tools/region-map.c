// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows the address maps of the boards: checks their tables, prints rows, trees and flat views, draws them.
 *
 *	region-map [--ram MIB] [--bits N] [--svg FILE] [TABLE..]
 *
 * Without names: all tables it was linked with (region_map_tables, made from boot/board_*.c by tests/mm.mk).
 * --ram: guest memory that RAM rows are filled with; --bits: address bits that the machine has. Exits with 1
 * and a line for each mistake if a table is broken.
 *
 * It needs to know nothing of a board's struct: rows say where regions live in it, and that much memory
 * stands in for it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mm/iommu_region.h"
#include "mm/log.h"
#include "mm/mtree.h"
#include "mm/space.h"
#include "mm/table.h"
#include "tools/region-map.h"

#define COLUMN	  330 /* pixels for one root's picture */
#define BOX	  190
#define LEFT	  120
#define TOP	  50
#define ROOTS_MAX 16

struct column {
	char *boxes; /* SVG text */
	unsigned height;
};

static struct column columns[ROOTS_MAX];
static unsigned column_count;

/* What mm itself has to say. */
void log_line(enum log_level level, const char *format, ...)
{
	va_list arguments;

	(void)level;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

static void emit(void *to, const char *line)
{
	fprintf(to, "%s\n", line);
}

/*
 * ---- the picture
 * --------------------------------------------------------------------------------------------
 */

static const char *color(const struct section *section)
{
	static const char *const colors[] = {
		[SECTION_UNCLAIMED] = "#f4f4f4",  [SECTION_RAM] = "#b9dcb4",  [SECTION_ROM] = "#e6d8a8",
		[SECTION_ROM_DEVICE] = "#e6c58b", [SECTION_MMIO] = "#b4cfe8", [SECTION_RESERVED] = "#d0d0d0",
		[SECTION_IOMMU] = "#d9bfe3",
	};

	return colors[section->kind];
}

/* A byte and a terabyte must both be seen: the height grows with the number of digits. */
static unsigned height_of(const struct section *section)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll((section->last - section->first) | 1);

	return 14 + (section->kind == SECTION_UNCLAIMED ? bits / 8 : bits / 2);
}

static void size_text(char *text, size_t size, u64 last)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	u128 bytes = (u128)last + 1;
	unsigned unit = 0;

	while (unit + 1 < ARRAY_SIZE(units) && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, size, "%llu %s", (unsigned long long)bytes, units[unit]);
}

/* Low addresses at the bottom, as in data sheets. */
static void draw(const struct address_space *as, const char *title)
{
	const struct flatview *view = as_view(as);
	struct column *column = &columns[column_count];
	unsigned x = column_count * COLUMN + LEFT, y = TOP;
	size_t length;
	FILE *out;

	if (column_count == ROOTS_MAX || view->count == 1)
		return;
	out = open_memstream(&column->boxes, &length);
	if (!out)
		return;
	fprintf(out, "<text x=\"%u\" y=\"%u\" class=\"title\">%s</text>\n", x, TOP - 20, title);
	for (u32 i = view->count; i-- > 0;) {
		const struct section *section = &view->sections[i];
		unsigned height = height_of(section);
		char size[32];

		size_text(size, sizeof(size), section->last - section->first);
		fprintf(out, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" fill=\"%s\"/>\n", x, y, BOX,
			height, color(section));
		fprintf(out, "<text x=\"%u\" y=\"%u\" class=\"address\">%llx</text>\n", x - 6, y + height - 2,
			(unsigned long long)section->first);
		if (section->kind != SECTION_UNCLAIMED)
			fprintf(out,
				"<text x=\"%u\" y=\"%u\">%s</text><text x=\"%u\" y=\"%u\" "
				"class=\"size\">%s</text>\n",
				x + 6, y + height / 2 + 4, section->region->name, x + BOX - 6,
				y + height / 2 + 4, size);
		y += height;
	}
	fclose(out);
	column->height = y;
	column_count++;
}

static bool write_svg(const char *path)
{
	unsigned height = 0;
	FILE *out = fopen(path, "w");

	if (!out) {
		perror(path);
		return false;
	}
	for (unsigned i = 0; i < column_count; i++)
		height = MAX(height, columns[i].height);
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
		"font-family=\"sans-serif\" "
		"font-size=\"11\">\n<style>rect{stroke:#555;stroke-width:.6}.address{text-anchor:end;"
		"font-family:monospace}.size{text-anchor:end;fill:#555}.title{font-size:14px;font-weight:"
		"bold}"
		"</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\" style=\"stroke:none\"/>\n",
		column_count * COLUMN + 10, height + 20);
	for (unsigned i = 0; i < column_count; i++)
		fputs(columns[i].boxes, out);
	fprintf(out, "</svg>\n");
	return fclose(out) == 0;
}

/*
 * ---- a table
 * ------------------------------------------------------------------------------------------------
 */

/* Stands in for the devices whose owners initialise their regions themselves. */
static const struct region_ops no_ops = { .read = NULL };

static struct iommu_entry no_translation(const struct iommu_region *iommu, u64 iova, enum mem_access access)
{
	(void)iommu;
	(void)access;
	return (struct iommu_entry){ .iova = iova, .mask = PAGE_MASK };
}

static void init_owned(const struct region_row *row, void *board, u8 *host, struct address_space *nowhere)
{
	static const struct iommu_ops iommu_ops = { .translate = no_translation };
	struct region *region = region_row_region(row, board);
	u128 size = (u128)row->last + 1;

	if (row->kind == REGION_MMIO && !row->ops)
		region_init_mmio(region, row->name, size, &no_ops, NULL);
	else if (row->kind == REGION_ROM)
		region_init_rom(region, row->name, size, host);
	else if (row->kind == REGION_ROM_DEVICE)
		region_init_rom_device(region, row->name, size, host, &no_ops, NULL);
	else if (row->kind == REGION_IOMMU)
		region_init_iommu((struct iommu_region *)region, row->name, size, &iommu_ops, nowhere, true);
}

static bool show(const struct region_table *table, void *board)
{
	struct mem_core core;
	bool ok = true;

	mem_core_init(&core);
	for (unsigned i = 0; i < table->count && ok; i++) {
		const struct region_row *row = &table->rows[i];
		struct address_space as;

		if (row->parent)
			continue;
		ok = as_init(&as, &core, row->name, region_row_region(row, board), UNCLAIMED_INHERIT) == 0;
		if (!ok)
			break;
		printf("\n");
		mtree_print(&as, emit, stdout);
		printf("\n");
		mtree_print_flat(&as, emit, stdout);
		draw(&as, row->name);
		as_destroy(&as);
	}
	mem_core_destroy(&core);
	return ok;
}

static bool run(const struct region_table *table, u64 ram, unsigned bits)
{
	struct address_space nowhere = { 0 };
	struct ram_extent extent = { .size = ram };
	bool has_ram = false, ok;
	size_t size = 0;
	void *board;

	if (region_table_check(table, bits, emit, stderr))
		return false;
	for (unsigned i = 0; i < table->count; i++) {
		size = MAX(size, table->rows[i].at + sizeof(struct ram_window));
		has_ram |= table->rows[i].kind == REGION_RAM;
	}
	/* Nobody looks into the memory: addresses without anything behind them will do. */
	extent.host = mmap(NULL, ram, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	board = aligned_alloc(64, ALIGN_UP(size, 64));
	if (!board || extent.host == MAP_FAILED) {
		fprintf(stderr, "%s: no memory for it\n", table->name);
		free(board);
		return false;
	}
	memset(board, 0, size);
	for (unsigned i = 0; i < table->count; i++)
		init_owned(&table->rows[i], board, extent.host, &nowhere);
	printf("%s\n", table->name);
	region_table_print(table, emit, stdout);
	ok = region_table_build(table, board, has_ram ? ram : 0, &extent, 1) == 0;
	if (ok) {
		ok = show(table, board);
		region_table_unbuild(table, board);
	}
	munmap(extent.host, ram);
	free(board);
	return ok;
}

static bool wanted(const struct region_table *table, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(names[i], table->name))
			return true;
	return count == 0;
}

int main(int argc, char **argv)
{
	const char *svg = NULL;
	unsigned bits = 0, shown = 0;
	u64 ram = 256;
	bool ok = true;
	int at = 1;

	for (; at + 1 < argc && !strncmp(argv[at], "--", 2); at += 2) {
		if (!strcmp(argv[at], "--ram"))
			ram = strtoull(argv[at + 1], NULL, 0);
		else if (!strcmp(argv[at], "--bits"))
			bits = (unsigned)strtoul(argv[at + 1], NULL, 0);
		else if (!strcmp(argv[at], "--svg"))
			svg = argv[at + 1];
		else
			break;
	}
	if (ram == 0 || bits > 64 || (at < argc && argv[at][0] == '-')) {
		fprintf(stderr, "usage: region-map [--ram MIB] [--bits N] [--svg FILE] [TABLE..]\n");
		return 2;
	}
	for (unsigned i = 0; region_map_tables[i]; i++) {
		if (!wanted(region_map_tables[i], argv + at, argc - at))
			continue;
		ok &= run(region_map_tables[i], ram * MiB, bits);
		shown++;
	}
	if (!shown)
		fprintf(stderr, "region-map: no such table\n");
	if (ok && shown && svg)
		ok = write_svg(svg);
	for (unsigned i = 0; i < column_count; i++)
		free(columns[i].boxes);
	return ok && shown ? 0 : 1;
}
