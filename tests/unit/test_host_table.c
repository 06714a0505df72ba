// SPDX-License-Identifier: BSD-2-Clause
/* The hypervisor's page tables and the pool that their pages come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/host_table.h"

#define POOL_PAGES 64u
#define KINDS	   (HOST_PTE_RW | HOST_PTE_XD | HOST_PTE_PCD | HOST_PTE_PWT)

struct fixture {
	u8 *memory;
	struct page_pool pool;
	struct host_table table;
};

static int setup_with(void **state, bool pages_1g)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->memory = aligned_alloc(PAGE_SIZE, POOL_PAGES * PAGE_SIZE);
	memset(f->memory, 0xcc, POOL_PAGES * PAGE_SIZE);
	page_pool_init(&f->pool, f->memory, POOL_PAGES);
	assert_true(host_table_init(&f->table, &f->pool, pages_1g));
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, true);
}

static int setup_no_1g(void **state)
{
	return setup_with(state, false);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->memory);
	free(f);
	return 0;
}

/* Every page of the range is mapped on itself, with just these kinds. */
static void expect(const struct fixture *f, u64 first, u64 last, u64 kinds)
{
	u64 size;

	for (u64 at = first; at <= last; at = ALIGN_DOWN(at, size) + size) {
		u64 entry = host_table_entry(&f->table, at, &size);

		assert_true(entry & HOST_PTE_P);
		assert_int_equal(entry & HOST_PTE_ADDR, ALIGN_DOWN(at, size));
		assert_int_equal(entry & KINDS, kinds);
	}
}

static void expect_nothing(const struct fixture *f, u64 address)
{
	u64 size;

	assert_int_equal(host_table_entry(&f->table, address, &size), 0);
}

static void test_starts_empty(void **state)
{
	struct fixture *f = *state;

	expect_nothing(f, 0);
	expect_nothing(f, 0x1000);
	expect_nothing(f, HOST_ADDRESS_LIMIT - 1);
	expect_nothing(f, HOST_ADDRESS_LIMIT);
	expect_nothing(f, ~0ull);
}

static void test_access_becomes_bits(void **state)
{
	struct fixture *f = *state;

	assert_true(host_table_map(&f->table, 0x1000, PAGE_SIZE, HOST_READ));
	assert_true(host_table_map(&f->table, 0x2000, PAGE_SIZE, HOST_WRITE));
	assert_true(host_table_map(&f->table, 0x3000, PAGE_SIZE, HOST_EXEC));
	assert_true(host_table_map(&f->table, 0x4000, PAGE_SIZE, HOST_WRITE | HOST_DEVICE));
	expect_nothing(f, 0x0fff);
	expect(f, 0x1000, 0x1fff, HOST_PTE_XD);
	expect(f, 0x2000, 0x2fff, HOST_PTE_XD | HOST_PTE_RW);
	expect(f, 0x3000, 0x3fff, 0);
	expect(f, 0x4000, 0x4fff, HOST_PTE_XD | HOST_PTE_RW | HOST_PTE_PCD | HOST_PTE_PWT);
	expect_nothing(f, 0x5000);
}

static void test_largest_pages_that_fit(void **state)
{
	struct fixture *f = *state;
	u64 size;

	assert_true(host_table_map(&f->table, GiB - 2 * MiB - PAGE_SIZE,
				   PAGE_SIZE + 2 * MiB + GiB + PAGE_SIZE, HOST_WRITE));
	expect(f, GiB - 2 * MiB - PAGE_SIZE, 2 * GiB + PAGE_SIZE - 1, HOST_PTE_XD | HOST_PTE_RW);
	expect_nothing(f, GiB - 2 * MiB - PAGE_SIZE - 1);
	expect_nothing(f, 2 * GiB + PAGE_SIZE);
	host_table_entry(&f->table, GiB - 2 * MiB - 1, &size);
	assert_int_equal(size, PAGE_SIZE);
	host_table_entry(&f->table, GiB - 1, &size);
	assert_int_equal(size, 2 * MiB);
	host_table_entry(&f->table, GiB, &size);
	assert_int_equal(size, GiB);
}

static void test_no_1g_pages_where_the_cpu_has_none(void **state)
{
	struct fixture *f = *state;
	u64 size;

	assert_true(host_table_map(&f->table, GiB, GiB, HOST_WRITE));
	expect(f, GiB, 2 * GiB - 1, HOST_PTE_XD | HOST_PTE_RW);
	host_table_entry(&f->table, GiB, &size);
	assert_int_equal(size, 2 * MiB);
}

static void test_hole_splits_large_pages(void **state)
{
	struct fixture *f = *state;

	assert_true(host_table_map(&f->table, 0, 2 * GiB, HOST_WRITE));
	assert_true(host_table_map(&f->table, GiB + 5 * PAGE_SIZE, PAGE_SIZE, HOST_NONE));
	expect(f, 0, GiB + 5 * PAGE_SIZE - 1, HOST_PTE_XD | HOST_PTE_RW);
	expect_nothing(f, GiB + 5 * PAGE_SIZE);
	expect(f, GiB + 6 * PAGE_SIZE, 2 * GiB - 1, HOST_PTE_XD | HOST_PTE_RW);
}

static void test_change_of_access_keeps_the_neighbours(void **state)
{
	struct fixture *f = *state;

	assert_true(host_table_map(&f->table, 0, GiB, HOST_WRITE | HOST_DEVICE));
	assert_true(host_table_map(&f->table, 3 * MiB, 4 * MiB, HOST_READ));
	expect(f, 0, 3 * MiB - 1, KINDS);
	expect(f, 3 * MiB, 7 * MiB - 1, HOST_PTE_XD);
	expect(f, 7 * MiB, GiB - 1, KINDS);
	/* and a range over all of it, tables below or not */
	assert_true(host_table_map(&f->table, 0, GiB, HOST_EXEC));
	expect(f, 0, GiB - 1, 0);
}

static void test_range_grows_to_page_borders(void **state)
{
	struct fixture *f = *state;

	assert_true(host_table_map(&f->table, 0x1fff, 2, HOST_READ));
	expect_nothing(f, 0x0fff);
	expect(f, 0x1000, 0x2fff, HOST_PTE_XD);
	expect_nothing(f, 0x3000);
	assert_true(host_table_map(&f->table, 0x9000, 0, HOST_READ));
	expect_nothing(f, 0x9000);
}

static void test_addresses_above_512_gib(void **state)
{
	struct fixture *f = *state;
	u64 high = 3 * TiB + 5 * GiB;

	assert_true(host_table_map(&f->table, high, 2 * MiB, HOST_WRITE));
	expect(f, high, high + 2 * MiB - 1, HOST_PTE_XD | HOST_PTE_RW);
	expect_nothing(f, high - 1);
	assert_true(host_table_map(&f->table, HOST_ADDRESS_LIMIT - PAGE_SIZE, PAGE_SIZE, HOST_READ));
	expect(f, HOST_ADDRESS_LIMIT - PAGE_SIZE, HOST_ADDRESS_LIMIT - 1, HOST_PTE_XD);
}

static void test_beyond_the_limit_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_false(host_table_map(&f->table, HOST_ADDRESS_LIMIT, 1, HOST_READ));
	assert_false(host_table_map(&f->table, HOST_ADDRESS_LIMIT - PAGE_SIZE, PAGE_SIZE + 1, HOST_READ));
	assert_false(host_table_map(&f->table, 0x1000, ~0ull, HOST_READ));
	assert_false(host_table_map(&f->table, ~0ull, 1, HOST_READ));
	expect_nothing(f, 0x1000);
	expect_nothing(f, HOST_ADDRESS_LIMIT - PAGE_SIZE);
}

static void test_empty_pool_is_told(void **state)
{
	struct fixture *f = *state;

	/* each range costs three tables of its own */
	for (u64 i = 0; i < (POOL_PAGES - 1) / 3; i++)
		assert_true(host_table_map(&f->table, i * 512 * GiB, PAGE_SIZE, HOST_READ));
	assert_false(host_table_map(&f->table, 100 * 512 * GiB, PAGE_SIZE, HOST_READ));
	assert_int_equal(f->pool.used, POOL_PAGES);
}

static void test_pool_gives_zeroed_pages_once(void **state)
{
	struct fixture *f = *state;
	u8 *page[POOL_PAGES + 1];
	unsigned count = 0;

	page_pool_init(&f->pool, f->memory, POOL_PAGES);
	while ((page[count] = page_alloc(&f->pool))) {
		for (unsigned i = 0; i < PAGE_SIZE; i++)
			assert_int_equal(page[count][i], 0);
		/* marks the page: handing it out twice would show as a page that is not zero */
		memset(page[count], 0xee, PAGE_SIZE);
		count++;
		assert_true(count <= POOL_PAGES);
	}
	assert_int_equal(count, POOL_PAGES);
	page_free(&f->pool, NULL);
	assert_null(page_alloc(&f->pool));
	page_free(&f->pool, page[7]);
	page_free(&f->pool, page[3]);
	assert_int_equal(f->pool.used, POOL_PAGES - 2);
	for (unsigned n = 0; n < 2; n++) {
		u8 *again = page_alloc(&f->pool);

		assert_true(again == page[3] || again == page[7]);
		for (unsigned i = 0; i < PAGE_SIZE; i++)
			assert_int_equal(again[i], 0);
		again[0] = 1;
	}
	assert_null(page_alloc(&f->pool));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_starts_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_access_becomes_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_largest_pages_that_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_1g_pages_where_the_cpu_has_none, setup_no_1g,
						teardown),
		cmocka_unit_test_setup_teardown(test_hole_splits_large_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_change_of_access_keeps_the_neighbours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_range_grows_to_page_borders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses_above_512_gib, setup, teardown),
		cmocka_unit_test_setup_teardown(test_beyond_the_limit_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_pool_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pool_gives_zeroed_pages_once, setup, teardown),
	};

	return cmocka_run_group_tests_name("host_table", tests, NULL, NULL);
}
