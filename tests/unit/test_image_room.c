// SPDX-License-Identifier: BSD-2-Clause
/* Guests with too little memory, or too scattered: whatever finds no room first is named, and nothing is written elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/image_fixture.h"

static struct fixture f;

static void shrink_low_memory(enum made_image kind)
{
	bool loaded = false;
	unsigned refused = 0;

	fixture_init(&f, kind);
	f.request.acpi = NULL; /* of which multiboot has a part at a fixed place */
	if (kind != MADE_LINUX) {
		f.request.module_count = 2;
		f.modules[0].argument = "first";
		f.modules[1] = (struct image_module){ f.initrd, 1, "second" };
	}
	for (u64 size = 0x10000; size < 0x1a000; size += 8) {
		f.ram[0].size = size;
		if (fixture_load(&f)) {
			loaded = true;
			continue;
		}
		assert_false(loaded); /* more memory is never worse */
		assert_int_equal(strncmp(f.error.text, "no room for ", 12), 0);
		refused++;
		/* Nothing behind the end. */
		for (u64 i = size; i < size + 64; i++)
			assert_int_equal(((u8 *)f.ram[0].host)[i], 0xee);
	}
	assert_true(loaded && refused > 10);
	fixture_free(&f);
}

static void test_whatever_finds_no_low_memory_is_named(void **state)
{
	(void)state;
	for (unsigned kind = MADE_LINUX; kind <= MADE_FLAT; kind++)
		shrink_low_memory(kind);
}

static void test_whatever_finds_no_high_memory_is_named(void **state)
{
	static const struct {
		enum made_image kind;
		u64 start, end; /* of what the image itself needs */
	} cases[] = { { MADE_LINUX, MADE_LINUX_KERNEL, MADE_LINUX_KERNEL + MADE_LINUX_INIT_SIZE },
		      { MADE_PVH, 0x1000000, 0x1004000 },
		      { MADE_MULTIBOOT, 0x400000, 0x402000 },
		      { MADE_FLAT, MiB, 0x101000 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		fixture_init(&f, cases[i].kind);
		/* Leave nothing free between 1 MiB and the image. */
		const struct e820_row rest = { MiB, cases[i].start - MiB, E820_RESERVED };

		f.request.reserved = &rest;
		f.request.reserved_count = rest.size != 0;
		f.ram[1].size = cases[i].end - MiB;
		assert_false(fixture_load(&f));
		assert_non_null(strstr(f.error.text, "no room for ACPI tables: found no 32768 free bytes"));
		f.ram[1].size += ACPI_TABLES_MAX;
		assert_false(fixture_load(&f));
		assert_non_null(strstr(f.error.text, "no room for initrd: found no 5000 free bytes"));
		f.ram[1].size += 2 * PAGE_SIZE;
		assert_true(fixture_load(&f));
		fixture_free(&f);
	}
}

/* 62 more ranges: RAM that alternates with holes, so that every one is a row of the map. */
static void test_a_map_without_room_for_another_row_is_refused(void **state)
{
	static struct guest_ram ram[80];
	static u8 page[PAGE_SIZE];

	(void)state;
	fixture_init(&f, MADE_FLAT);
	ram[0] = f.ram[0];
	ram[1] = f.ram[1];
	f.memory.ram = ram;
	for (unsigned count = 2; count < ARRAY_SIZE(ram); count++) {
		ram[count] = (struct guest_ram){ 8 * GiB + count * 2 * PAGE_SIZE, PAGE_SIZE, page };
		f.memory.count = count + 1;
		/* One row each, one for the ACPI tables, one for the BIOS data area with the hole above it. */
		assert_int_equal(fixture_load(&f), count + 1 + 2 <= E820_ROWS_MAX);
	}
	assert_string_equal(f.error.text,
			    "the memory map has an empty or wrapping row, or more than 64 rows");
	f.memory.count = E820_ROWS_MAX;
	f.request.reserved_count = 0;
	assert_false(fixture_load(&f));
	assert_string_equal(f.error.text, "no room for the ACPI tables in the memory map of 64 rows");
	f.memory.count = E820_ROWS_MAX - 1;
	assert_false(fixture_load(&f));
	assert_string_equal(f.error.text, "no room for the BIOS data area in the memory map of 64 rows");
	fixture_free(&f);
}

/* A piece never spans two ranges, even if the guest sees no seam; and the kernel must lie in one. */
static void test_pieces_do_not_span_ranges(void **state)
{
	struct guest_ram ram[3];

	(void)state;
	fixture_init(&f, MADE_LINUX);
	ram[0] = f.ram[0];
	ram[1] = (struct guest_ram){ MiB, 32 * MiB - 0x1000, f.ram[1].host };
	ram[2] = (struct guest_ram){ 33 * MiB - 0x1000, 0x2000, (u8 *)f.ram[1].host + 40 * MiB };
	f.memory = (struct guest_memory){ ram, 3 };
	assert_true(fixture_load(&f));
	/* The initrd fits into the upper range; the tables, which come first, do not. */
	assert_int_equal(fixture_get(&f, f.entry.state.rsi + 0x218, 4), 33 * MiB - 0x1000);
	assert_true(fixture_get(&f, f.entry.state.rsi + 0x70, 8) < 33 * MiB - 0x1000);
	made_put(f.kernel, 0x258, 0x1a00000, 8);
	made_put(f.kernel, 0x260, 33 * MiB - 0x1a00000, 4);
	assert_false(fixture_load(&f));
	assert_non_null(strstr(f.error.text, "which are not all RAM"));
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whatever_finds_no_low_memory_is_named),
		cmocka_unit_test(test_whatever_finds_no_high_memory_is_named),
		cmocka_unit_test(test_a_map_without_room_for_another_row_is_refused),
		cmocka_unit_test(test_pieces_do_not_span_ranges),
	};

	return cmocka_run_group_tests_name("image: room", tests, NULL, NULL);
}
