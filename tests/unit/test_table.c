// SPDX-License-Identifier: BSD-2-Clause
/* Static region tables: what the checker finds, what is built from a good one, how RAM rows are filled. */
#include "tests/unit/mm_rig.h"

#include <errno.h>
#include <stdio.h>

#include "mm/iommu_region.h"
#include "mm/table.h"

struct board {
	struct region memory, vga, pci, dead, flash, rom, apic, ports, com, hpet;
	struct ram_window low, high;
	struct iommu_region iommu;
	struct probe probe, uart;
};

static const struct region_row rows[] = {
	ROW_CONTAINER("memory", NULL, 0, REGION_SIZE_WHOLE, AT(struct board, memory),
		      .unclaimed = UNCLAIMED_ZEROS),
	ROW_RAM("ram.low", "memory", 0, 0x80000, AT(struct board, low)),
	ROW_ALIAS("vga", "memory", 0xa0000, 128 * KiB, AT(struct board, vga), "pci", 0x10000),
	ROW_CONTAINER("pci", "memory", 0xc0000000, 0x40000, AT(struct board, pci),
		      .unclaimed = UNCLAIMED_ONES),
	ROW_RESERVED("dead", "pci", 0x3f000, 0x1000, AT(struct board, dead), .disabled = true),
	ROW_ROM("rom", "memory", 0x7f000, 0x1000, AT(struct board, rom), .priority = 1, .over_ram = true),
	ROW_ROM_DEVICE("flash", "memory", 0xff000000, 0x1000, AT(struct board, flash)),
	ROW_MMIO("apic", "memory", 0xfee00000, 0x1000, AT(struct board, apic), .ops = &probe_ops,
		 .device = AT(struct board, probe)),
	ROW_REGISTERS("hpet", "pci", 0x10010, 0x10, AT(struct board, hpet), .ops = &probe_ops,
		      .device = AT(struct board, probe)),
	ROW_IOMMU("iommu", "memory", 0xd0000000, 0x10000, AT(struct board, iommu.region)),
	ROW_RAM("ram.high", "memory", 4 * GiB, 1 * MiB, AT(struct board, high)),
	ROW_CONTAINER("ports", NULL, 0, 64 * KiB, AT(struct board, ports), .ops = &probe_ops,
		      .device = AT(struct board, probe)),
	ROW_PORTS("com1", "ports", 0x3f8, 8, AT(struct board, com)),
};
static const struct region_table table = REGION_TABLE(rows);

static u8 host[0x200000] __attribute__((aligned(4096)));

struct lines {
	char text[16384];
	unsigned count;
};

static void take_line(void *to, const char *line)
{
	struct lines *lines = to;

	strcat(lines->text, line);
	strcat(lines->text, "\n");
	lines->count++;
}

static struct iommu_entry nothing(const struct iommu_region *iommu, u64 iova, enum mem_access access)
{
	(void)iommu;
	(void)iova;
	(void)access;
	return (struct iommu_entry){ .mask = PAGE_MASK };
}

static void board_init(struct board *board, struct address_space *target)
{
	static const struct iommu_ops ops = { .translate = nothing };

	memset(board, 0, sizeof(*board));
	region_init_mmio(&board->com, "com1", 8, &probe_ops, &board->uart);
	region_init_rom(&board->rom, "rom", 0x1000, host + 0x1f0000);
	region_init_rom_device(&board->flash, "flash", 0x1000, host + 0x1f1000, &probe_ops, &board->probe);
	region_init_iommu(&board->iommu, "iommu", 0x10000, &ops, target, true);
}

static void a_good_table_has_no_findings(void **state)
{
	struct lines lines = { 0 };

	(void)state;
	assert_int_equal(region_table_check(&table, 40, take_line, &lines), 0);
	assert_string_equal(lines.text, "");
}

static void a_board_is_built_from_it_and_taken_apart_again(void **state)
{
	const struct ram_extent extent = { host, 0x100000 };
	struct address_space memory, ports;
	struct board board, second;
	struct section_cache cache = { 0 }, port_cache = { 0 };
	struct mem_core core;
	u64 value;

	(void)state;
	mem_core_init(&core);
	board_init(&board, &memory);
	board_init(&second, &memory);
	assert_int_equal(region_table_build(&table, &board, 0x90000, &extent, 1), 0);
	/* The same table, another board, other memory. */
	assert_int_equal(region_table_build(&table, &second, 0, NULL, 0), 0);
	assert_int_equal(second.low.pieces, 0);
	assert_int_equal(as_init(&memory, &core, "memory", &board.memory, UNCLAIMED_ONES), 0);
	assert_int_equal(as_init(&ports, &core, "ports", &board.ports, UNCLAIMED_ONES), 0);
	ASSERT_VIEW(&memory, { 0, 0x7efff, &board.low.piece[0], 0 }, { 0x7f000, 0x7ffff, &board.rom, 0 },
		    { 0xa0010, 0xa001f, &board.hpet, 0 }, { 0xc0010010, 0xc001001f, &board.hpet, 0 },
		    { 0xd0000000, 0xd000ffff, &board.iommu.region, 0 },
		    { 0xfee00000, 0xfee00fff, &board.apic, 0 }, { 0xff000000, 0xff000fff, &board.flash, 0 },
		    { 4 * GiB, 4 * GiB + 0xffff, &board.high.piece[0], 0 });
	assert_ptr_equal(at(&memory, 0x1234)->host, host);
	assert_ptr_equal(at(&memory, 4 * GiB)->host, host + 0x80000);
	assert_int_equal(board.low.filled, 0x80000);
	assert_int_equal(board.high.filled, 0x10000);
	assert_int_equal(at(&memory, 0x90000)->unclaimed, UNCLAIMED_ZEROS);
	assert_int_equal(at(&memory, 0xc0000000)->unclaimed, UNCLAIMED_ONES);
	/* RAM that the guest does not have is no RAM. */
	assert_int_equal(at(&memory, 4 * GiB + 0x10000)->kind, SECTION_UNCLAIMED);
	assert_false(board.dead.enabled);
	/* The ops of a row reach the device of this board. */
	assert_int_equal(as_store(&memory, &cache, 0xfee00004, 4, 7), MEM_OK);
	assert_int_equal(board.probe.bytes[4], 7);
	assert_int_equal(as_store(&ports, &port_cache, 0x3f9, 1, 9), MEM_OK);
	assert_int_equal(board.uart.bytes[1], 9);
	assert_int_equal(as_load(&ports, &port_cache, 0x80, 1, &value), MEM_OK);
	assert_call(&board.probe, 1, false, 0x80, 1);
	assert_ptr_equal(region_row_region(region_table_find(&table, "apic"), &board), &board.apic);
	region_table_unbuild(&table, &board);
	assert_view(&memory, NULL, 0);
	as_destroy(&memory);
	as_destroy(&ports);
	region_table_unbuild(&table, &second);
	mem_core_destroy(&core);
}

static void ram_rows_are_filled_in_order_out_of_any_extents(void **state)
{
	const struct ram_extent extents[] = { { host, 0x10000 },
					      { host + 0x20000, 0 },
					      { host + 0x30000, 0x60000 },
					      { host + 0x90000, 0x20000 },
					      { host + 0x100000, 0x100000 } };
	struct board board;

	(void)state;
	board_init(&board, (struct address_space *)&board);
	assert_int_equal(region_table_build(&table, &board, 0xa0000, extents, ARRAY_SIZE(extents)), 0);
	assert_int_equal(board.low.pieces, 3);
	assert_int_equal(board.low.piece[0].last, 0xffff);
	assert_int_equal(board.low.piece[1].offset, 0x10000);
	assert_ptr_equal(board.low.piece[1].host, host + 0x30000);
	assert_int_equal(board.low.piece[2].offset, 0x70000);
	assert_int_equal(board.low.piece[2].last, 0xffff);
	assert_ptr_equal(board.low.piece[2].host, host + 0x90000);
	assert_int_equal(board.high.pieces, 2);
	assert_ptr_equal(board.high.piece[0].host, host + 0xa0000);
	assert_int_equal(board.high.piece[0].last, 0xffff);
	assert_ptr_equal(board.high.piece[1].host, host + 0x100000);
	assert_int_equal(board.high.filled, 0x20000);
	region_table_unbuild(&table, &board);
}

static void memory_that_does_not_fit_is_refused_and_nothing_is_linked(void **state)
{
	struct ram_extent crumbs[RAM_PIECES + 1];
	const struct ram_extent extent = { host, 0x200000 }, little = { host, 0x1000 };
	struct board board;

	(void)state;
	host_log_reset();
	board_init(&board, (struct address_space *)&board);
	assert_int_equal(region_table_build(&table, &board, 0x181000, &extent, 1), -E2BIG);
	assert_non_null(strstr(host_log_last(), "hold 0x1000 bytes less than the 0x181000"));
	assert_null(board.low.region.parent);
	assert_int_equal(region_table_build(&table, &board, 0x2000, &little, 1), -ENOMEM);
	assert_non_null(strstr(host_log_last(), "'ram.low'"));
	for (unsigned i = 0; i < ARRAY_SIZE(crumbs); i++)
		crumbs[i] = (struct ram_extent){ host + i * 0x2000, 0x1000 };
	assert_int_equal(region_table_build(&table, &board, sizeof(crumbs) / sizeof(crumbs[0]) * 0x1000,
					    crumbs, ARRAY_SIZE(crumbs)),
			 -E2BIG);
	assert_int_equal(region_table_build(&table, &board, RAM_PIECES * 0x1000, crumbs, ARRAY_SIZE(crumbs)),
			 0);
	region_table_unbuild(&table, &board);
}

static void a_ram_row_may_be_the_whole_space(void **state)
{
	static const struct region_row whole[] = {
		{ .name = "ram", .kind = REGION_RAM, .last = ~0ull, .at = AT(struct board, low) }
	};
	static const struct region_table whole_table = REGION_TABLE(whole);
	const struct ram_extent all = { host, ~0ull & ~PAGE_MASK };
	struct board board;

	(void)state;
	board_init(&board, (struct address_space *)&board);
	assert_int_equal(region_table_build(&whole_table, &board, ~0ull & ~PAGE_MASK, &all, 1), 0);
	assert_int_equal(board.low.filled, ~0ull & ~PAGE_MASK);
	region_table_unbuild(&whole_table, &board);
}

static void what_a_row_finds_must_be_what_it_says(void **state)
{
	struct board board;

	(void)state;
	board_init(&board, (struct address_space *)&board);
	region_init_mmio(&board.com, "other", 16, &probe_ops, &board.uart);
	assert_int_equal(region_table_build(&table, &board, 0, NULL, 0), -EINVAL);
	assert_non_null(strstr(host_log_last(),
			       "row 'com1' (mmio, 0x7 bytes - 1) finds a region that is not so: 'other'"));
	board_init(&board, (struct address_space *)&board);
	memset(&board.rom, 0, sizeof(board.rom));
	assert_int_equal(region_table_build(&table, &board, 0, NULL, 0), -EINVAL);
	assert_non_null(strstr(host_log_last(), "'?' (container"));
	board_init(&board, (struct address_space *)&board);
	region_init_mmio(&board.com, "com1", 8, NULL, NULL);
	assert_int_equal(region_table_build(&table, &board, 0, NULL, 0), -EINVAL);
}

static void a_table_that_does_not_link_is_unlinked_again(void **state)
{
	static const struct region_row ties[] = {
		ROW_CONTAINER("memory", NULL, 0, 1 * MiB, AT(struct board, memory)),
		ROW_CONTAINER("pci", "memory", 0, 0x2000, AT(struct board, pci)),
		ROW_RESERVED("dead", "memory", 0x1000, 0x1000, AT(struct board, dead)),
	};
	static const struct region_row orphan[] = {
		ROW_CONTAINER("memory", NULL, 0, 1 * MiB, AT(struct board, memory)),
		ROW_CONTAINER("pci", "memory", 0, 0x2000, AT(struct board, pci)),
		ROW_RESERVED("dead", "nobody", 0x1000, 0x1000, AT(struct board, dead)),
	};
	static const struct region_row blind[] = {
		ROW_CONTAINER("memory", NULL, 0, 1 * MiB, AT(struct board, memory)),
		ROW_ALIAS("vga", "memory", 0, 0x2000, AT(struct board, vga), "nobody", 0),
	};
	static const struct region_table bad[] = { REGION_TABLE(ties), REGION_TABLE(orphan),
						   REGION_TABLE(blind) };
	static const int errors[] = { -EEXIST, -EINVAL, -EINVAL };
	struct board board;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(&board, 0, sizeof(board));
		assert_int_equal(region_table_build(&bad[i], &board, 0, NULL, 0), errors[i]);
		assert_null(board.pci.parent);
		assert_null(board.memory.children);
	}
}

static void tables_can_be_read(void **state)
{
	struct lines lines = { 0 };

	(void)state;
	region_table_print(&table, take_line, &lines);
	assert_int_equal(lines.count, table.count);
	assert_non_null(strstr(
		lines.text, "memory                     container  0x000000000000-0xffffffffffffffff "
			    "unclaimed: zeros\n"
			    "  ram.low                  ram        0x000000000000-0x00000007ffff\n"
			    "  rom                      rom        0x00000007f000-0x00000007ffff prio 1\n"));
	assert_non_null(
		strstr(lines.text, "    hpet                   mmio       0x0000c0010010-0x0000c001001f\n"));
	assert_non_null(strstr(lines.text,
			       "  vga                      alias      0x0000000a0000-0x0000000bffff -> pci "
			       "+0x10000\n"));
	assert_non_null(strstr(lines.text,
			       "    dead                   reserved   0x0000c003f000-0x0000c003ffff "
			       "(disabled)\n"));
	assert_non_null(
		strstr(lines.text, "  com1                     mmio       0x0000000003f8-0x0000000003ff\n"));
}

/*
 * ---- broken tables
 * ------------------------------------------------------------------------------------------
 */

/* Rows below `memory`, an ordinary root; what must be said of them, and nothing else. */
struct broken {
	const char *says[3];
	struct region_row row[3];
};

#define ROOT                                                   \
	{                                                      \
		.name = "memory", .last = ~0ull, .bytes = true \
	}
#define BELOW(parent_, name_, kind_, base_, size_, at_, ...)                                               \
	{                                                                                                  \
		.name = (name_), .parent = (parent_), .kind = (kind_), .base = (base_), .last = (size_)-1, \
		.at = (at_), __VA_ARGS__                                                                   \
	}
#define IN(...) BELOW("memory", __VA_ARGS__)

static const struct broken broken_tables[] = {
	{ { "mmio 'b' 0x1000-0x1fff and mmio 'b' 0x3000-0x3fff have the same name" },
	  { ROOT, IN("b", REGION_MMIO, 0x1000, 0x1000, 1), IN("b", REGION_MMIO, 0x3000, 0x1000, 2) } },
	{ { "mmio 'a' 0x1000-0x1fff and mmio 'b' 0x3000-0x3fff live at the same place in the board, 0x1" },
	  { ROOT, IN("a", REGION_MMIO, 0x1000, 0x1000, 1), IN("b", REGION_MMIO, 0x3000, 0x1000, 1) } },
	{ { "row 1, at offset 0x1 of the board, has no name",
	    "row 2, at offset 0x2 of the board, has no name" },
	  { ROOT, IN(NULL, REGION_MMIO, 0x1000, 0x1000, 1), IN("", REGION_MMIO, 0x3000, 0x1000, 2) } },
	{ { "mmio 'a' 0x1000-0x1fff: its parent 'nobody' is no row" },
	  { ROOT, BELOW("nobody", "a", REGION_MMIO, 0x1000, 0x1000, 1),
	    IN("b", REGION_MMIO, 0x3000, 0x1000, 2) } },
	{ { "mmio 'a' 0x1000-0x1fff: its parent is no container: mmio 'b' 0x0-0x3fff" },
	  { ROOT, BELOW("b", "a", REGION_MMIO, 0x1000, 0x1000, 1), IN("b", REGION_MMIO, 0, 0x4000, 2) } },
	{ { "container 'a' 0x0-0x3fff: its parents go round in a circle, or too deep, by way of container "
	    "'b' 0x0-0x3fff",
	    "container 'b' 0x0-0x3fff: its parents go round in a circle, or too deep, by way of container "
	    "'a' 0x0-0x3fff" },
	  { ROOT, BELOW("b", "a", REGION_CONTAINER, 0, 0x4000, 1),
	    BELOW("a", "b", REGION_CONTAINER, 0, 0x4000, 2) } },
	{ { "mmio 'a' 0xfffffffffffff000-0xfff wraps past 2^64 in container 'memory' "
	    "0x0-0xffffffffffffffff" },
	  { ROOT, IN("a", REGION_MMIO, ~0xfffull, 0x2000, 1), IN("b", REGION_MMIO, 0x3000, 0x1000, 2) } },
	{ { "mmio 'a' 0x5000-0x6fff sticks out of its parent, container 'b' 0x4000-0x5fff" },
	  { ROOT, BELOW("b", "a", REGION_MMIO, 0x1000, 0x2000, 1),
	    IN("b", REGION_CONTAINER, 0x4000, 0x2000, 2) } },
	{ { "mmio 'a' 0x1000-0x2fff and mmio 'b' 0x2000-0x2fff overlap in 'memory', both of priority 0" },
	  { ROOT, IN("a", REGION_MMIO, 0x1000, 0x2000, 1), IN("b", REGION_MMIO, 0x2000, 0x1000, 2) } },
	{ { "ram 'a' 0x1000-0x2fff and mmio 'b' 0x2000-0x2fff overlap in 'memory', both of priority 0" },
	  { ROOT, IN("a", REGION_RAM, 0x1000, 0x2000, 1),
	    IN("b", REGION_MMIO, 0x2000, 0x1000, 2, .over_ram = true) } },
	{ { "alias 'a' 0x1000-0x1fff: its target 'nobody' is no row" },
	  { ROOT, IN("a", REGION_ALIAS, 0x1000, 0x1000, 1, .target = "nobody"),
	    IN("b", REGION_MMIO, 0x3000, 0x1000, 2) } },
	{ { "alias 'a' 0x1000-0x1fff: its target '?' is no row" },
	  { ROOT, IN("a", REGION_ALIAS, 0x1000, 0x1000, 1), IN("b", REGION_MMIO, 0x3000, 0x1000, 2) } },
	{ { "alias 'a' 0x1000-0x1fff shows 0x800-0x17ff of its target, which that does not have: mmio 'b' "
	    "0x3000-0x3fff" },
	  { ROOT, IN("a", REGION_ALIAS, 0x1000, 0x1000, 1, .target = "b", .target_offset = 0x800),
	    IN("b", REGION_MMIO, 0x3000, 0x1000, 2) } },
	{ { "alias 'a' 0x1000-0x1fff shows itself: alias loop through container 'memory' "
	    "0x0-0xffffffffffffffff" },
	  { ROOT, IN("a", REGION_ALIAS, 0x1000, 0x1000, 1, .target = "memory"),
	    IN("b", REGION_MMIO, 0x3000, 0x1000, 2) } },
	{ { "alias 'a' 0x1000-0x1fff shows itself: alias loop through alias 'b' 0x3000-0x3fff",
	    "alias 'b' 0x3000-0x3fff shows itself: alias loop through alias 'a' 0x1000-0x1fff" },
	  { ROOT, IN("a", REGION_ALIAS, 0x1000, 0x1000, 1, .target = "b"),
	    IN("b", REGION_ALIAS, 0x3000, 0x1000, 2, .target = "a") } },
	{ { "mmio 'a' 0x1001-0x2000 is not made of whole pages",
	    "rom 'b' 0x3000-0x37ff is not made of whole pages" },
	  { ROOT, IN("a", REGION_MMIO, 0x1001, 0x1000, 1), IN("b", REGION_ROM, 0x3000, 0x800, 2) } },
	{ { "ram 'a' 0x10000000000-0x10000000fff is beyond the machine's 40 address bits (0x0-0xffffffffff)",
	    "mmio 'b' 0xfffffff000-0x10000000fff is beyond the machine's 40 address bits (0x0-0xffffffffff)",
	    "mmio 'b' 0xfffffff000-0x10000000fff lies inside ram 'a' 0x10000000000-0x10000000fff, and is not "
	    "declared" },
	  { ROOT, IN("a", REGION_RAM, 1ull << 40, 0x1000, 1),
	    IN("b", REGION_MMIO, (1ull << 40) - 0x1000, 0x2000, 2, .priority = 1) } },
	{ { "mmio 'b' 0x4000-0x4fff lies inside ram 'a' 0x1000-0x8fff, and is not declared to be over RAM" },
	  { ROOT, IN("a", REGION_RAM, 0x1000, 0x8000, 1),
	    IN("b", REGION_MMIO, 0x4000, 0x1000, 2, .priority = 1) } },
	{ { "mmio 'b' 0x4000-0x4fff is declared to be over RAM, but has no higher priority than ram 'a' "
	    "0x1000-0x8fff" },
	  { ROOT, IN("a", REGION_RAM, 0x1000, 0x8000, 1),
	    IN("b", REGION_MMIO, 0x4000, 0x1000, 2, .priority = -1, .over_ram = true) } },
	/* Registers that share a page with RAM. */
	{ { "mmio 'b' 0x9800-0x98ff lies inside ram 'a' 0x1000-0x97ff, and is not declared to be over RAM" },
	  { ROOT, IN("a", REGION_RAM, 0x1000, 0x8800, 1, .bytes = true),
	    IN("b", REGION_MMIO, 0x9800, 0x100, 2, .bytes = true) } },
	{ { "ram 'a' 0x1000-0x2fff lies inside ram 'b' 0x2000-0x3fff, and is not declared to be over RAM",
	    "ram 'b' 0x2000-0x3fff lies inside ram 'a' 0x1000-0x2fff, and is not declared to be over RAM" },
	  { ROOT, IN("a", REGION_RAM, 0x1000, 0x2000, 1),
	    IN("b", REGION_RAM, 0x2000, 0x2000, 2, .priority = 1) } },
	{ { "? 'a' 0x1000-0x1fff: no such kind" },
	  { ROOT, IN("a", 9, 0x1000, 0x1000, 1), IN("b", REGION_MMIO, 0x3000, 0x1000, 2) } },
	{ { "reserved 'a' 0x1000-0x1fff: ops are for mmio and containers",
	    "mmio 'b' 0x3000-0x3fff: a policy for unclaimed accesses is for containers" },
	  { ROOT, IN("a", REGION_RESERVED, 0x1000, 0x1000, 1, .ops = &probe_ops),
	    IN("b", REGION_MMIO, 0x3000, 0x1000, 2, .unclaimed = UNCLAIMED_ONES) } },
};

static void each_broken_table_is_told_with_both_rows_and_their_ranges(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(broken_tables); i++) {
		const struct broken *broken = &broken_tables[i];
		struct region_table t = { .name = "board", .rows = broken->row, .count = 3 };
		struct lines lines = { 0 };
		unsigned expected = 0;

		region_table_check(&t, 40, take_line, &lines);
		for (; expected < 3 && broken->says[expected]; expected++) {
			if (!strstr(lines.text, broken->says[expected]))
				fail_msg("table %u says\n%swhere expected was\n%s", i, lines.text,
					 broken->says[expected]);
		}
		if (lines.count != expected)
			fail_msg("table %u says\n%s", i, lines.text);
		assert_int_equal(region_table_check(&t, 40, NULL, NULL), expected);
		assert_int_equal(strncmp(lines.text, "board: ", 7), 0);
	}
}

static void rows_apart_may_do_what_neighbours_may_not(void **state)
{
	/* Same range: another parent, another priority, disabled; over RAM by its container's priority. */
	static const struct region_row fine[] = {
		ROOT,
		IN("ram", REGION_RAM, 0x0, 0x10000, 1),
		IN("box", REGION_CONTAINER, 0x4000, 0x4000, 2, .priority = 1),
		BELOW("box", "in box", REGION_MMIO, 0, 0x1000, 3, .over_ram = true),
		BELOW("box", "off", REGION_MMIO, 0, 0x1000, 4, .over_ram = true, .disabled = true),
		BELOW("box", "off too", REGION_MMIO, 0, 0x1000, 5, .over_ram = true, .disabled = true),
		{ .name = "ports", .last = 0xffff, .at = 6, .bytes = true },
		{ .name = "port",
		  .parent = "ports",
		  .kind = REGION_MMIO,
		  .base = 0x10,
		  .last = 0,
		  .at = 7,
		  .bytes = true },
	};
	static const struct region_table t = REGION_TABLE(fine);
	struct lines lines = { 0 };
	u64 first, last;

	(void)state;
	region_table_check(&t, 0, take_line, &lines);
	assert_string_equal(lines.text, "");
	assert_int_equal(region_table_check(&t, 64, take_line, &lines), 0);
	assert_true(region_table_range(&t, &fine[3], &first, &last));
	assert_int_equal(first, 0x4000);
	assert_int_equal(last, 0x4fff);
	assert_null(region_table_find(&t, "nobody"));
	assert_null(region_table_find(&t, NULL));
}

/* What cannot be rendered cannot be printed without end either. */
static void circles_and_multiplying_aliases_end(void **state)
{
	enum { LEVELS = 12 };
	struct region_row many[LEVELS * 4 + 1];
	char name[LEVELS * 4 + 1][8];
	struct region_table t = { .name = "many", .rows = many, .count = ARRAY_SIZE(many) };
	struct lines lines = { 0 };

	(void)state;
	memset(many, 0, sizeof(many));
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		snprintf(name[i], sizeof(name[i]), "r%u", i);
	/* Four aliases of the next container in each one. */
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		unsigned level = i / 4;

		many[i] = (struct region_row){ .name = name[i], .last = 0xffff, .at = i, .bytes = true };
		if (i % 4) {
			many[i].kind = REGION_ALIAS;
			many[i].parent = name[level * 4];
			many[i].base = 0x1000 * (i % 4);
			many[i].last = 0xfff;
			many[i].target = name[(level + 1) * 4];
		}
	}
	assert_int_equal(region_table_check(&t, 0, take_line, &lines), 0);
	many[0].parent = name[0];
	region_table_print(&t, take_line, &lines);
	assert_true(lines.count < 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_table_has_no_findings),
		cmocka_unit_test(a_board_is_built_from_it_and_taken_apart_again),
		cmocka_unit_test(ram_rows_are_filled_in_order_out_of_any_extents),
		cmocka_unit_test(memory_that_does_not_fit_is_refused_and_nothing_is_linked),
		cmocka_unit_test(a_ram_row_may_be_the_whole_space),
		cmocka_unit_test(what_a_row_finds_must_be_what_it_says),
		cmocka_unit_test(a_table_that_does_not_link_is_unlinked_again),
		cmocka_unit_test(tables_can_be_read),
		cmocka_unit_test(each_broken_table_is_told_with_both_rows_and_their_ranges),
		cmocka_unit_test(rows_apart_may_do_what_neighbours_may_not),
		cmocka_unit_test(circles_and_multiplying_aliases_end),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
