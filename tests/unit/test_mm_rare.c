// SPDX-License-Identifier: BSD-2-Clause
/*
 * What hardly ever happens to the memory core: memory runs out, views grow beyond all bounds, somebody
 * invalidates in the middle of a mapping, two CPUs want one lock. tests/mm.mk links this program with --wrap
 * for the allocation functions.
 */
#include "tests/unit/mm_rig.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "mm/dirty.h"
#include "mm/map.h"
#include "mm/spin.h"

/*
 * ---- memory runs out
 * ----------------------------------------------------------------------------------------
 */

static int allocations_left = -1; /* below 0: as many as you like */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool may_allocate(void)
{
	if (allocations_left < 0)
		return true;
	if (allocations_left == 0)
		return false;
	allocations_left--;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
	return may_allocate() ? __real_realloc(memory, size) : NULL;
}

static void test_a_space_is_not_made_without_memory(void **state)
{
	struct address_space as;
	struct mem_core core;
	struct region root;

	(void)state;
	mem_core_init(&core);
	region_init_container(&root, "root", REGION_SIZE_WHOLE);
	/* The spans, the rest of the scratch memory, the view. */
	for (int left = 0; left < 3; left++) {
		struct mem_core fresh;

		mem_core_init(&fresh);
		allocations_left = left;
		assert_int_equal(as_init(&as, &fresh, "as", &root, UNCLAIMED_ONES), -ENOMEM);
		allocations_left = -1;
		assert_null(root.spaces);
		mem_core_destroy(&fresh);
	}
	assert_int_equal(as_init(&as, &core, "as", &root, UNCLAIMED_ONES), 0);
	as_destroy(&as);
	mem_core_destroy(&core);
}

static void test_a_commit_without_memory_keeps_the_old_view_and_the_next_one_makes_up_for_it(void **state)
{
	static u8 memory[64];
	struct address_space as;
	struct region root, ram;
	struct mem_core core;

	(void)state;
	mem_core_init(&core);
	region_init_container(&root, "root", REGION_SIZE_WHOLE);
	region_init_ram(&ram, "ram", sizeof(memory), memory);
	assert_int_equal(as_init(&as, &core, "as", &root, UNCLAIMED_ONES), 0);
	mem_transaction_begin(&core);
	assert_int_equal(region_add(&root, 0, &ram, 0), 0);
	allocations_left = 0;
	assert_int_equal(mem_transaction_commit(&core), -ENOMEM);
	allocations_left = -1;
	assert_int_equal(as_view(&as)->count, 1);
	mem_transaction_begin(&core);
	assert_int_equal(mem_transaction_commit(&core), 0);
	assert_int_equal(as_view(&as)->count, 2);
	as_destroy(&as);
	region_remove(&ram);
	mem_core_destroy(&core);
}

static void test_a_dirty_log_without_memory_logs_nothing(void **state)
{
	static u8 memory[PAGE_SIZE];
	struct region ram;

	(void)state;
	region_init_ram(&ram, "ram", sizeof(memory), memory);
	allocations_left = 0;
	assert_int_equal(region_dirty_start(&ram, 0), -ENOMEM);
	allocations_left = 1;
	assert_int_equal(region_dirty_start(&ram, 0), -ENOMEM);
	allocations_left = -1;
	assert_int_equal(region_dirty_snapshot(&ram, 0, 0, PAGE_SIZE, NULL), 0);
	assert_int_equal(region_dirty_start(&ram, 0), 0);
	region_destroy(&ram);
}

/*
 * ---- too much of it
 * -----------------------------------------------------------------------------------------
 */

static int build_many(unsigned count)
{
	struct region *many = calloc(count, sizeof(*many)), root;
	struct address_space as;
	struct mem_core core;
	static u8 byte;
	int error;

	assert_non_null(many);
	mem_core_init(&core);
	region_init_container(&root, "root", REGION_SIZE_WHOLE);
	for (unsigned i = 0; i < count; i++) { /* downwards: each one is first in its list */
		region_init_ram(&many[i], "one of many", 1, &byte);
		assert_int_equal(region_add_overlapping(&root, 2ull * (count - i), &many[i], 0), 0);
	}
	error = as_init(&as, &core, "as", &root, UNCLAIMED_ONES);
	if (!error) {
		for (unsigned i = 0; i < count; i += 997)
			assert_ptr_equal(flatview_lookup(as_view(&as), 2ull * (count - i))->region, &many[i]);
		as_destroy(&as);
	}
	for (unsigned i = count; i-- > 0;)
		region_remove(&many[i]);
	mem_core_destroy(&core);
	free(many);
	return error;
}

static void test_a_view_has_at_most_65535_sections(void **state)
{
	(void)state;
	assert_int_equal(build_many(FLATVIEW_SECTIONS_MAX / 2), 0);
	assert_int_equal(build_many(FLATVIEW_SECTIONS_MAX / 2 + 1), -E2BIG);
	assert_int_equal(build_many(FLATVIEW_SECTIONS_MAX / 2 + 2), -E2BIG);
}

#define FANS  10
#define BLADE 4

/* Each container shows the one before it four times: a million ways from the last one down to the first. */
static void test_aliases_that_multiply_are_refused_and_the_view_stays(void **state)
{
	struct region fan[FANS], blade[FANS][BLADE];
	struct address_space as;
	struct mem_core core;
	int errors = 0;

	(void)state;
	mem_core_init(&core);
	for (int i = 0; i < FANS; i++)
		region_init_container(&fan[i], "fan", BIT(40));
	assert_int_equal(as_init(&as, &core, "as", &fan[FANS - 1], UNCLAIMED_ONES), 0);
	for (int i = 0; i < FANS; i++)
		for (int j = 0; j < BLADE; j++) {
			/* The middle comes last: each half is small. */
			int at = (i + FANS / 2 + 1) % FANS;

			if (at == 0)
				continue;
			region_init_alias(&blade[at][j], "blade", BIT(20), &fan[at - 1], 0);
			errors |= region_add_overlapping(&fan[at], 0, &blade[at][j], 0);
		}
	region_set_unclaimed(&fan[0], UNCLAIMED_ZEROS);
	(void)errors; /* where in the tree it becomes too much is not said */
	assert_int_equal(flatview_lookup(as_view(&as), 0)->unclaimed, UNCLAIMED_ONES);
	for (int at = 1; at < FANS; at++)
		for (int j = 0; j < BLADE; j++)
			region_remove(&blade[at][j]);
	as_destroy(&as);
	mem_core_destroy(&core);
}

/* The same from below: what is added last has too many ways down. */
static void test_what_leads_down_in_too_many_ways_is_refused(void **state)
{
	struct region fan[FANS], blade[FANS][BLADE];
	int error = 0, at = 0;

	(void)state;
	for (int i = 0; i < FANS; i++)
		region_init_container(&fan[i], "fan", BIT(40));
	while (!error && ++at < FANS) {
		for (int j = 0; j < BLADE && !error; j++) {
			region_init_alias(&blade[at][j], "blade", BIT(20), &fan[at - 1], 0);
			error = region_add_overlapping(&fan[at], 0, &blade[at][j], 0);
		}
	}
	assert_int_equal(error, -ELOOP);
	assert_true(at > FANS / 2);
}

static void test_what_an_alias_of_an_alias_shows_past_2_64_is_nothing(void **state)
{
	struct region root, target, inner, outer;
	struct address_space as;
	struct mem_core core;

	(void)state;
	mem_core_init(&core);
	region_init_container(&root, "root", REGION_SIZE_WHOLE);
	region_init_reserved(&target, "target", REGION_SIZE_WHOLE);
	region_init_alias(&inner, "inner", REGION_SIZE_WHOLE, &target, -0x1000ull);
	region_init_alias(&outer, "outer", 0x4000, &inner, 0x2000);
	assert_int_equal(region_add(&root, 0, &outer, 0), 0);
	assert_int_equal(as_init(&as, &core, "as", &root, UNCLAIMED_ONES), 0);
	assert_int_equal(as_view(&as)->count, 1);
	region_set_alias_offset(&outer, 0x800);
	assert_int_equal(as_view(&as)->count, 2);
	assert_int_equal(flatview_lookup(as_view(&as), 0)->last, 0x7ff);
	as_destroy(&as);
	region_remove(&outer);
	mem_core_destroy(&core);
}

static void test_aliases_of_one_target_go_in_any_order(void **state)
{
	struct region root, target, alias[3];
	struct address_space as;
	struct mem_core core;

	(void)state;
	mem_core_init(&core);
	region_init_container(&root, "root", REGION_SIZE_WHOLE);
	region_init_reserved(&target, "target", 0x1000);
	assert_int_equal(as_init(&as, &core, "as", &root, UNCLAIMED_ONES), 0);
	for (int i = 0; i < 3; i++) {
		region_init_alias(&alias[i], "alias", 0x1000, &target, 0);
		assert_int_equal(region_add(&root, 0x2000u * (unsigned)i, &alias[i], 0), 0);
	}
	region_remove(&alias[0]);
	region_set_enabled(&target, false);
	assert_int_equal(as_view(&as)->count, 1);
	region_set_enabled(&target, true);
	assert_int_equal(as_view(&as)->count, 5);
	region_remove(&alias[1]);
	region_remove(&alias[2]);
	assert_null(target.aliases);
	as_destroy(&as);
	mem_core_destroy(&core);
}

static void test_an_alias_of_an_alias_that_stands_nowhere_follows_its_target(void **state)
{
	struct region root, target, inside, middle, shown;
	struct address_space as;
	struct mem_core core;

	(void)state;
	mem_core_init(&core);
	region_init_container(&root, "root", REGION_SIZE_WHOLE);
	region_init_container(&target, "target", 0x1000);
	region_init_reserved(&inside, "inside", 0x100);
	region_init_alias(&middle, "middle", 0x1000, &target, 0);
	region_init_alias(&shown, "shown", 0x1000, &middle, 0);
	assert_int_equal(as_init(&as, &core, "as", &root, UNCLAIMED_ONES), 0);
	assert_int_equal(region_add(&root, 0x4000, &shown, 0), 0);
	assert_int_equal(as_view(&as)->count, 1);
	assert_int_equal(region_add(&target, 0x200, &inside, 0), 0);
	assert_ptr_equal(flatview_lookup(as_view(&as), 0x4200)->region, &inside);
	/* Also when the middle one comes and goes by itself. */
	assert_int_equal(region_add(&root, 0x8000, &middle, 0), 0);
	region_remove(&middle);
	region_set_offset(&inside, 0x300);
	assert_ptr_equal(flatview_lookup(as_view(&as), 0x4300)->region, &inside);
	region_remove(&shown);
	assert_null(target.aliases);
	assert_int_equal(as_view(&as)->count, 1);
	as_destroy(&as);
	mem_core_destroy(&core);
}

/*
 * ---- in the middle of it
 * ------------------------------------------------------------------------------------
 */

struct moody {
	struct iommu_region iommu;
	struct region root, device, ram;
	struct address_space target, dma;
	struct mem_core core;
	u8 memory[PAGE_SIZE];
	int denials, invalidations, faults;
};

static struct iommu_entry moody_translate(const struct iommu_region *iommu, u64 iova, enum mem_access access)
{
	struct moody *moody = container_of(iommu, struct moody, iommu);

	(void)access;
	if (moody->denials) {
		moody->denials--;
		return (struct iommu_entry){ .iova = iova, .mask = PAGE_MASK };
	}
	return (struct iommu_entry){
		.iova = iova, .translated = iova, .mask = PAGE_MASK, .perm = MEM_READ_WRITE
	};
}

static void moody_fault(struct iommu_region *iommu, u64 iova, u64 length, enum mem_access access,
			unsigned reason)
{
	(void)iova, (void)length, (void)access, (void)reason;
	container_of(iommu, struct moody, iommu)->faults++;
}

static const struct iommu_ops moody_iommu_ops = { .translate = moody_translate, .fault = moody_fault };

/* A device whose register, when read, makes the guest's unit forget the translation that led there. */
static enum mem_result moody_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct moody *moody = device;

	(void)offset;
	(void)size;
	*value = 0x77;
	if (moody->invalidations) {
		moody->invalidations--;
		iommu_invalidate(&moody->iommu, 0, ~0ull);
	}
	return MEM_OK;
}

static const struct region_ops moody_ops = { .read = moody_read, .valid = { .min = 1, .max = 1 } };

static void make_moody(struct moody *moody)
{
	memset(moody, 0, sizeof(*moody));
	mem_core_init(&moody->core);
	region_init_container(&moody->root, "root", REGION_SIZE_WHOLE);
	region_init_ram(&moody->ram, "ram", PAGE_SIZE, moody->memory);
	region_init_mmio(&moody->device, "device", PAGE_SIZE, &moody_ops, moody);
	assert_int_equal(region_add(&moody->root, 0, &moody->ram, 0), 0);
	assert_int_equal(region_add(&moody->root, PAGE_SIZE, &moody->device, 0), 0);
	assert_int_equal(as_init(&moody->target, &moody->core, "target", &moody->root, UNCLAIMED_ONES), 0);
	region_init_iommu(&moody->iommu, "iommu", 2 * PAGE_SIZE, &moody_iommu_ops, &moody->target, false);
	assert_int_equal(as_init(&moody->dma, &moody->core, "dma", &moody->iommu.region, UNCLAIMED_ONES), 0);
}

static void unmake_moody(struct moody *moody)
{
	as_destroy(&moody->dma);
	as_destroy(&moody->target);
	region_remove(&moody->ram);
	region_remove(&moody->device);
	mem_core_destroy(&moody->core);
}

static void test_a_translation_that_comes_back_is_taken(void **state)
{
	static struct moody moody;
	u8 byte = 1;

	(void)state;
	make_moody(&moody);
	moody.memory[5] = 0x42;
	/* The short ways ask first; what the last one says counts. */
	for (int denials = 1; denials <= 2; denials++) {
		moody.denials = denials;
		byte = 0;
		assert_int_equal(as_read(&moody.dma, 5, &byte, 1), MEM_OK);
		assert_int_equal(byte, 0x42);
		assert_int_equal(moody.faults, 0);
	}
	unmake_moody(&moody);
}

static void test_a_bounced_mapping_that_is_invalidated_while_it_is_made_is_made_again(void **state)
{
	static struct moody moody;
	struct bounce_slot slots[1];
	struct map_client client;
	struct mem_mapping mapping;
	u8 bytes[64];

	(void)state;
	make_moody(&moody);
	map_client_init(&client, "client", slots, 1, bytes, sizeof(bytes), NULL, NULL, NULL);
	moody.invalidations = 2;
	assert_int_equal(as_map(&moody.dma, &client, PAGE_SIZE, 16, MEM_READ, &mapping), MEM_OK);
	assert_int_equal(mapping.host[3], 0x77);
	assert_true(mem_map_valid(&mapping));
	assert_int_equal(client.slots_used, 1);
	assert_int_equal(as_unmap(&mapping, 0), MEM_OK);
	assert_int_equal(client.slots_used, 0);
	assert_null(moody.iommu.links);
	unmake_moody(&moody);
}

static void test_a_mapping_ends_where_the_iommu_region_does(void **state)
{
	static struct moody moody;
	struct map_client client;
	struct mem_mapping mapping;

	(void)state;
	make_moody(&moody);
	map_client_init(&client, "client", NULL, 0, NULL, 0, NULL, NULL, NULL);
	region_resize(&moody.iommu.region, 0x800);
	assert_int_equal(as_map(&moody.dma, &client, 0x7f0, 64, MEM_READ, &mapping), MEM_OK);
	assert_int_equal(mapping.length, 16);
	assert_int_equal(as_unmap(&mapping, 0), MEM_OK);
	unmake_moody(&moody);
}

static void test_slow_accesses_know_both_byte_orders(void **state)
{
	static struct moody moody;
	const struct section *section;
	u64 value = 0;

	(void)state;
	make_moody(&moody);
	section = flatview_lookup(as_view(&moody.target), 8);
	assert_int_equal(as_store_slow(&moody.target, section, 8, 4, MEM_BIG_ENDIAN, 0x11223344), MEM_OK);
	assert_int_equal(moody.memory[8], 0x11);
	assert_int_equal(as_load_slow(&moody.target, section, 8, 4, MEM_BIG_ENDIAN, &value), MEM_OK);
	assert_int_equal(value, 0x11223344);
	assert_int_equal(as_load_slow(&moody.target, section, 8, 4, MEM_LITTLE_ENDIAN, &value), MEM_OK);
	assert_int_equal(value, 0x44332211);
	unmake_moody(&moody);
}

/*
 * ---- two CPUs
 * -----------------------------------------------------------------------------------------------
 */

struct pair {
	struct mem_core core;
	struct mem_reader reader;
	u32 lock, ready;
	int order;
};

static void *wait_for_lock(void *argument)
{
	struct pair *pair = argument;

	__atomic_store_n(&pair->ready, 1, __ATOMIC_RELEASE);
	spin_lock(&pair->lock);
	pair->order = 2;
	spin_unlock(&pair->lock);
	return NULL;
}

static void test_a_lock_that_is_held_is_waited_for(void **state)
{
	struct pair pair = { 0 };
	pthread_t thread;

	(void)state;
	spin_lock(&pair.lock);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_lock, &pair), 0);
	while (!__atomic_load_n(&pair.ready, __ATOMIC_ACQUIRE))
		usleep(100);
	usleep(20000);
	assert_int_equal(pair.order, 0);
	pair.order = 1;
	spin_unlock(&pair.lock);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(pair.order, 2);
}

static void *be_quiescent_late(void *argument)
{
	struct pair *pair = argument;

	mem_reader_online(&pair->core, &pair->reader);
	__atomic_store_n(&pair->ready, 1, __ATOMIC_RELEASE);
	usleep(20000);
	__atomic_store_n(&pair->order, 1, __ATOMIC_RELEASE);
	mem_reader_quiescent(&pair->reader);
	while (__atomic_load_n(&pair->ready, __ATOMIC_ACQUIRE) != 2)
		usleep(100);
	mem_reader_offline(&pair->reader);
	return NULL;
}

static void test_synchronize_waits_for_every_reader(void **state)
{
	static struct pair pair;
	pthread_t thread;

	(void)state;
	mem_core_init(&pair.core);
	assert_int_equal(pthread_create(&thread, NULL, be_quiescent_late, &pair), 0);
	while (!__atomic_load_n(&pair.ready, __ATOMIC_ACQUIRE))
		usleep(100);
	mem_synchronize(&pair.core, &pair.core.main);
	assert_int_equal(__atomic_load_n(&pair.order, __ATOMIC_ACQUIRE), 1);
	__atomic_store_n(&pair.ready, 2, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(thread, NULL), 0);
	mem_core_destroy(&pair.core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_space_is_not_made_without_memory),
		cmocka_unit_test(
			test_a_commit_without_memory_keeps_the_old_view_and_the_next_one_makes_up_for_it),
		cmocka_unit_test(test_a_dirty_log_without_memory_logs_nothing),
		cmocka_unit_test(test_a_view_has_at_most_65535_sections),
		cmocka_unit_test(test_aliases_that_multiply_are_refused_and_the_view_stays),
		cmocka_unit_test(test_what_leads_down_in_too_many_ways_is_refused),
		cmocka_unit_test(test_what_an_alias_of_an_alias_shows_past_2_64_is_nothing),
		cmocka_unit_test(test_aliases_of_one_target_go_in_any_order),
		cmocka_unit_test(test_an_alias_of_an_alias_that_stands_nowhere_follows_its_target),
		cmocka_unit_test(test_a_translation_that_comes_back_is_taken),
		cmocka_unit_test(test_a_bounced_mapping_that_is_invalidated_while_it_is_made_is_made_again),
		cmocka_unit_test(test_a_mapping_ends_where_the_iommu_region_does),
		cmocka_unit_test(test_slow_accesses_know_both_byte_orders),
		cmocka_unit_test(test_a_lock_that_is_held_is_waited_for),
		cmocka_unit_test(test_synchronize_waits_for_every_reader),
	};

	return cmocka_run_group_tests_name("mm, the rare things", tests, NULL, NULL);
}
