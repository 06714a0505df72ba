// SPDX-License-Identifier: BSD-2-Clause
/* What a device remembers of pages behind IOMMU regions: that it does, and above all when it forgets. */
#include "mm/dirty.h"
#include "mm/iommu_cache.h"
#include "tests/unit/iommu_rig.h"

struct fixture {
	struct dma_rig d;
	struct iommu_cache cache;
	u8 bytes[4 * PAGE_SIZE];
};

static int setup(void **state)
{
	struct fixture *f = aligned_alloc(PAGE_SIZE, ALIGN_UP(sizeof(*f), PAGE_SIZE));

	assert_non_null(f);
	memset(f, 0, sizeof(*f));
	dma_rig_init(&f->d);
	for (unsigned i = 0; i < 0x8000; i++)
		f->d.memory[i] = (u8)(i * 7 + i / 4096);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	dma_rig_destroy(&f->d);
	free(f);
	return 0;
}

static enum mem_result load(struct fixture *f, u64 iova, u64 length)
{
	memset(f->bytes, 0x5a, sizeof(f->bytes));
	return iommu_cache_read(&f->d.dma, &f->cache, iova, f->bytes, length);
}

static enum mem_result store(struct fixture *f, u64 iova, const char *text)
{
	return iommu_cache_write(&f->d.dma, &f->cache, iova, text, strlen(text));
}

static void a_page_is_translated_once(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(load(f, 0x1000 + 40 * i, 40), MEM_OK);
		assert_memory_equal(f->bytes, f->d.memory + 0x1000 + 40 * i, 40);
	}
	assert_int_equal(f->d.flat.translations, 1);
	assert_int_equal(f->d.flat.iommu.remembered, 99);
}

static void a_transfer_over_pages_goes_by_them(void **state)
{
	struct fixture *f = *state;

	f->d.flat.page[2] = 0x6000 | MEM_READ_WRITE;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(load(f, 0x1f00, 0x2200), MEM_OK);
		assert_memory_equal(f->bytes, f->d.memory + 0x1f00, 0x100);
		assert_memory_equal(f->bytes + 0x100, f->d.memory + 0x6000, 0x1000);
		assert_memory_equal(f->bytes + 0x1100, f->d.memory + 0x3000, 0x1000);
		assert_memory_equal(f->bytes + 0x2100, f->d.memory + 0x4000, 0x100);
	}
	assert_int_equal(f->d.flat.translations, 4);
	assert_int_equal(store(f, 0x2ffe, "abcd"), MEM_OK);
	assert_memory_equal(f->d.memory + 0x6ffe, "ab", 2);
	assert_memory_equal(f->d.memory + 0x3000, "cd", 2);
}

static void an_invalidation_forgets(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, 0x1000, 8), MEM_OK);
	f->d.flat.page[1] = 0x5000 | MEM_READ_WRITE;
	assert_int_equal(load(f, 0x1000, 8), MEM_OK);
	assert_memory_equal(f->bytes, f->d.memory + 0x1000, 8);
	iommu_invalidate(&f->d.flat.iommu, 0x1000, 0x1fff);
	assert_int_equal(load(f, 0x1000, 8), MEM_OK);
	assert_memory_equal(f->bytes, f->d.memory + 0x5000, 8);
	f->d.flat.page[1] = 0;
	iommu_invalidate(&f->d.flat.iommu, 0x1000, 0x1fff);
	assert_int_equal(load(f, 0x1000, 8), MEM_ACCESS_ERROR);
	assert_int_equal(f->bytes[0], 0xff);
	assert_fault(&f->d.flat, 0, 0x1000, 8, MEM_READ, IOMMU_FAULT_NOT_MAPPED);
}

static void a_change_of_the_map_forgets(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, 0x1000, 8), MEM_OK);
	assert_int_equal(store(f, 0x1000, "x"), MEM_OK);
	region_set_readonly(&f->d.ram, true);
	assert_int_equal(load(f, 0x1000, 8), MEM_OK);
	assert_int_equal(store(f, 0x1000, "y"), MEM_ACCESS_ERROR);
	assert_int_equal(f->d.memory[0x1000], 'x');
	region_set_enabled(&f->d.ram, false);
	assert_int_not_equal(load(f, 0x1000, 8), MEM_OK);
	region_set_enabled(&f->d.ram, true);
	assert_int_equal(load(f, 0x1000, 8), MEM_OK);
	region_set_enabled(&f->d.flat.iommu.region, false);
	assert_int_equal(load(f, 0x1000, 8), MEM_DECODE_ERROR);
	region_set_enabled(&f->d.flat.iommu.region, true);
}

static void what_was_read_may_not_be_written_for_that(void **state)
{
	struct fixture *f = *state;

	f->d.flat.page[1] = 0x1000 | MEM_READ;
	assert_int_equal(load(f, 0x1000, 8), MEM_OK);
	assert_int_equal(store(f, 0x1000, "x"), MEM_ACCESS_ERROR);
	assert_fault(&f->d.flat, 0, 0x1000, 1, MEM_WRITE, IOMMU_FAULT_NOT_PERMITTED);
	assert_int_equal(load(f, 0x1000, 8), MEM_OK);
	f->d.flat.page[1] = 0x1000 | MEM_WRITE;
	iommu_invalidate(&f->d.flat.iommu, 0, ~0ull);
	assert_int_equal(store(f, 0x1000, "x"), MEM_OK);
	assert_int_equal(load(f, 0x1000, 8), MEM_ACCESS_ERROR);
	assert_int_equal(f->d.flat.faults, 2);
}

static void what_is_denied_is_asked_for_each_time(void **state)
{
	struct fixture *f = *state;

	f->d.flat.page[1] = 0;
	assert_int_equal(load(f, 0x1000, 8), MEM_ACCESS_ERROR);
	assert_int_equal(load(f, 0x1000, 8), MEM_ACCESS_ERROR);
	assert_int_equal(f->d.flat.faults, 2);
	/* Once it is there nobody needs to say so. */
	f->d.flat.page[1] = 0x3000 | MEM_READ_WRITE;
	assert_int_equal(load(f, 0x1000, 8), MEM_OK);
	assert_memory_equal(f->bytes, f->d.memory + 0x3000, 8);
}

/* A page in the middle is denied: its neighbours are read, and it is told of once. */
static void what_is_denied_denies_no_more_than_itself(void **state)
{
	struct fixture *f = *state;

	f->d.flat.page[2] = 0;
	assert_int_equal(load(f, 0x1ff0, 0x1020), MEM_ACCESS_ERROR);
	assert_memory_equal(f->bytes, f->d.memory + 0x1ff0, 0x10);
	assert_int_equal(f->bytes[0x10], 0xff);
	assert_int_equal(f->bytes[0x100f], 0xff);
	assert_memory_equal(f->bytes + 0x1010, f->d.memory + 0x3000, 0x10);
	assert_int_equal(f->d.flat.faults, 1);
}

static void devices_and_rom_are_not_memory(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(load(f, 0x8000, 4), MEM_OK);
		assert_int_equal(f->d.probe.calls, i);
		assert_int_equal(load(f, 0x9000, 4), MEM_OK);
		assert_int_equal(store(f, 0x9000, "x"), MEM_ACCESS_ERROR);
	}
}

/* Behind one that may change its mind without the first one's knowing, nothing is remembered. */
static void only_the_first_of_a_chain_may_change(void **state)
{
	struct fixture *f = *state;
	struct flat_iommu front;
	struct address_space dma;

	flat_init(&front, &f->d.dma);
	for (unsigned i = 0; i < FLAT_PAGES; i++)
		front.page[i] = i * PAGE_SIZE | MEM_READ_WRITE;
	assert_int_equal(as_init(&dma, &f->d.rig.core, "front", &front.iommu.region, UNCLAIMED_ZEROS), 0);
	assert_int_equal(iommu_cache_read(&dma, &f->cache, 0x1000, f->bytes, 8), MEM_OK);
	f->d.flat.page[1] = 0x5000 | MEM_READ_WRITE;
	iommu_invalidate(&f->d.flat.iommu, 0x1000, 0x1fff);
	assert_int_equal(iommu_cache_read(&dma, &f->cache, 0x1000, f->bytes, 8), MEM_OK);
	assert_memory_equal(f->bytes, f->d.memory + 0x5000, 8);
	assert_int_equal(front.iommu.remembered, 0);
	f->d.flat.iommu.fixed = true;
	assert_int_equal(iommu_cache_read(&dma, &f->cache, 0x1000, f->bytes, 8), MEM_OK);
	assert_int_equal(iommu_cache_read(&dma, &f->cache, 0x1000, f->bytes, 8), MEM_OK);
	assert_int_equal(front.iommu.remembered, 1);
	as_destroy(&dma);
}

static void writes_are_logged(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store(f, 0x1000, "x"), MEM_OK);
	assert_int_equal(region_dirty_start(&f->d.ram, 0), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(store(f, 0x1000, "x"), MEM_OK);
		assert_int_equal(region_dirty_snapshot(&f->d.ram, 0, 0, 0x8000, NULL), 1);
	}
	region_dirty_stop(&f->d.ram, 0);
	region_dirty_free(&f->d.ram);
}

static void the_end_of_addresses_is_the_end(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, ~0ull - 3, 8) & MEM_DECODE_ERROR, MEM_DECODE_ERROR);
	assert_int_equal(load(f, 0, 0), MEM_OK);
	assert_int_equal(f->bytes[0], 0x5a);
	assert_int_equal(f->d.flat.faults, 0);
}

/* No region that translates: an access like any other. */
static void a_space_without_regions_that_translate(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(iommu_cache_write(&f->d.rig.as, &f->cache, 0x1ffe, "abcd", 4), MEM_OK);
	assert_int_equal(iommu_cache_read(&f->d.rig.as, &f->cache, 0x1ffe, f->bytes, 4), MEM_OK);
	assert_memory_equal(f->bytes, "abcd", 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_page_is_translated_once),
		TEST(a_transfer_over_pages_goes_by_them),
		TEST(an_invalidation_forgets),
		TEST(a_change_of_the_map_forgets),
		TEST(what_was_read_may_not_be_written_for_that),
		TEST(what_is_denied_is_asked_for_each_time),
		TEST(what_is_denied_denies_no_more_than_itself),
		TEST(devices_and_rom_are_not_memory),
		TEST(only_the_first_of_a_chain_may_change),
		TEST(writes_are_logged),
		TEST(the_end_of_addresses_is_the_end),
		TEST(a_space_without_regions_that_translate),
	};

	return cmocka_run_group_tests_name("iommu cache", tests, NULL, NULL);
}
