// SPDX-License-Identifier: BSD-2-Clause
/*
 * Broken tables, each with the one message it must give, word for word: both rows concerned, with their
 * ranges. What the macros of mm/table.h refuse to compile is written without them here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "iommu/window.h"
#include "mm/table.h"

#define BITS_OF_MACHINE 40

struct board {
	struct region memory, a, b, c;
	struct ram_window ram, more;
};

struct broken {
	const struct region_row *rows;
	unsigned count;
	const struct dma_table *dma; /* then these are checked, against the rows */
	unsigned dma_count;
	const char *message;
};

struct heard {
	unsigned lines;
	char text[400];
};

static void hear(void *to, const char *line)
{
	struct heard *heard = to;

	heard->lines++;
	snprintf(heard->text, sizeof(heard->text), "%s", line);
	if (heard->lines > 1)
		print_error("also: %s\n", line);
}

static void check(const struct broken *broken)
{
	const struct region_table table = { .name = "broken", .rows = broken->rows, .count = broken->count };
	struct heard heard = { 0 };
	char message[400];
	unsigned found = region_table_check(&table, BITS_OF_MACHINE, hear, &heard);

	if (broken->dma) {
		assert_int_equal(found, 0);
		found = dma_table_check(broken->dma, broken->dma_count, &table, hear, &heard);
	}
	/* Only one message has a %x: an offset into the board. */
	snprintf(message, sizeof(message), broken->message, (unsigned)offsetof(struct board, a));
	assert_string_equal(heard.text, message);
	assert_int_equal(found, 1);
	assert_int_equal(heard.lines, 1);
}

#define MEMORY	     ROW_CONTAINER("memory", NULL, 0, REGION_SIZE_WHOLE, AT(struct board, memory))
#define RAM	     ROW_RAM("ram", "memory", 0, 1 * GiB, AT(struct board, ram))
#define TABLE(rows_) .rows = (rows_), .count = ARRAY_SIZE(rows_)

static void test_a_row_without_size(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		{ .name = "hpet",
		  .parent = "memory",
		  .kind = REGION_MMIO,
		  .base = 0xfed00000,
		  .last = -1ull,
		  .at = AT(struct board, a) },
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows), .message =
				     "broken: mmio 'hpet' 0xfed00000-0xfecfffff wraps past 2^64 in container "
				     "'memory' 0x0-0xffffffffffffffff" });
}

static void test_a_page_that_is_not_aligned(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		{ .name = "hpet",
		  .parent = "memory",
		  .kind = REGION_MMIO,
		  .base = 0xfed00800,
		  .last = 0xfff,
		  .at = AT(struct board, a) },
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows),
		.message = "broken: mmio 'hpet' 0xfed00800-0xfed017ff is not made of whole pages" });
}

static void test_a_row_that_wraps(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		{ .name = "bar",
		  .parent = "memory",
		  .kind = REGION_MMIO,
		  .base = -0x1000ull,
		  .last = 0x1fff,
		  .at = AT(struct board, a) },
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows),
		.message = "broken: mmio 'bar' 0xfffffffffffff000-0xfff wraps past 2^64 in container "
			   "'memory' 0x0-0xffffffffffffffff" });
}

static void test_two_rows_of_equal_priority_that_overlap(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		ROW_MMIO("ioapic", "memory", 0xfec00000, 8 * KiB, AT(struct board, a)),
		ROW_MMIO("hpet", "memory", 0xfec01000, 4 * KiB, AT(struct board, b)),
	};

	(void)state;
	check(&(struct broken){ TABLE(rows),
				.message = "broken: mmio 'ioapic' 0xfec00000-0xfec01fff and mmio 'hpet' "
					   "0xfec01000-0xfec01fff overlap in 'memory', both of priority 0" });
}

static void test_an_alias_that_shows_itself(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		ROW_CONTAINER("pci", "memory", 0xc0000000, 1 * MiB, AT(struct board, b)),
		ROW_ALIAS("window", "pci", 0, 64 * KiB, AT(struct board, a), "pci", 0),
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows),
		.message = "broken: alias 'window' 0xc0000000-0xc000ffff shows itself: alias loop through "
			   "container 'pci' 0xc0000000-0xc00fffff" });
}

static void test_an_alias_of_what_its_target_does_not_have(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		RAM,
		ROW_ALIAS("top", "memory", 0xc0000000, 64 * KiB, AT(struct board, a), "ram",
			  1 * GiB - 32 * KiB),
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows),
		.message = "broken: alias 'top' 0xc0000000-0xc000ffff shows 0x3fff8000-0x40007fff of its "
			   "target, which that does not have: ram 'ram' 0x0-0x3fffffff" });
}

static void test_an_alias_without_target(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		ROW_ALIAS("vga", "memory", 0xa0000, 128 * KiB, AT(struct board, a), "bar0", 0),
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows), .message = "broken: alias 'vga' 0xa0000-0xbffff: its target 'bar0' is no row" });
}

static void test_ram_beyond_what_the_machine_can_address(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		ROW_RAM("ram.high", "memory", 1 * TiB - 1 * GiB, 2 * GiB, AT(struct board, ram)),
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows),
		.message = "broken: ram 'ram.high' 0xffc0000000-0x1003fffffff is beyond the machine's 40 "
			   "address bits (0x0-0xffffffffff)" });
}

static void test_a_device_inside_ram(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		RAM,
		ROW_MMIO("vga", "memory", 0xa0000, 128 * KiB, AT(struct board, a), .priority = 1),
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows),
		.message = "broken: mmio 'vga' 0xa0000-0xbffff lies inside ram 'ram' 0x0-0x3fffffff, and "
			   "is not declared to be over RAM" });
}

static void test_a_device_over_ram_that_does_not_win(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		RAM,
		ROW_MMIO("vga", "memory", 0xa0000, 128 * KiB, AT(struct board, a), .priority = -1,
			 .over_ram = true),
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows),
		.message = "broken: mmio 'vga' 0xa0000-0xbffff is declared to be over RAM, but has no "
			   "higher priority than ram 'ram' 0x0-0x3fffffff" });
}

static void test_a_row_that_sticks_out_of_its_parent(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		ROW_CONTAINER("pci", "memory", 0xc0000000, 64 * KiB, AT(struct board, b)),
		ROW_MMIO("bar", "pci", 60 * KiB, 8 * KiB, AT(struct board, a)),
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows),
		.message = "broken: mmio 'bar' 0xc000f000-0xc0010fff sticks out of its parent, container "
			   "'pci' 0xc0000000-0xc000ffff" });
}

static void test_a_parent_that_is_no_container(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		ROW_MMIO("chip", "memory", 0xfed00000, 8 * KiB, AT(struct board, b)),
		ROW_MMIO("block", "chip", 0, 4 * KiB, AT(struct board, a)),
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows),
		.message = "broken: mmio 'block' 0xfed00000-0xfed00fff: its parent is no container: mmio "
			   "'chip' 0xfed00000-0xfed01fff" });
}

static void test_a_parent_that_is_no_row(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		ROW_MMIO("hpet", "mmio", 0xfed00000, 4 * KiB, AT(struct board, a)),
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows),
		.message = "broken: mmio 'hpet' 0xfed00000-0xfed00fff: its parent 'mmio' is no row" });
}

static void test_two_rows_of_one_name(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		ROW_MMIO("hpet", "memory", 0xfed00000, 4 * KiB, AT(struct board, a)),
		ROW_MMIO("hpet", "memory", 0xfed10000, 4 * KiB, AT(struct board, b)),
	};

	(void)state;
	check(&(struct broken){ TABLE(rows),
				.message = "broken: mmio 'hpet' 0xfed00000-0xfed00fff and mmio 'hpet' "
					   "0xfed10000-0xfed10fff have the same name" });
}

static void test_two_rows_at_one_place_of_the_board(void **state)
{
	const struct region_row rows[] = {
		MEMORY,
		ROW_MMIO("hpet", "memory", 0xfed00000, 4 * KiB, AT(struct board, a)),
		ROW_MMIO("tpm", "memory", 0xfed40000, 4 * KiB, AT(struct board, a)),
	};

	(void)state;
	check(&(struct broken){
		TABLE(rows), .message = "broken: mmio 'hpet' 0xfed00000-0xfed00fff and mmio 'tpm' "
					"0xfed40000-0xfed40fff live at the same place in the board, 0x%x" });
}

static const struct region_row good_rows[] = { MEMORY, RAM };

static void test_a_dma_window_outside_ram(void **state)
{
	const struct dma_row rows[] = { DMA_ROW("all", 0, 2 * GiB, 0, MEM_READ_WRITE) };
	const struct dma_table dma = {
		.device = "edu", .requester = PCI_ID(0, 4, 0), .rows = rows, .count = 1
	};

	(void)state;
	check(&(struct broken){
		TABLE(good_rows), &dma, 1,
		"DMA of edu: window 'all' 0x0-0x7fffffff to 0x0-0x7fffffff leaves the RAM rows "
		"at 0x40000000, behind or before 'ram' 0x0-0x3fffffff" });
}

static void test_two_dma_windows_that_overlap(void **state)
{
	const struct dma_row rows[] = {
		DMA_ROW("low", 0, 2 * MiB, 0, MEM_READ),
		DMA_ROW("high", 1 * MiB, 4 * MiB, 16 * MiB, MEM_READ_WRITE),
	};
	const struct dma_table dma = {
		.device = "edu", .requester = PCI_ID(0, 4, 0), .rows = rows, .count = 2
	};

	(void)state;
	check(&(struct broken){ TABLE(good_rows), &dma, 1,
				"DMA of edu: window 'low' 0x0-0x1fffff to 0x0-0x1fffff and window 'high' "
				"0x100000-0x4fffff to 0x1000000-0x13fffff overlap" });
}

static void test_two_dma_tables_of_one_requester(void **state)
{
	const struct dma_row rows[] = { DMA_ROW("low", 0, 2 * MiB, 0, MEM_READ) };
	const struct dma_table dma[] = {
		{ .device = "edu", .requester = PCI_ID(0, 4, 0), .rows = rows, .count = 1 },
		{ .device = "disk", .requester = PCI_ID(0, 4, 0), .rows = rows, .count = 1 },
	};

	(void)state;
	check(&(struct broken){ TABLE(good_rows), dma, 2,
				"DMA of disk: its requester id 0x0020 is that of edu too" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_row_without_size),
		cmocka_unit_test(test_a_page_that_is_not_aligned),
		cmocka_unit_test(test_a_row_that_wraps),
		cmocka_unit_test(test_two_rows_of_equal_priority_that_overlap),
		cmocka_unit_test(test_an_alias_that_shows_itself),
		cmocka_unit_test(test_an_alias_of_what_its_target_does_not_have),
		cmocka_unit_test(test_an_alias_without_target),
		cmocka_unit_test(test_ram_beyond_what_the_machine_can_address),
		cmocka_unit_test(test_a_device_inside_ram),
		cmocka_unit_test(test_a_device_over_ram_that_does_not_win),
		cmocka_unit_test(test_a_row_that_sticks_out_of_its_parent),
		cmocka_unit_test(test_a_parent_that_is_no_container),
		cmocka_unit_test(test_a_parent_that_is_no_row),
		cmocka_unit_test(test_two_rows_of_one_name),
		cmocka_unit_test(test_two_rows_at_one_place_of_the_board),
		cmocka_unit_test(test_a_dma_window_outside_ram),
		cmocka_unit_test(test_two_dma_windows_that_overlap),
		cmocka_unit_test(test_two_dma_tables_of_one_requester),
	};

	return cmocka_run_group_tests_name("broken tables", tests, NULL, NULL);
}
