// SPDX-License-Identifier: BSD-2-Clause
/*
 * Readers access and look up while a writer rebuilds: under ThreadSanitizer this shows that publication
 * orders what it must, under AddressSanitizer that no view is freed while a reader can hold it.
 *
 * The map has two halves that the writer exchanges in one transaction each time: a reader must see one of the
 * two arrangements as a whole, never a mixture, and every section that it holds must stay what it was until
 * its quiescent point.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "mm/map.h"
#include "mm/space.h"

#define READERS	 3
#define COMMITS	 20000
#define FLUSHES	 1000 /* invalidations beside mappings; they are waited for, one by one */
#define SIZE	 0x1000
#define OFFSET_A 0x10000
#define OFFSET_B 0x80000
#define OTHERS	 12 /* regions around, so that views have something to differ in */

struct stress {
	struct mem_core core;
	struct region root, a, b, device, others[OTHERS];
	struct iommu_region iommu;
	struct address_space space, dma_space;
	u8 *memory_a, *memory_b, *memory_others;
	u32 started, stop;
	u64 translated; /* where the IOMMU region points: OFFSET_A or OFFSET_B */
};

struct reader {
	struct stress *stress;
	struct mem_reader reader;
	u64 looks, wrong;
	pthread_t thread;
};

static enum mem_result device_read(void *device, u64 offset, unsigned size, u64 *value)
{
	(void)device;
	*value = (offset + 1) & mem_size_mask(size);
	return MEM_OK;
}

static enum mem_result device_write(void *device, u64 offset, unsigned size, u64 value)
{
	(void)device;
	(void)offset;
	(void)size;
	(void)value;
	return MEM_OK;
}

static const struct region_ops ops = { .read = device_read, .write = device_write };

static struct iommu_entry translate(const struct iommu_region *iommu, u64 iova, enum mem_access access)
{
	const struct stress *s = container_of(iommu, struct stress, iommu);

	(void)access;
	return (struct iommu_entry){ .iova = iova,
				     .translated = __atomic_load_n(&s->translated, __ATOMIC_ACQUIRE),
				     .mask = SIZE - 1,
				     .perm = MEM_READ_WRITE };
}

static const struct iommu_ops iommu_ops = { .translate = translate };

/* Both halves in one view: exactly one of them at each place. */
static bool whole(const struct stress *s, const struct flatview *view)
{
	const struct section *low = flatview_lookup(view, OFFSET_A), *high = flatview_lookup(view, OFFSET_B);

	return (low->region == &s->a && high->region == &s->b) ||
	       (low->region == &s->b && high->region == &s->a);
}

static bool look(struct reader *r, struct section_cache *cache, u64 i)
{
	struct stress *s = r->stress;
	const struct flatview *view = as_view(&s->space);
	const struct section *section = as_lookup(&s->space, cache, OFFSET_A + i % SIZE);
	u64 first = section->first, value = 0;
	u32 word = 0;
	bool ok = whole(s, view);

	ok &= section->region == &s->a || section->region == &s->b;
	ok &= as_load(&s->space, cache, OFFSET_B + i % (SIZE / 8) * 8, 8, &value) == MEM_OK;
	ok &= value == 0x0a0a0a0a0a0a0a0aull || value == 0x0b0b0b0b0b0b0b0bull;
	ok &= as_load_le32(&s->space, 0x200000 + i % 16 * 4, &word) == MEM_OK && word == i % 16 * 4 + 1;
	ok &= as_read(&s->dma_space, i % (SIZE - 8), &value, 8) == MEM_OK;
	ok &= value == 0x0a0a0a0a0a0a0a0aull || value == 0x0b0b0b0b0b0b0b0bull;
	/* Still the section that it was: nobody frees it before the quiescent point. */
	ok &= section->first == first;
	return ok;
}

static void *run_reader(void *argument)
{
	struct reader *r = argument;
	struct stress *s = r->stress;
	struct section_cache cache = { 0 };
	u64 i;

	mem_reader_online(&s->core, &r->reader);
	__atomic_add_fetch(&s->started, 1, __ATOMIC_RELEASE);
	for (i = 0; !__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE); i++) {
		r->wrong += !look(r, &cache, i);
		if (i % 7 == 0)
			mem_reader_quiescent(&r->reader);
		if (i % 1000 == 999) { /* as a vCPU that halts */
			mem_reader_offline(&r->reader);
			sched_yield();
			mem_reader_online(&s->core, &r->reader);
		}
	}
	r->looks = i;
	mem_reader_offline(&r->reader);
	return NULL;
}

static void make(struct stress *s)
{
	s->memory_a = aligned_alloc(SIZE, SIZE);
	s->memory_b = aligned_alloc(SIZE, SIZE);
	s->memory_others = aligned_alloc(SIZE, SIZE);
	assert_true(s->memory_a && s->memory_b && s->memory_others);
	for (int i = 0; i < SIZE; i++) {
		s->memory_a[i] = 0x0a;
		s->memory_b[i] = 0x0b;
	}
	mem_core_init(&s->core);
	region_init_container(&s->root, "root", REGION_SIZE_WHOLE);
	region_init_ram(&s->a, "a", SIZE, s->memory_a);
	region_init_ram(&s->b, "b", SIZE, s->memory_b);
	region_init_mmio(&s->device, "device", 0x100, &ops, NULL);
	assert_int_equal(region_add(&s->root, OFFSET_A, &s->a, 0), 0);
	assert_int_equal(region_add(&s->root, OFFSET_B, &s->b, 0), 0);
	assert_int_equal(region_add(&s->root, 0x200000, &s->device, 0), 0);
	for (int i = 0; i < OTHERS; i++) {
		region_init_ram(&s->others[i], "other", 0x100, s->memory_others + i * 0x100);
		assert_int_equal(region_add(&s->root, 0x400000 + i * 0x1000ull, &s->others[i], 0), 0);
	}
	assert_int_equal(as_init(&s->space, &s->core, "space", &s->root, UNCLAIMED_ONES), 0);
	s->translated = OFFSET_A;
	region_init_iommu(&s->iommu, "iommu", SIZE, &iommu_ops, &s->space, false);
	assert_int_equal(as_init(&s->dma_space, &s->core, "dma", &s->iommu.region, UNCLAIMED_ONES), 0);
}

static void unmake(struct stress *s)
{
	as_destroy(&s->dma_space);
	as_destroy(&s->space);
	mem_core_destroy(&s->core);
	free(s->memory_a);
	free(s->memory_b);
	free(s->memory_others);
}

static void change(struct stress *s, unsigned i)
{
	bool exchanged = i & 1;

	mem_transaction_begin(&s->core);
	region_set_offset(&s->a, exchanged ? OFFSET_B : OFFSET_A);
	region_set_enabled(&s->others[i % OTHERS], i / OTHERS & 1);
	region_set_offset(&s->b, exchanged ? OFFSET_A : OFFSET_B);
	assert_int_equal(mem_transaction_commit(&s->core), 0);
	__atomic_store_n(&s->translated, i & 2 ? OFFSET_A : OFFSET_B, __ATOMIC_RELEASE);
	iommu_invalidate(&s->iommu, 0, SIZE - 1);
}

static void test_readers_never_see_a_mixture_nor_a_freed_view(void **state)
{
	static struct stress s;
	static struct reader readers[READERS];
	u64 looks = 0, wrong = 0;

	(void)state;
	make(&s);
	for (int i = 0; i < READERS; i++) {
		readers[i].stress = &s;
		assert_int_equal(pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]), 0);
	}
	while (__atomic_load_n(&s.started, __ATOMIC_ACQUIRE) < READERS)
		sched_yield();
	for (unsigned i = 1; i <= COMMITS; i++) {
		change(&s, i);
		mem_quiescent(&s.core);
		if (i % 64 == 0)
			mem_synchronize(&s.core, &s.core.main);
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
		looks += readers[i].looks;
		wrong += readers[i].wrong;
	}
	/* Nobody holds anything any more: all but the current views can go. */
	mem_quiescent(&s.core);
	assert_null(s.core.retired);
	assert_int_equal(wrong, 0);
	assert_true(looks > 0);
	print_message("# %llu looks of %d readers at %d commits\n", (unsigned long long)looks, READERS,
		      COMMITS);
	unmake(&s);
}

/*
 * ---- mappings on several CPUs
 * -------------------------------------------------------------------------------
 */

struct mapper {
	struct stress *stress;
	struct mem_reader reader;
	struct map_client client;
	struct mem_mapping mapping[2];
	pthread_mutex_t lock; /* of client and mappings */
	pthread_t thread;
	u64 maps, refused, wrong;
	u32 revoked;
};

/* As mm/map.h says: by taking the lock it waits for what is under way. */
static void on_revoked(void *device, struct mem_mapping *mapping)
{
	struct mapper *m = device;

	pthread_mutex_lock(&m->lock);
	m->revoked += mapping->host && !mem_map_valid(mapping);
	pthread_mutex_unlock(&m->lock);
}

/* Ends the older of two mappings and makes a new one: they come and go in another order than they lie. */
static void exchange_mapping(struct mapper *m, u64 i)
{
	struct mem_mapping *mapping = &m->mapping[i / 3 % 2];
	u64 address = i % (SIZE - 8);

	pthread_mutex_lock(&m->lock);
	if (mapping->host) {
		bool valid = mem_map_valid(mapping);

		m->wrong += valid && mapping->host[0] != 0x0a && mapping->host[0] != 0x0b;
		/* It may be revoked between the two looks, but not come back. */
		m->wrong += as_unmap(mapping, 0) == MEM_OK && !valid;
	}
	if (as_map(&m->stress->dma_space, &m->client, address, 8, MEM_READ, mapping) == MEM_OK)
		m->maps++;
	else
		m->refused++;
	pthread_mutex_unlock(&m->lock);
}

static void *run_mapper(void *argument)
{
	struct mapper *m = argument;
	struct stress *s = m->stress;

	mem_reader_online(&s->core, &m->reader);
	__atomic_add_fetch(&s->started, 1, __ATOMIC_RELEASE);
	for (u64 i = 0; !__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE); i++) {
		exchange_mapping(m, i);
		mem_reader_quiescent(&m->reader);
	}
	mem_reader_offline(&m->reader);
	return NULL;
}

static void test_mappings_of_many_cpus_are_linked_and_revoked_one_by_one(void **state)
{
	static struct stress s;
	static struct mapper mappers[READERS];
	u64 maps = 0, revoked = 0;
	unsigned told = 0;

	(void)state;
	make(&s);
	for (int i = 0; i < READERS; i++) {
		struct mapper *m = &mappers[i];

		m->stress = &s;
		assert_int_equal(pthread_mutex_init(&m->lock, NULL), 0);
		map_client_init(&m->client, "mapper", NULL, 0, NULL, 0, NULL, on_revoked, m);
		assert_int_equal(pthread_create(&m->thread, NULL, run_mapper, m), 0);
	}
	while (__atomic_load_n(&s.started, __ATOMIC_ACQUIRE) < READERS)
		sched_yield();
	for (unsigned i = 1; i <= FLUSHES; i++) {
		__atomic_store_n(&s.translated, i & 1 ? OFFSET_B : OFFSET_A, __ATOMIC_RELEASE);
		told += iommu_invalidate(&s.iommu, 0, SIZE - 1);
		if (i % 16 == 0)
			sched_yield();
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < READERS; i++) {
		struct mapper *m = &mappers[i];

		assert_int_equal(pthread_join(m->thread, NULL), 0);
		for (unsigned k = 0; k < 2; k++)
			as_unmap(&m->mapping[k], 0);
		assert_int_equal(map_client_live(&m->client), 0);
		assert_int_equal(m->refused, 0);
		assert_int_equal(m->wrong, 0);
		maps += m->maps;
		revoked += m->revoked;
		pthread_mutex_destroy(&m->lock);
	}
	assert_null(s.iommu.links);
	assert_true(maps > 0);
	/* Who is told may have unmapped by then. */
	assert_true(revoked <= told);
	print_message("# %llu mappings, %u revoked\n", (unsigned long long)maps, told);
	unmake(&s);
}

static void test_a_view_stays_while_one_reader_holds_it(void **state)
{
	static struct stress s;
	struct mem_reader slow;
	const struct section *held;

	(void)state;
	make(&s);
	mem_reader_online(&s.core, &slow);
	held = flatview_lookup(as_view(&s.space), OFFSET_A);
	change(&s, 1);
	mem_quiescent(&s.core);
	assert_non_null(s.core.retired);
	assert_ptr_equal(held->region, &s.a); /* under ASan: not freed */
	mem_reader_quiescent(&slow);
	mem_quiescent(&s.core);
	assert_null(s.core.retired);
	mem_reader_offline(&slow);
	unmake(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers_never_see_a_mixture_nor_a_freed_view),
		cmocka_unit_test(test_mappings_of_many_cpus_are_linked_and_revoked_one_by_one),
		cmocka_unit_test(test_a_view_stays_while_one_reader_holds_it),
	};

	return cmocka_run_group_tests_name("mm stress", tests, NULL, NULL);
}
