// SPDX-License-Identifier: BSD-2-Clause
/* The guest's memory map: sorted, disjoint, merged, and equal to a map of bytes painted one row after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/e820.h"

static void assert_row(const struct e820_map *map, unsigned i, u64 addr, u64 size, u32 type)
{
	assert_true(i < map->count);
	assert_int_equal(map->row[i].addr, addr);
	assert_int_equal(map->row[i].size, size);
	assert_int_equal(map->row[i].type, type);
}

static void test_rows_are_sorted_and_neighbours_of_one_type_merged(void **state)
{
	struct e820_map map = { .count = 0 };

	(void)state;
	assert_true(e820_add(&map, 0x3000, 0x1000, E820_RAM));
	assert_true(e820_add(&map, 0x1000, 0x1000, E820_RAM));
	assert_true(e820_add(&map, 0x5000, 0x1000, E820_ACPI));
	assert_true(e820_add(&map, 0x4000, 0x1000, E820_RESERVED));
	assert_int_equal(map.count, 4);
	assert_true(e820_add(&map, 0x2000, 0x1000, E820_RAM));
	assert_int_equal(map.count, 3);
	assert_row(&map, 0, 0x1000, 0x3000, E820_RAM);
	assert_row(&map, 1, 0x4000, 0x1000, E820_RESERVED);
	assert_row(&map, 2, 0x5000, 0x1000, E820_ACPI);
}

static void test_of_what_overlaps_the_larger_type_wins(void **state)
{
	struct e820_map map = { .count = 0 };

	(void)state;
	assert_true(e820_add(&map, 0x3000, 0x1000, E820_RESERVED));
	assert_true(e820_add(&map, 0x1000, 0x8000, E820_RAM)); /* around it */
	assert_int_equal(map.count, 3);
	assert_row(&map, 0, 0x1000, 0x2000, E820_RAM);
	assert_row(&map, 1, 0x3000, 0x1000, E820_RESERVED);
	assert_row(&map, 2, 0x4000, 0x5000, E820_RAM);
	assert_true(e820_add(&map, 0x3800, 0x1000, E820_NVS)); /* across an end */
	assert_int_equal(map.count, 4);
	assert_row(&map, 1, 0x3000, 0x800, E820_RESERVED);
	assert_row(&map, 2, 0x3800, 0x1000, E820_NVS);
	assert_row(&map, 3, 0x4800, 0x4800, E820_RAM);
}

static void test_the_ends_of_the_address_space_are_no_special_case(void **state)
{
	struct e820_map map = { .count = 0 };

	(void)state;
	assert_true(e820_add(&map, ~0ull, 1, E820_RAM));
	assert_true(e820_add(&map, 0, 1, E820_RAM));
	assert_true(e820_add(&map, ~0ull - 0xfff, 0x1000, E820_RESERVED));
	assert_int_equal(map.count, 2);
	assert_row(&map, 0, 0, 1, E820_RAM);
	assert_row(&map, 1, ~0ull - 0xfff, 0x1000, E820_RESERVED);
	/* All of it has a size that no row can hold. */
	assert_true(e820_add(&map, 0, ~0ull, E820_RESERVED));
	assert_int_equal(map.count, 2);
	assert_row(&map, 0, 0, ~0ull, E820_RESERVED);
	assert_row(&map, 1, ~0ull, 1, E820_RESERVED);
}

static void test_what_is_no_row_is_refused_and_changes_nothing(void **state)
{
	struct e820_map map = { .count = 0 }, before;

	(void)state;
	assert_true(e820_add(&map, 0x1000, 0x1000, E820_RAM));
	before = map;
	assert_false(e820_add(&map, 0x5000, 0, E820_RAM));
	assert_false(e820_add(&map, ~0ull, 2, E820_RAM));
	assert_false(e820_add(&map, 0x5000, 0x1000, 0));
	assert_false(e820_add(&map, 2, ~0ull, E820_RAM));
	assert_false(e820_add(&map, 0x5000, 0x1000, 6));
	assert_memory_equal(&map, &before, sizeof(map));
}

static void test_a_full_map_is_refused_another_row_but_not_a_merged_one(void **state)
{
	struct e820_map map = { .count = 0 }, before;

	(void)state;
	for (u64 i = 0; i < E820_ROWS_MAX; i++)
		assert_true(e820_add(&map, i * 0x2000, 0x1000, E820_UNUSABLE));
	before = map;
	assert_false(e820_add(&map, E820_ROWS_MAX * 0x2000, 0x1000, E820_UNUSABLE));
	assert_false(e820_add(&map, 0, ~0ull, E820_RAM)); /* twice as many rows: all the gaps */
	assert_memory_equal(&map, &before, sizeof(map));
	assert_true(e820_add(&map, 0x1000, 0x1000, E820_UNUSABLE));
	assert_int_equal(map.count, E820_ROWS_MAX - 1);
}

static void test_covers_means_all_of_it_in_one_row(void **state)
{
	struct e820_map map = { .count = 0 };

	(void)state;
	assert_true(e820_add(&map, 0x1000, 0x1000, E820_RAM));
	assert_true(e820_add(&map, 0x2000, 0x1000, E820_ACPI));
	assert_true(e820_covers(&map, 0x1000, 0x1000, E820_RAM));
	assert_true(e820_covers(&map, 0x1fff, 1, E820_RAM));
	assert_false(e820_covers(&map, 0x1fff, 2, E820_RAM));
	assert_false(e820_covers(&map, 0x1000, 0x1000, E820_ACPI));
	assert_false(e820_covers(&map, 0xfff, 1, E820_RAM));
	assert_false(e820_covers(&map, 0x1000, 0, E820_RAM));
	assert_false(e820_covers(&map, 0x1800, ~0ull, E820_RAM));
}

/* Random rows over 64 units, against an array with the type of each unit. */
static void test_any_sequence_of_rows_equals_painting_by_the_larger_type(void **state)
{
	(void)state;
	srand(1);
	for (unsigned round = 0; round < 2000; round++) {
		/* Half of the rounds at the top of the address space. */
		const u64 base = round % 2 ? ~0ull - 63 : 0;
		struct e820_map map = { .count = 0 };
		u32 paint[64] = { 0 };

		for (unsigned n = 0; n < 12; n++) {
			const unsigned first = (unsigned)rand() % 64,
				       size = 1 + (unsigned)rand() % (64 - first);
			const u32 type = 1 + (u32)rand() % 5;

			assert_true(e820_add(&map, base + first, size, type));
			for (unsigned i = first; i < first + size; i++)
				paint[i] = MAX(paint[i], type);
		}
		for (unsigned i = 0, row = 0; i < 64;) {
			unsigned end = i + 1;

			while (end < 64 && paint[end] == paint[i])
				end++;
			if (paint[i])
				assert_row(&map, row++, base + i, end - i, paint[i]);
			i = end;
			if (i == 64)
				assert_int_equal(map.count, row);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_sorted_and_neighbours_of_one_type_merged),
		cmocka_unit_test(test_of_what_overlaps_the_larger_type_wins),
		cmocka_unit_test(test_the_ends_of_the_address_space_are_no_special_case),
		cmocka_unit_test(test_what_is_no_row_is_refused_and_changes_nothing),
		cmocka_unit_test(test_a_full_map_is_refused_another_row_but_not_a_merged_one),
		cmocka_unit_test(test_covers_means_all_of_it_in_one_row),
		cmocka_unit_test(test_any_sequence_of_rows_equals_painting_by_the_larger_type),
	};

	return cmocka_run_group_tests_name("e820", tests, NULL, NULL);
}
