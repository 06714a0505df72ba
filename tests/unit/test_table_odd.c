// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tables that are wrong in more ways than one: whatever they say, the checkers and the printer end, and speak
 * of each row as far as it can be told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "iommu/window.h"
#include "mm/table.h"

struct heard {
	unsigned lines;
	char text[8000];
};

static void hear(void *to, const char *line)
{
	struct heard *heard = to;
	size_t length = strlen(heard->text);

	heard->lines++;
	snprintf(heard->text + length, sizeof(heard->text) - length, "%s\n", line);
}

static struct heard check(const struct region_row *rows, unsigned count)
{
	const struct region_table table = { .name = "odd", .rows = rows, .count = count };
	struct heard heard = { 0 };
	unsigned found = region_table_check(&table, 40, hear, &heard);

	assert_int_equal(found, heard.lines);
	/* Who only counts need not listen. */
	assert_int_equal(region_table_check(&table, 40, NULL, NULL), found);
	return heard;
}

static struct heard print(const struct region_row *rows, unsigned count)
{
	const struct region_table table = { .name = "odd", .rows = rows, .count = count };
	struct heard heard = { 0 };

	region_table_print(&table, hear, &heard);
	return heard;
}

#define assert_hears(heard, words) assert_non_null(strstr((heard).text, words))

#define ROOT(name_, at_)                                                              \
	{                                                                             \
		.name = (name_), .kind = REGION_CONTAINER, .last = ~0ull, .at = (at_) \
	}
#define ROW(kind_, name_, parent_, base_, last_, at_, ...)                                               \
	{                                                                                                \
		.name = (name_), .parent = (parent_), .kind = (kind_), .base = (base_), .last = (last_), \
		.at = (at_), __VA_ARGS__                                                                 \
	}

static void rows_without_a_name_are_told_by_their_place(void **state)
{
	static const struct region_row rows[] = {
		ROOT("memory", 0),
		ROW(REGION_MMIO, NULL, "memory", 0x1000, 0xfff, 8),
		ROW(REGION_MMIO, "", "memory", 0x1000, 0xfff, 16),
		ROW(REGION_CONTAINER, NULL, NULL, 0, 0xfff, 16),
		ROW(REGION_ALIAS, "view", "memory", 0x4000, 0xfff, 24, .target = "memory"),
	};
	const struct region_table table = { .name = "odd", .rows = rows, .count = ARRAY_SIZE(rows) };
	struct heard heard = check(rows, ARRAY_SIZE(rows));

	(void)state;
	assert_ptr_equal(region_table_find(&table, "view"), &rows[4]);
	assert_null(region_table_find(&table, "nobody"));
	assert_hears(heard, "odd: row 1, at offset 0x8 of the board, has no name\n");
	assert_hears(heard, "odd: row 2, at offset 0x10 of the board, has no name\n");
	assert_hears(heard, "odd: mmio '?' 0x1000-0x1fff and mmio '' 0x1000-0x1fff overlap in 'memory'");
	assert_hears(heard, "odd: mmio '' 0x1000-0x1fff and container '?' 0x0-0xfff live at the same place");
	assert_hears(heard, "odd: alias 'view' 0x4000-0x4fff shows itself");
	/* What has no name is not printed: nothing could be said of it. */
	heard = print(rows, ARRAY_SIZE(rows));
	assert_int_equal(heard.lines, 3);
}

static void aliases_of_nothing_lead_nowhere(void **state)
{
	static const struct region_row rows[] = {
		ROOT("memory", 0),
		ROW(REGION_ALIAS, "a", "memory", 0x1000, 0xfff, 8, .target = "b"),
		ROW(REGION_ALIAS, "b", "memory", 0x2000, 0xfff, 16, .target = "c"),
		ROW(REGION_ALIAS, "d", "memory", 0x3000, 0xfff, 24),
		ROW(REGION_ALIAS, "e", "memory", 0x4000, 0xfff, 32, .target = "a", .target_offset = 0x1000),
	};
	struct heard heard = check(rows, ARRAY_SIZE(rows));

	(void)state;
	assert_hears(heard, "odd: alias 'b' 0x2000-0x2fff: its target 'c' is no row\n");
	assert_hears(heard, "odd: alias 'd' 0x3000-0x3fff: its target '?' is no row\n");
	assert_hears(heard, "odd: alias 'e' 0x4000-0x4fff shows 0x1000-0x1fff of its target");
	heard = print(rows, ARRAY_SIZE(rows));
	assert_int_equal(heard.lines, 5);
	assert_hears(heard, " -> ? +0x0\n");
}

static void parents_in_a_circle_have_no_place(void **state)
{
	static const struct region_row rows[] = {
		ROOT("memory", 0),
		ROW(REGION_CONTAINER, "hen", "egg", 0, 0xffff, 8),
		ROW(REGION_CONTAINER, "egg", "hen", 0, 0xffff, 16),
		ROW(REGION_RAM, "ram", "hen", 0, 0xfff, 24),
		ROW(REGION_RAM, "more", "memory", 0, 0xfff, 32),
		ROW(REGION_MMIO, "device", "egg", 0, 0xfff, 40),
	};
	const struct region_table table = { .name = "odd", .rows = rows, .count = ARRAY_SIZE(rows) };
	struct heard heard = check(rows, ARRAY_SIZE(rows));
	u64 first, last;

	(void)state;
	assert_hears(heard, "odd: container 'hen' 0x0-0xffff: its parents go round in a circle");
	assert_hears(heard, "odd: mmio 'device' 0x0-0xfff: its parents go round in a circle");
	assert_false(region_table_range(&table, &rows[3], &first, &last));
	assert_true(region_table_range(&table, &rows[4], &first, &last));
	heard = print(rows, ARRAY_SIZE(rows));
	assert_int_equal(heard.lines, 2);
}

static void offsets_that_add_up_past_2_64_have_no_place(void **state)
{
	static const struct region_row rows[] = {
		ROOT("memory", 0),
		ROW(REGION_CONTAINER, "high", "memory", -0x1000ull, 0xfff, 8),
		ROW(REGION_MMIO, "device", "high", 0x2000, 0xfff, 16),
		ROW(REGION_MMIO, "end", "high", 0, 0x1fff, 24),
		ROW(REGION_RAM, "ram", "high", 0x4000, 0xfff, 32),
		ROW(REGION_RAM, "low", "memory", 0x4000, 0xfff, 40),
		ROW(REGION_MMIO, "wraps", "memory", -0x1000ull, 0x1fff, 48),
		/* Over the RAM of a container beside it. */
		ROW(REGION_CONTAINER, "box", "memory", 0x10000, 0xffff, 56),
		ROW(REGION_RAM, "boxed", "box", 0, 0xfff, 64),
		ROW(REGION_MMIO, "lid", "memory", 0x10000, 0xfff, 72),
	};
	const struct region_table table = { .name = "odd", .rows = rows, .count = ARRAY_SIZE(rows) };
	struct heard heard = check(rows, ARRAY_SIZE(rows));
	u64 first, last;

	(void)state;
	assert_hears(heard, "odd: mmio 'device' 0x2000-0x2fff sticks out of its parent");
	assert_hears(heard, "odd: mmio 'wraps' 0xfffffffffffff000-0xfff wraps past 2^64");
	assert_hears(heard,
		     "odd: mmio 'lid' 0x10000-0x10fff lies inside ram 'boxed' 0x10000-0x10fff, and is not "
		     "declared to be over RAM\n");
	assert_false(region_table_range(&table, &rows[2], &first, &last));
	assert_false(region_table_range(&table, &rows[3], &first, &last));
}

#define DEEP (REGION_DEPTH_MAX + 4)

static void deep_tables_are_printed_to_their_limit(void **state)
{
	struct region_row rows[DEEP] = { ROOT("0", 0) }, aliases[DEEP];
	char names[DEEP][4];
	struct heard heard;

	(void)state;
	for (unsigned i = 1; i < DEEP; i++) {
		snprintf(names[i], sizeof(names[i]), "%u", i);
		rows[i] = (struct region_row)ROW(REGION_CONTAINER, names[i], i > 1 ? names[i - 1] : "0", 0,
						 ~0ull, 8 * i);
	}
	for (unsigned i = 1; i < DEEP; i++)
		aliases[i - 1] = (struct region_row)ROW(REGION_ALIAS, names[i], "0", 0x1000ull * i, 0xfff,
							8 * i, .target = names[i + 1 < DEEP ? i + 1 : i]);
	heard = check(aliases, DEEP - 1);
	/* The last one shows itself; who is too far from it to see that has a parent that is no row, as all have. */
	assert_hears(heard, "odd: alias '35' 0x23000-0x23fff shows itself");
	assert_int_equal(heard.lines, DEEP);
	heard = print(rows, DEEP);
	assert_int_equal(heard.lines, REGION_DEPTH_MAX + 1);
	heard = check(rows, DEEP);
	assert_hears(
		heard,
		"odd: container '35' 0x0-0xffffffffffffffff: its parents go round in a circle, or too deep");
}

static void a_table_that_cannot_be_linked_is_not(void **state)
{
	struct {
		struct region memory, a, b, c;
	} board = { 0 };
	const struct region_row rows[] = {
		ROOT("memory", offsetof(__typeof__(board), memory)),
		ROW(REGION_RESERVED, "a", "memory", 0, 0xfff, offsetof(__typeof__(board), a)),
		ROW(REGION_RESERVED, "b", "nobody", 0, 0xfff, offsetof(__typeof__(board), b)),
		ROW(REGION_RESERVED, "c", "memory", 0, 0xfff, offsetof(__typeof__(board), c)),
	};
	const struct region_table table = { .name = "odd", .rows = rows, .count = ARRAY_SIZE(rows) };

	(void)state;
	assert_int_not_equal(region_table_build(&table, &board, 0, NULL, 0), 0);
	assert_null(board.memory.children);
	assert_null(board.a.parent);
}

static void windows_without_a_name_and_maps_without_ram(void **state)
{
	static const struct region_row rows[] = {
		ROOT("memory", 0),
		ROW(REGION_RAM, "lost", "nowhere", 0, 0xffff, 8),
	};
	static const struct region_row ram[] = {
		ROOT("memory", 0),
		ROW(REGION_RAM, "lost", "nowhere", 0, 0xfffff, 8),
		ROW(REGION_RAM, "short", "memory", 0, 0x7fff, 16),
		ROW(REGION_RAM, "long", "memory", 0, 0xffff, 24),
		ROW(REGION_RAM, "middle", "memory", 0, 0xbfff, 32),
	};
	static const struct dma_row windows[] = {
		{ .name = "", .last = 0xffff, .permission = MEM_READ },
		{ .last = 0xffff, .iova = 0x10000, .permission = MEM_READ },
	};
	const struct dma_table dma = { .device = "dev", .rows = windows, .count = 2 };
	const struct region_table none = { .name = "none", .rows = rows, .count = 2 };
	const struct region_table some = { .name = "some", .rows = ram, .count = 5 };
	struct heard heard = { 0 };

	(void)state;
	assert_int_equal(dma_table_check(&dma, 1, &none, hear, &heard), 4);
	assert_hears(heard, "DMA of dev: window '' 0x0-0xffff to 0x0-0xffff has no name\n");
	assert_hears(heard, "DMA of dev: window '?' 0x10000-0x1ffff to 0x0-0xffff: 'none' has no RAM rows\n");
	memset(&heard, 0, sizeof(heard));
	assert_int_equal(dma_table_check(&dma, 1, &some, hear, &heard), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_without_a_name_are_told_by_their_place),
		cmocka_unit_test(aliases_of_nothing_lead_nowhere),
		cmocka_unit_test(parents_in_a_circle_have_no_place),
		cmocka_unit_test(offsets_that_add_up_past_2_64_have_no_place),
		cmocka_unit_test(deep_tables_are_printed_to_their_limit),
		cmocka_unit_test(a_table_that_cannot_be_linked_is_not),
		cmocka_unit_test(windows_without_a_name_and_maps_without_ram),
	};

	return cmocka_run_group_tests_name("odd tables", tests, NULL, NULL);
}
