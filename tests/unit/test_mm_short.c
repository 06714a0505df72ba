// SPDX-License-Identifier: BSD-2-Clause
/*
 * The short ways: what goes well is done in a few instructions, in several places of the headers. Each of
 * them must end like all others do, whatever stands at the end of however many IOMMU regions.
 */
#include "mm/dirty.h"
#include "mm/iommu_cache.h"
#include "tests/unit/iommu_rig.h"

#define LEVELS (IOMMU_CHAIN_MAX + 1)

/* level[n] translates into level[n + 1], the last one into memory; as[n]: a device in front of level[n]. */
struct chain {
	struct dma_rig d;
	struct flat_iommu level[LEVELS];
	struct address_space as[LEVELS];
};

static void chain_init(struct chain *c)
{
	memset(c, 0, sizeof(*c));
	dma_rig_init(&c->d);
	for (int n = LEVELS - 1; n >= 0; n--) {
		flat_init(&c->level[n], n == LEVELS - 1 ? &c->d.rig.as : &c->as[n + 1]);
		for (unsigned i = 0; i < FLAT_PAGES; i++)
			c->level[n].page[i] = i * PAGE_SIZE | MEM_READ_WRITE;
		assert_int_equal(as_init(&c->as[n], &c->d.rig.core, "level", &c->level[n].iommu.region,
					 UNCLAIMED_ONES),
				 0);
	}
}

static void chain_destroy(struct chain *c)
{
	for (int n = 0; n < LEVELS; n++)
		as_destroy(&c->as[n]);
	dma_rig_destroy(&c->d);
}

/* A mapping for `access` of what ends so. */
static void map_ends(struct address_space *as, u64 iova, u64 length, enum mem_access access,
		     enum mem_result expected)
{
	struct mem_mapping mapping;
	struct bounce_slot slot;
	struct map_client client;
	u8 bytes[256];

	map_client_init(&client, "client", &slot, 1, bytes, sizeof(bytes), NULL, NULL, NULL);
	assert_int_equal(as_map(as, &client, iova, length, access, &mapping), expected);
	if (expected != MEM_OK)
		return;
	assert_int_equal(mapping.length, length);
	assert_int_equal(as_unmap(&mapping, access & MEM_WRITE ? length : 0), MEM_OK);
}

/* Every way to read and to write it. */
static void all_end(struct chain *c, int level, u64 iova, enum mem_result read, enum mem_result write)
{
	static const u64 lengths[] = { 1, 2, 4, 8, 3, 0x30 };
	struct address_space *as = &c->as[level];
	enum mem_result both = read != MEM_OK ? read : write;
	struct section_cache cache = { 0 };
	struct iommu_cache pages = { 0 };
	u8 bytes[0x30];
	u32 value;

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		u64 length = lengths[i];

		memset(bytes, 0x5a, sizeof(bytes));
		assert_int_equal(as_read(as, iova, bytes, length), read);
		assert_int_equal(as_read_cached(as, &cache, iova, bytes, length), read);
		assert_int_equal(iommu_cache_read(as, &pages, iova, bytes, length), read);
		assert_int_equal(as_copy(&c->d.rig.as, 0x7000, as, iova, length), read);
		if (read == MEM_OK) {
			assert_memory_equal(bytes, c->d.memory + 0x7000, length);
		} else {
			assert_int_equal(bytes[0], 0xff);
			assert_int_equal(bytes[length - 1], 0xff);
		}
		map_ends(as, iova, length, MEM_READ, read);
		map_ends(as, iova, length, MEM_WRITE, write);
		map_ends(as, iova, length, MEM_READ_WRITE, both);
		assert_int_equal(as_write(as, iova, bytes, length), write);
		assert_int_equal(as_write_cached(as, &cache, iova, bytes, length), write);
		assert_int_equal(iommu_cache_write(as, &pages, iova, bytes, length), write);
		assert_int_equal(as_fill(as, iova, 0x77, length), write);
		assert_int_equal(as_copy(as, iova, &c->d.rig.as, 0x7000, length), write);
	}
	assert_int_equal(as_load_le32(as, iova, &value), read);
	assert_int_equal(as_store_le32(as, iova, value), write);
}

static void every_way_through_a_chain_ends_alike(void **state)
{
	struct chain *c = aligned_alloc(PAGE_SIZE, ALIGN_UP(sizeof(*c), PAGE_SIZE));

	(void)state;
	assert_non_null(c);
	chain_init(c);
	for (int level = LEVELS - 1; level > 0; level--) {
		struct flat_iommu *first = &c->level[level], *last = &c->level[LEVELS - 1];

		all_end(c, level, 0x1010, MEM_OK, MEM_OK);
		all_end(c, level, 0x8010, MEM_OK, MEM_OK);
		all_end(c, level, 0x9010, MEM_OK, MEM_ACCESS_ERROR);
		all_end(c, level, 0xb010, MEM_DECODE_ERROR, MEM_DECODE_ERROR);
		last->page[2] = 0x2000 | MEM_READ;
		last->page[3] = 0x3000 | MEM_WRITE;
		last->page[4] = 0;
		all_end(c, level, 0x2010, MEM_OK, MEM_ACCESS_ERROR);
		all_end(c, level, 0x3010, MEM_ACCESS_ERROR, MEM_OK);
		all_end(c, level, 0x4010, MEM_ACCESS_ERROR, MEM_ACCESS_ERROR);
		last->page[2] = 0x2000 | MEM_READ_WRITE;
		last->page[3] = 0x3000 | MEM_READ_WRITE;
		last->page[4] = 0x4000 | MEM_READ_WRITE;
		region_set_readonly(&first->iommu.region, true);
		all_end(c, level, 0x1010, MEM_OK, MEM_ACCESS_ERROR);
		region_set_readonly(&first->iommu.region, false);
		region_set_readonly(&last->iommu.region, true);
		all_end(c, level, 0x1010, MEM_OK, MEM_ACCESS_ERROR);
		region_set_readonly(&last->iommu.region, false);
		as_set_ram_only(&c->d.rig.as, true);
		all_end(c, level, 0x8010, MEM_ACCESS_ERROR, MEM_ACCESS_ERROR);
		as_set_ram_only(&c->d.rig.as, false);
		/* Entries of less than a page. */
		first->mask = 0xff;
		all_end(c, level, 0x1010, MEM_OK, MEM_OK);
		first->mask = PAGE_MASK;
	}
	/* One more than there may be. */
	c->level[LEVELS - 2].faults = 0;
	all_end(c, 0, 0x1010, MEM_ACCESS_ERROR, MEM_ACCESS_ERROR);
	assert_int_equal(c->level[LEVELS - 2].fault[0].reason, IOMMU_FAULT_CHAIN);
	/* Nor if none of them can forget. */
	for (int level = 0; level < LEVELS; level++)
		c->level[level].iommu.fixed = true;
	all_end(c, 1, 0x1010, MEM_OK, MEM_OK);
	all_end(c, 0, 0x1010, MEM_ACCESS_ERROR, MEM_ACCESS_ERROR);
	chain_destroy(c);
	free(c);
}

static void what_is_remembered_of_a_page_is_what_it_is_now(void **state)
{
	struct chain *c = aligned_alloc(PAGE_SIZE, ALIGN_UP(sizeof(*c), PAGE_SIZE));
	struct iommu_cache pages = { 0 };
	struct address_space *as;
	u8 byte = 0;

	(void)state;
	assert_non_null(c);
	chain_init(c);
	as = &c->as[LEVELS - 1];
	/* Memory that starts within the page, or ends there. */
	region_set_offset(&c->d.ram, 0x800);
	c->d.memory[0x800] = 1;
	assert_int_equal(iommu_cache_read(as, &pages, 0x1000, &byte, 1), MEM_OK);
	assert_int_equal(byte, 1);
	assert_int_equal(iommu_cache_read(as, &pages, 0, &byte, 1), MEM_DECODE_ERROR);
	region_resize(&c->d.ram, 0x1000);
	assert_int_equal(iommu_cache_read(as, &pages, 0x1000, &byte, 1), MEM_OK);
	assert_int_equal(iommu_cache_read(as, &pages, 0x1000, &byte, 1), MEM_OK);
	assert_int_equal(c->level[LEVELS - 1].iommu.remembered, 0);
	/* Not told of a new translation, so the page is where it was; but a write, which was not asked for yet, finds another. */
	region_resize(&c->d.ram, 0x8000);
	region_set_offset(&c->d.ram, 0);
	c->d.memory[0x1000] = 2, c->d.memory[0x5000] = 3;
	assert_int_equal(iommu_cache_read(as, &pages, 0x1000, &byte, 1), MEM_OK);
	assert_int_equal(byte, 2);
	c->level[LEVELS - 1].page[1] = 0x5000 | MEM_READ_WRITE;
	assert_int_equal(iommu_cache_read(as, &pages, 0x1000, &byte, 1), MEM_OK);
	assert_int_equal(byte, 2);
	byte = 4;
	assert_int_equal(iommu_cache_write(as, &pages, 0x1000, &byte, 1), MEM_OK);
	assert_int_equal(c->d.memory[0x5000], 4);
	assert_int_equal(iommu_cache_read(as, &pages, 0x1000, &byte, 1), MEM_OK);
	assert_int_equal(byte, 4);
	chain_destroy(c);
	free(c);
}

/* Neither a page that is not whole nor one that does not lie on a page of the host is remembered. */
static void only_whole_pages_are_remembered(void **state)
{
	struct flat_iommu outer, inner, half;
	struct address_space as, askew, end;
	struct iommu_cache pages = { 0 }, plain = { 0 };
	struct region root;
	struct dma_rig d;
	u8 byte = 0;

	(void)state;
	dma_rig_init(&d);
	for (unsigned i = 0; i < 0x8000; i++)
		d.memory[i] = (u8)(i >> 8);
	flat_init(&inner, &d.rig.as);
	inner.iommu.fixed = true;
	inner.page[0] = 0x3000 | MEM_READ;
	region_init_container(&root, "askew", BIT(32));
	assert_int_equal(region_add(&root, 0x800, &inner.iommu.region, 0), 0);
	assert_int_equal(as_init(&askew, &d.rig.core, "askew", &root, UNCLAIMED_ONES), 0);
	flat_init(&outer, &askew);
	outer.page[2] = 0x1000 | MEM_READ;
	assert_int_equal(as_init(&as, &d.rig.core, "as", &outer.iommu.region, UNCLAIMED_ONES), 0);
	flat_init(&half, &d.rig.as);
	half.page[1] = 0x4000 | MEM_READ;
	assert_int_equal(region_resize(&half.iommu.region, 0x1800), 0);
	assert_int_equal(as_init(&end, &d.rig.core, "end", &half.iommu.region, UNCLAIMED_ONES), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(iommu_cache_read(&as, &pages, 0x2010, &byte, 1), MEM_OK);
		assert_int_equal(byte, 0x38);
		assert_int_equal(iommu_cache_read(&end, &plain, 0x1110, &byte, 1), MEM_OK);
		assert_int_equal(byte, 0x41);
	}
	assert_int_equal(outer.iommu.remembered + half.iommu.remembered, 0);
	/* A space without an IOMMU region has none at all. */
	memset(&plain, 0, sizeof(plain));
	assert_int_equal(iommu_cache_write(&d.rig.as, &plain, 0x10, &byte, 1), MEM_OK);
	assert_int_equal(iommu_cache_read(&d.rig.as, &plain, 0x10, &byte, 1), MEM_OK);
	assert_int_equal(byte, 0x41);
	as_destroy(&end);
	as_destroy(&as);
	as_destroy(&askew);
	region_remove(&inner.iommu.region);
	dma_rig_destroy(&d);
}

static void no_bytes_are_moved_through_a_region_of_everything(void **state)
{
	struct flat_iommu everything;
	struct address_space as;
	struct dma_rig d;
	u8 byte = 0x5a;

	(void)state;
	dma_rig_init(&d);
	flat_init(&everything, &d.rig.as);
	assert_int_equal(region_resize(&everything.iommu.region, REGION_SIZE_WHOLE), 0);
	assert_int_equal(as_init(&as, &d.rig.core, "as", &everything.iommu.region, UNCLAIMED_ONES), 0);
	assert_int_equal(as_read(&as, 0, &byte, 0), MEM_OK);
	assert_int_equal(as_write(&as, 0, &byte, 0), MEM_OK);
	assert_int_equal(byte, 0x5a);
	assert_int_equal(everything.faults, 0);
	as_destroy(&as);
	dma_rig_destroy(&d);
}

static void what_leads_further_than_memory_goes_ends_with_it(void **state)
{
	u8 bytes[0x3000], back[0x3000];
	struct dma_rig d;

	(void)state;
	dma_rig_init(&d);
	memset(bytes, 0x77, sizeof(bytes));
	/* One entry for RAM and for the device behind it. */
	d.flat.mask = 0xffff;
	assert_int_equal(as_write(&d.dma, 0x7ff8, bytes, 16), MEM_OK);
	assert_memory_equal(d.memory + 0x7ff8, bytes, 8);
	assert_call(&d.probe, 0, true, 0, 8);
	assert_int_equal(as_read(&d.dma, 0x7ff8, back, 16), MEM_OK);
	assert_memory_equal(back, bytes, 16);
	d.flat.mask = PAGE_MASK;
	/* Pages in a row, each of them told. */
	assert_int_equal(region_dirty_start(&d.ram, 0), 0);
	assert_int_equal(as_write(&d.dma, 0x1800, bytes, sizeof(bytes)), MEM_OK);
	assert_memory_equal(d.memory + 0x1800, bytes, sizeof(bytes));
	for (u64 page = 0; page < 8; page++)
		assert_int_equal(region_is_dirty(&d.ram, 0, page * PAGE_SIZE, 1), page >= 1 && page <= 4);
	region_dirty_stop(&d.ram, 0);
	dma_rig_destroy(&d);
	region_remove(&d.ram);
	region_destroy(&d.ram);
}

static void a_register_is_moved_in_one_call(void **state)
{
	static const u8 sizes[] = { 1, 2, 4, 8 };
	u8 out[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, in[8];
	struct dma_rig d;

	(void)state;
	dma_rig_init(&d);
	for (unsigned i = 0; i < 4; i++) {
		d.probe.calls = 0;
		assert_int_equal(as_write(&d.rig.as, 0x8010, out, sizes[i]), MEM_OK);
		memset(in, 0, sizeof(in));
		assert_int_equal(as_read(&d.rig.as, 0x8010, in, sizes[i]), MEM_OK);
		assert_memory_equal(in, out, sizes[i]);
		assert_int_equal(d.probe.calls, 2);
		assert_call(&d.probe, 0, true, 0x10, sizes[i]);
		assert_call(&d.probe, 1, false, 0x10, sizes[i]);
		d.probe.result = MEM_ERROR;
		assert_int_equal(as_read(&d.rig.as, 0x8010, in, sizes[i]), MEM_ERROR);
		assert_int_equal(in[0] & in[sizes[i] - 1], 0xff);
		d.probe.result = MEM_OK;
	}
	/* Across the end of the region. */
	assert_int_equal(as_write(&d.rig.as, 0x80fe, out, 4), MEM_DECODE_ERROR);
	dma_rig_destroy(&d);
}

static void a_mapping_of_a_device_ends_with_it(void **state)
{
	struct mem_mapping mapping;
	struct bounce_slot slot;
	struct map_client client;
	struct dma_rig d;
	u8 bytes[512];

	(void)state;
	dma_rig_init(&d);
	map_client_init(&client, "client", &slot, 1, bytes, sizeof(bytes), NULL, NULL, NULL);
	assert_int_equal(as_map(&d.dma, &client, 0x8010, 0x200, MEM_READ, &mapping), MEM_OK);
	assert_int_equal(mapping.length, 0xf0);
	assert_int_equal(as_unmap(&mapping, 0), MEM_OK);
	/* Pages in a row lead to ROM, then to nothing; to RAM, then to a device. */
	assert_int_equal(as_map(&d.dma, &client, 0x9010, 0x2000, MEM_READ, &mapping), MEM_OK);
	assert_int_equal(mapping.length, 0xff0);
	assert_int_equal(as_unmap(&mapping, 0), MEM_OK);
	assert_int_equal(as_map(&d.dma, &client, 0x7010, 0x2000, MEM_READ, &mapping), MEM_OK);
	assert_int_equal(mapping.length, 0xff0);
	assert_int_equal(as_unmap(&mapping, 0), MEM_OK);
	dma_rig_destroy(&d);
}

static u64 mapped(struct address_space *as, u64 iova, u64 length)
{
	struct mem_mapping mapping;
	struct map_client client;

	map_client_init(&client, "client", NULL, 0, NULL, 0, NULL, NULL, NULL);
	assert_int_equal(as_map(as, &client, iova, length, MEM_READ, &mapping), MEM_OK);
	assert_int_equal(as_unmap(&mapping, 0), MEM_OK);
	return mapping.length;
}

/* Memory that goes on, but by another way: what revokes one page would not revoke the other. */
static void a_mapping_is_of_one_way(void **state)
{
	struct address_space between, as;
	struct flat_iommu outer, a, b, c;
	struct region root, show, readonly;
	struct dma_rig d;

	(void)state;
	dma_rig_init(&d);
	region_init_container(&root, "between", BIT(32));
	assert_int_equal(as_init(&between, &d.rig.core, "between", &root, UNCLAIMED_ONES), 0);
	region_init_alias(&show, "show", 0x8000, &d.ram, 0);
	flat_init(&a, &between);
	flat_init(&b, &between);
	flat_init(&c, &d.rig.as);
	flat_init(&outer, &between);
	assert_int_equal(region_add(&root, 0, &show, 0), 0);
	assert_int_equal(region_add(&root, 0x10000, &a.iommu.region, 0), 0);
	assert_int_equal(region_add(&root, 0x20000, &b.iommu.region, 0), 0);
	assert_int_equal(region_add(&root, 0x30000, &c.iommu.region, 0), 0);
	assert_int_equal(as_init(&as, &d.rig.core, "as", &outer.iommu.region, UNCLAIMED_ONES), 0);
	a.page[0] = 0x1000 | MEM_READ;
	a.page[1] = a.page[3] = b.page[0] = c.page[0] = 0x2000 | MEM_READ;
	outer.page[0] = 0x10000 | MEM_READ;
	outer.page[1] = 0x11000 | MEM_READ;
	assert_int_equal(mapped(&as, 0, 0x2000), 0x2000);
	outer.page[1] = 0x13000 | MEM_READ; /* another page of the inner one */
	assert_int_equal(mapped(&as, 0, 0x2000), 0x1000);
	outer.page[1] = 0x20000 | MEM_READ; /* another inner one */
	assert_int_equal(mapped(&as, 0, 0x2000), 0x1000);
	outer.page[1] = 0x30000 | MEM_READ; /* to another space */
	assert_int_equal(mapped(&as, 0, 0x2000), 0x1000);
	outer.page[1] = 0x2000 | MEM_READ; /* no inner one */
	assert_int_equal(mapped(&as, 0, 0x2000), 0x1000);
	/* The same memory with other rights. */
	assert_int_equal(mapped(&d.dma, 0x1000, 0x2000), 0x2000);
	region_init_alias(&readonly, "readonly", 0x1000, &d.ram, 0x2000);
	region_set_readonly(&readonly, true);
	assert_int_equal(region_add(&d.rig.root, 0x2000, &readonly, 1), 0);
	assert_int_equal(mapped(&d.dma, 0x1000, 0x2000), 0x1000);
	region_remove(&readonly);
	as_destroy(&as);
	as_destroy(&between);
	region_remove(&show);
	region_remove(&a.iommu.region);
	region_remove(&b.iommu.region);
	region_remove(&c.iommu.region);
	dma_rig_destroy(&d);
}

static void a_space_goes_while_others_wait_to_be_rebuilt(void **state)
{
	struct address_space more[3];
	struct dma_rig d;

	(void)state;
	dma_rig_init(&d);
	for (int i = 0; i < 3; i++)
		assert_int_equal(as_init(&more[i], &d.rig.core, "more", &d.rig.root, UNCLAIMED_ONES), 0);
	mem_transaction_begin(&d.rig.core);
	region_set_enabled(&d.rom, false);
	for (int i = 0; i < 3; i++)
		as_destroy(&more[(i + 1) % 3]);
	assert_int_equal(mem_transaction_commit(&d.rig.core), 0);
	assert_int_equal(flatview_lookup(as_view(&d.rig.as), 0x9000)->kind, SECTION_UNCLAIMED);
	dma_rig_destroy(&d);
}

/* With other CPUs about, links are made and undone under a lock. */
static void mappings_of_a_shared_core_are_revoked_too(void **state)
{
	struct mem_mapping early, late, both;
	struct mem_reader reader;
	struct map_client client;
	struct dma_rig d;

	(void)state;
	dma_rig_init(&d);
	map_client_init(&client, "client", NULL, 0, NULL, 0, NULL, NULL, NULL);
	assert_int_equal(as_map(&d.dma, &client, 0x1000, 64, MEM_READ, &early), MEM_OK);
	mem_reader_online(&d.rig.core, &reader);
	assert_int_equal(as_map(&d.dma, &client, 0x2000, 64, MEM_READ, &late), MEM_OK);
	assert_int_equal(as_map(&d.dma, &client, 0x3000, 64, MEM_READ_WRITE, &both), MEM_OK);
	iommu_invalidate(&d.flat.iommu, 0x2000, 0x2fff);
	assert_true(mem_map_valid(&early));
	assert_false(mem_map_valid(&late));
	assert_true(mem_map_valid(&both));
	assert_int_equal(as_unmap(&early, 0), MEM_OK);
	assert_int_equal(as_unmap(&late, 0), MEM_ACCESS_ERROR);
	assert_int_equal(as_unmap(&both, 64), MEM_OK);
	assert_null(d.flat.iommu.links);
	mem_reader_offline(&reader);
	dma_rig_destroy(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_through_a_chain_ends_alike),
		cmocka_unit_test(what_is_remembered_of_a_page_is_what_it_is_now),
		cmocka_unit_test(only_whole_pages_are_remembered),
		cmocka_unit_test(no_bytes_are_moved_through_a_region_of_everything),
		cmocka_unit_test(what_leads_further_than_memory_goes_ends_with_it),
		cmocka_unit_test(a_register_is_moved_in_one_call),
		cmocka_unit_test(a_mapping_of_a_device_ends_with_it),
		cmocka_unit_test(a_mapping_is_of_one_way),
		cmocka_unit_test(a_space_goes_while_others_wait_to_be_rebuilt),
		cmocka_unit_test(mappings_of_a_shared_core_are_revoked_too),
	};

	return cmocka_run_group_tests_name("mm, the short ways", tests, NULL, NULL);
}
