// SPDX-License-Identifier: BSD-2-Clause
/*
 * map and unmap: zero copy where it is RAM, bounce slots where not, and what an invalidation does to a
 * mapping.
 */
#include "tests/unit/iommu_rig.h"

#include "mm/dirty.h"

#define SLOT_SIZE 64

struct user {
	struct map_client client;
	struct bounce_slot slots[2];
	u8 memory[2 * SLOT_SIZE];
	unsigned retries, revoked;
	struct mem_mapping *revoked_mapping;
	struct mem_mapping *unmap_when_revoked;
};

static void retry(void *device)
{
	((struct user *)device)->retries++;
}

static void revoked(void *device, struct mem_mapping *mapping)
{
	struct user *user = device;

	user->revoked++;
	user->revoked_mapping = mapping;
	if (user->unmap_when_revoked == mapping)
		assert_int_equal(as_unmap(mapping, SLOT_SIZE), MEM_ACCESS_ERROR);
}

static void user_init(struct user *user)
{
	memset(user, 0, sizeof(*user));
	memset(user->memory, 0xdd, sizeof(user->memory));
	map_client_init(&user->client, "user", user->slots, 2, user->memory, SLOT_SIZE, retry, revoked, user);
}

static void ram_is_mapped_without_a_copy(void **state)
{
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x1234, 0x100, MEM_READ_WRITE, &m), MEM_OK);
	assert_ptr_equal(m.host, d.memory + 0x1234);
	assert_int_equal(m.length, 0x100);
	assert_true(mem_map_valid(&m));
	assert_int_equal(map_client_live(&u.client), 1);
	assert_int_equal(as_unmap(&m, 0x100), MEM_OK);
	assert_false(mem_map_valid(&m));
	assert_int_equal(map_client_live(&u.client), 0);
	/* Twice is an error, and harmless. */
	assert_int_equal(as_unmap(&m, 0x100), MEM_ERROR);
	assert_int_equal(map_client_live(&u.client), 0);
	dma_rig_destroy(&d);
}

static void a_mapping_ends_where_its_memory_does(void **state)
{
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x7ff0, 0x1000, MEM_READ, &m), MEM_OK);
	assert_int_equal(m.length, 0x10);
	as_unmap(&m, 0);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x1000, ~0ull, MEM_READ, &m), MEM_OK);
	assert_int_equal(m.length, 0x7000);
	as_unmap(&m, 0);
	dma_rig_destroy(&d);
}

static void what_cannot_be_mapped_is_told_why(void **state)
{
	struct map_client poor;
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x100000, 16, MEM_READ, &m), MEM_DECODE_ERROR);
	assert_null(m.host);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x9000, 16, MEM_WRITE, &m), MEM_ACCESS_ERROR);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0, 0, MEM_READ, &m), MEM_ERROR);
	assert_int_equal(as_unmap(&m, 0), MEM_ERROR);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x9000, 16, MEM_READ, &m), MEM_OK);
	as_unmap(&m, 0);
	map_client_init(&poor, "no slots", NULL, 0, NULL, 0, NULL, NULL, NULL);
	assert_int_equal(as_map(&d.rig.as, &poor, 0x8000, 16, MEM_READ, &m), MEM_ACCESS_ERROR);
	as_set_ram_only(&d.rig.as, true);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x8000, 16, MEM_READ, &m), MEM_ACCESS_ERROR);
	/* The device says no when it is read. */
	as_set_ram_only(&d.rig.as, false);
	d.probe.result = MEM_ERROR;
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x8000, 16, MEM_READ, &m), MEM_ERROR);
	assert_int_equal(u.client.slots_used, 0);
	assert_int_equal(map_client_live(&u.client), 0);
	dma_rig_destroy(&d);
}

static void a_device_is_mapped_through_a_slot_and_gets_just_what_was_produced(void **state)
{
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	for (unsigned i = 0; i < 256; i++)
		d.probe.bytes[i] = (u8)i;
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x8010, 0x1000, MEM_READ, &m), MEM_OK);
	assert_int_equal(m.length, SLOT_SIZE);
	assert_true(m.host >= u.memory && m.host < u.memory + sizeof(u.memory));
	assert_memory_equal(m.host, d.probe.bytes + 0x10, SLOT_SIZE);
	d.probe.calls = 0;
	/* A mapping for reading writes nothing back, whatever is claimed. */
	memset(m.host, 0xee, SLOT_SIZE);
	assert_int_equal(as_unmap(&m, SLOT_SIZE), MEM_OK);
	assert_int_equal(d.probe.calls, 0);

	assert_int_equal(as_map(&d.rig.as, &u.client, 0x8010, 32, MEM_WRITE, &m), MEM_OK);
	assert_int_equal(m.host[0], 0); /* zeroed, not the last user's bytes */
	assert_int_equal(d.probe.calls, 0);
	memset(m.host, 0x5a, 32);
	assert_int_equal(as_unmap(&m, 8), MEM_OK);
	assert_int_equal(d.probe.bytes[0x17], 0x5a);
	assert_int_equal(d.probe.bytes[0x18], 0x18);
	assert_int_equal(d.probe.calls, 1);

	/* More than was mapped is not written; what the device says comes back. */
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x8020, 8, MEM_READ_WRITE, &m), MEM_OK);
	assert_int_equal(m.host[0], 0x20);
	memset(m.host, 0x77, SLOT_SIZE);
	d.probe.result = MEM_ERROR;
	assert_int_equal(as_unmap(&m, 100), MEM_ERROR);
	assert_int_equal(d.probe.bytes[0x27], 0x77);
	assert_int_equal(d.probe.bytes[0x28], 0x28);
	assert_int_equal(u.client.bounced, 3);
	dma_rig_destroy(&d);
}

static void slots_are_a_quota_and_a_freed_one_calls_back_once(void **state)
{
	struct mem_mapping a, b, c;
	struct dma_rig d;
	struct user u, other;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	user_init(&other);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x8000, 8, MEM_READ, &a), MEM_OK);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x8000, 8, MEM_READ, &b), MEM_OK);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x8000, 8, MEM_READ, &c), MEM_AGAIN);
	assert_null(c.host);
	assert_int_equal(u.client.refused, 1);
	/* Somebody else's slots are his, and RAM needs none. */
	assert_int_equal(as_map(&d.rig.as, &other.client, 0x8000, 8, MEM_READ, &c), MEM_OK);
	as_unmap(&c, 0);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0, 8, MEM_READ, &c), MEM_OK);
	as_unmap(&c, 0);
	assert_int_equal(u.retries, 0);
	as_unmap(&a, 0);
	assert_int_equal(u.retries, 1);
	as_unmap(&b, 0);
	assert_int_equal(u.retries, 1);
	/* Without a callback nothing is called. */
	u.client.retry = NULL;
	as_map(&d.rig.as, &u.client, 0x8000, 8, MEM_READ, &a);
	as_map(&d.rig.as, &u.client, 0x8000, 8, MEM_READ, &b);
	assert_int_equal(as_map(&d.rig.as, &u.client, 0x8000, 8, MEM_READ, &c), MEM_AGAIN);
	as_unmap(&a, 0);
	assert_int_equal(u.retries, 1);
	dma_rig_destroy(&d);
}

static void a_stale_copy_of_a_mapping_unmaps_nothing(void **state)
{
	struct mem_mapping m, copy;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	as_map(&d.rig.as, &u.client, 0x8000, 8, MEM_WRITE, &m);
	copy = m;
	assert_int_equal(as_unmap(&m, 0), MEM_OK);
	as_map(&d.rig.as, &u.client, 0x8000, 8, MEM_WRITE, &m);
	assert_int_equal(as_unmap(&copy, 8), MEM_ERROR);
	assert_null(copy.host);
	assert_int_equal(d.probe.calls, 0);
	assert_int_equal(u.client.slots_used, 1);
	as_unmap(&m, 0);
	assert_int_equal(u.client.slots_used, 0);
	dma_rig_destroy(&d);
}

/*
 * ---- through an IOMMU
 * ---------------------------------------------------------------------------------------
 */

static void contiguous_pages_are_one_mapping(void **state)
{
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	assert_int_equal(as_map(&d.dma, &u.client, 0x1800, 0x2000, MEM_READ, &m), MEM_OK);
	assert_ptr_equal(m.host, d.memory + 0x1800);
	assert_int_equal(m.length, 0x2000);
	assert_int_equal(as_unmap(&m, 0), MEM_OK);
	assert_null(d.flat.iommu.links);
	/* Clipped where memory goes elsewhere, where it is denied, and where RAM ends: without a fault. */
	d.flat.page[3] = 0x6000 | MEM_READ_WRITE;
	assert_int_equal(as_map(&d.dma, &u.client, 0x1800, 0x4000, MEM_READ, &m), MEM_OK);
	assert_int_equal(m.length, 0x1800);
	as_unmap(&m, 0);
	d.flat.page[3] = 0x3000 | MEM_READ;
	assert_int_equal(as_map(&d.dma, &u.client, 0x1800, 0x4000, MEM_WRITE, &m), MEM_OK);
	assert_int_equal(m.length, 0x1800);
	as_unmap(&m, 0);
	assert_int_equal(as_map(&d.dma, &u.client, 0x7800, 0x4000, MEM_READ, &m), MEM_OK);
	assert_int_equal(m.length, 0x800);
	as_unmap(&m, 0);
	assert_int_equal(d.flat.faults, 0);
	dma_rig_destroy(&d);
}

static void what_is_denied_is_not_mapped_and_recorded(void **state)
{
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	assert_int_equal(as_map(&d.dma, &u.client, 0xa010, 0x20, MEM_READ, &m), MEM_ACCESS_ERROR);
	assert_fault(&d.flat, 0, 0xa010, 0x20, MEM_READ, IOMMU_FAULT_NOT_MAPPED);
	d.flat.page[0] = MEM_READ;
	assert_int_equal(as_map(&d.dma, &u.client, 0, 0x20, MEM_READ_WRITE, &m), MEM_ACCESS_ERROR);
	assert_fault(&d.flat, 1, 0, 0x20, MEM_READ_WRITE, IOMMU_FAULT_NOT_PERMITTED);
	assert_int_equal(as_map(&d.dma, &u.client, 0x9000, 0x20, MEM_WRITE, &m), MEM_ACCESS_ERROR);
	assert_fault(&d.flat, 2, 0x9000, 0x20, MEM_WRITE, IOMMU_FAULT_READONLY);
	assert_null(d.flat.iommu.links);
	assert_int_equal(map_client_live(&u.client), 0);
	dma_rig_destroy(&d);
}

static void an_invalidation_revokes_just_the_mappings_over_its_range(void **state)
{
	struct mem_mapping first, second, third;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	assert_int_equal(as_map(&d.dma, &u.client, 0x1000, 0x1000, MEM_WRITE, &first), MEM_OK);
	assert_int_equal(as_map(&d.dma, &u.client, 0x2000, 0x1000, MEM_WRITE, &second), MEM_OK);
	assert_int_equal(as_map(&d.dma, &u.client, 0x2800, 0x1000, MEM_WRITE, &third), MEM_OK);
	assert_int_equal(iommu_invalidate(&d.flat.iommu, 0x3000, 0x3fff), 1);
	assert_int_equal(u.revoked, 1);
	assert_ptr_equal(u.revoked_mapping, &third);
	assert_true(mem_map_valid(&first) && mem_map_valid(&second));
	assert_false(mem_map_valid(&third));
	/* Once is enough. */
	assert_int_equal(iommu_invalidate(&d.flat.iommu, 0x3000, 0x3fff), 0);
	assert_int_equal(iommu_invalidate(&d.flat.iommu, 0, ~0ull), 2);
	/* Out of the middle, the end and the start of the list. */
	assert_int_equal(as_unmap(&second, 0), MEM_ACCESS_ERROR);
	assert_int_equal(as_unmap(&first, 0), MEM_ACCESS_ERROR);
	assert_int_equal(as_unmap(&third, 0), MEM_ACCESS_ERROR);
	assert_null(d.flat.iommu.links);
	assert_int_equal(map_client_live(&u.client), 0);
	/* A client that does not want to be called is not. */
	u.client.revoked = NULL;
	as_map(&d.dma, &u.client, 0, 8, MEM_WRITE, &first);
	assert_int_equal(iommu_invalidate(&d.flat.iommu, 0, 0), 1);
	assert_int_equal(as_unmap(&first, 8), MEM_ACCESS_ERROR);
	dma_rig_destroy(&d);
}

static void nothing_stale_is_written_after_an_invalidation(void **state)
{
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	assert_int_equal(as_map(&d.dma, &u.client, 0x8000, 8, MEM_WRITE, &m), MEM_OK);
	assert_true(m.state & MAPPING_BOUNCED);
	memset(m.host, 0x99, 8);
	assert_int_equal(iommu_invalidate(&d.flat.iommu, 0x8000, 0x8fff), 1);
	assert_int_equal(as_unmap(&m, 8), MEM_ACCESS_ERROR);
	assert_int_equal(d.probe.calls, 0);
	assert_int_equal(u.client.slots_used, 0);
	/* A client may let go from within the call. */
	u.unmap_when_revoked = &m;
	assert_int_equal(as_map(&d.dma, &u.client, 0x8000, 8, MEM_WRITE, &m), MEM_OK);
	assert_int_equal(iommu_invalidate(&d.flat.iommu, 0x8000, 0x8fff), 1);
	assert_int_equal(map_client_live(&u.client), 0);
	assert_null(d.flat.iommu.links);
	assert_int_equal(d.probe.calls, 0);
	dma_rig_destroy(&d);
}

static void a_bounced_write_goes_to_the_translated_address(void **state)
{
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	d.flat.page[0] = 0x8000 | MEM_READ_WRITE;
	assert_int_equal(as_map(&d.dma, &u.client, 0x10, 4, MEM_WRITE, &m), MEM_OK);
	memcpy(m.host, "\1\2\3\4", 4);
	/* Mapped elsewhere, without an invalidation: what was translated counts. */
	d.flat.page[0] = 0x1000 | MEM_READ_WRITE;
	assert_int_equal(as_unmap(&m, 4), MEM_OK);
	assert_memory_equal(d.probe.bytes + 0x10, "\1\2\3\4", 4);
	assert_int_equal(d.memory[0x1010], 0);
	dma_rig_destroy(&d);
}

/* A translator whose tables are changed while a mapping is made: on the first translations only. */
struct restless {
	struct flat_iommu flat;
	unsigned invalidations;
};

static struct iommu_entry restless_translate(const struct iommu_region *iommu, u64 iova,
					     enum mem_access access)
{
	struct restless *restless = container_of((struct iommu_region *)iommu, struct restless, flat.iommu);
	struct iommu_entry entry = flat_translate(iommu, iova, access);

	if (restless->invalidations) {
		restless->invalidations--;
		iommu_invalidate(&restless->flat.iommu, 0, ~0ull);
	}
	return entry;
}

static void a_translation_invalidated_while_mapping_is_made_anew(void **state)
{
	static const struct iommu_ops ops = { .translate = restless_translate, .fault = flat_fault };
	struct address_space dma;
	struct restless restless;
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	flat_init(&restless.flat, &d.rig.as);
	restless.flat.iommu.ops = &ops;
	restless.flat.page[0] = 0x1000 | MEM_READ_WRITE;
	restless.flat.page[1] = 0x8000 | MEM_READ_WRITE;
	assert_int_equal(as_init(&dma, &d.rig.core, "dma", &restless.flat.iommu.region, UNCLAIMED_ONES), 0);
	restless.invalidations = 2;
	assert_int_equal(as_map(&dma, &u.client, 0, 16, MEM_READ, &m), MEM_OK);
	assert_int_equal(restless.flat.translations, 3);
	assert_true(mem_map_valid(&m));
	as_unmap(&m, 0);
	restless.invalidations = 1;
	assert_int_equal(as_map(&dma, &u.client, 0x1000, 16, MEM_READ, &m), MEM_OK);
	assert_true(m.state & MAPPING_BOUNCED);
	assert_int_equal(u.client.slots_used, 1);
	as_unmap(&m, 0);
	/* Between the first page and the next ones: not taken for one translation. */
	restless.flat.page[1] = 0x2000 | MEM_READ_WRITE;
	restless.flat.page[2] = 0x3000 | MEM_READ_WRITE;
	restless.invalidations = 2;
	assert_int_equal(as_map(&dma, &u.client, 0, 0x3000, MEM_READ, &m), MEM_OK);
	assert_int_equal(m.length, 0x3000);
	as_unmap(&m, 0);
	assert_null(restless.flat.iommu.links);
	as_destroy(&dma);
	dma_rig_destroy(&d);
}

static void a_fixed_translator_needs_no_links(void **state)
{
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	d.flat.iommu.fixed = true;
	assert_int_equal(as_map(&d.dma, &u.client, 0, 16, MEM_READ, &m), MEM_OK);
	assert_null(d.flat.iommu.links);
	assert_int_equal(as_unmap(&m, 0), MEM_OK);
	dma_rig_destroy(&d);
}

static void a_chain_is_revoked_by_any_of_its_links(void **state)
{
	struct address_space outer_dma;
	struct flat_iommu outer;
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	flat_init(&outer, &d.dma);
	outer.page[5] = 0x2000 | MEM_READ_WRITE;
	outer.page[6] = 0x3000 | MEM_READ_WRITE;
	outer.page[7] = 0x3000 | MEM_READ_WRITE;
	assert_int_equal(as_init(&outer_dma, &d.rig.core, "outer", &outer.iommu.region, UNCLAIMED_ONES), 0);
	assert_int_equal(as_map(&outer_dma, &u.client, 0x5800, 0x2000, MEM_WRITE, &m), MEM_OK);
	assert_ptr_equal(m.host, d.memory + 0x2800);
	assert_int_equal(m.length, 0x1800);
	assert_int_equal(iommu_invalidate(&d.flat.iommu, 0x5000, 0x6fff), 0);
	assert_int_equal(iommu_invalidate(&d.flat.iommu, 0x3fff, 0x3fff), 1);
	assert_int_equal(as_unmap(&m, 0), MEM_ACCESS_ERROR);
	assert_int_equal(as_map(&outer_dma, &u.client, 0x5800, 8, MEM_WRITE, &m), MEM_OK);
	assert_int_equal(iommu_invalidate(&outer.iommu, 0x5000, 0x5fff), 1);
	assert_int_equal(iommu_invalidate(&d.flat.iommu, 0, ~0ull), 0);
	assert_int_equal(as_unmap(&m, 0), MEM_ACCESS_ERROR);
	assert_null(outer.iommu.links);
	assert_null(d.flat.iommu.links);
	as_destroy(&outer_dma);
	dma_rig_destroy(&d);
}

/* Two ways to neighbouring memory: what goes on must go on by the same one, or no link would know. */
static void a_mapping_does_not_go_on_through_another_chain(void **state)
{
	struct address_space outer_dma, middle;
	struct flat_iommu inner, outer;
	struct region root, alias;
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	/* middle: page 0 is RAM itself, page 1 a translator's; they show consecutive pages of RAM. */
	region_init_container(&root, "middle", REGION_SIZE_WHOLE);
	region_init_alias(&alias, "alias", 0x1000, &d.ram, 0);
	flat_init(&inner, &d.rig.as);
	inner.page[0] = 0x1000 | MEM_READ_WRITE;
	assert_int_equal(region_add(&root, 0, &alias, 0), 0);
	assert_int_equal(region_add(&root, 0x1000, &inner.iommu.region, 0), 0);
	assert_int_equal(as_init(&middle, &d.rig.core, "middle", &root, UNCLAIMED_ONES), 0);
	flat_init(&outer, &middle);
	outer.page[0] = 0x0000 | MEM_READ_WRITE;
	outer.page[1] = 0x1000 | MEM_READ_WRITE;
	assert_int_equal(as_init(&outer_dma, &d.rig.core, "outer", &outer.iommu.region, UNCLAIMED_ONES), 0);
	assert_int_equal(as_map(&outer_dma, &u.client, 0x800, 0x1000, MEM_READ, &m), MEM_OK);
	assert_int_equal(m.length, 0x800);
	as_unmap(&m, 0);
	as_destroy(&outer_dma);
	as_destroy(&middle);
	dma_rig_destroy(&d);
}

static void a_mapping_marks_dirty_what_was_produced(void **state)
{
	struct mem_mapping m;
	struct dma_rig d;
	struct user u;

	(void)state;
	dma_rig_init(&d);
	user_init(&u);
	assert_int_equal(region_dirty_start(&d.ram, 0), 0);
	as_map(&d.dma, &u.client, 0x1800, 0x2000, MEM_WRITE, &m);
	assert_int_equal(m.length, 0x2000);
	assert_false(region_is_dirty(&d.ram, 0, 0, 0x8000));
	as_unmap(&m, 0x801);
	assert_true(region_is_dirty(&d.ram, 0, 0x1000, 0x1000));
	assert_true(region_is_dirty(&d.ram, 0, 0x2000, 1));
	assert_false(region_is_dirty(&d.ram, 0, 0x3000, 0x5000));
	as_map(&d.dma, &u.client, 0x5000, 0x10, MEM_READ, &m);
	as_unmap(&m, 0x10);
	assert_false(region_is_dirty(&d.ram, 0, 0x3000, 0x5000));
	region_destroy(&d.ram);
	dma_rig_destroy(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ram_is_mapped_without_a_copy),
		cmocka_unit_test(a_mapping_ends_where_its_memory_does),
		cmocka_unit_test(what_cannot_be_mapped_is_told_why),
		cmocka_unit_test(a_device_is_mapped_through_a_slot_and_gets_just_what_was_produced),
		cmocka_unit_test(slots_are_a_quota_and_a_freed_one_calls_back_once),
		cmocka_unit_test(a_stale_copy_of_a_mapping_unmaps_nothing),
		cmocka_unit_test(contiguous_pages_are_one_mapping),
		cmocka_unit_test(what_is_denied_is_not_mapped_and_recorded),
		cmocka_unit_test(an_invalidation_revokes_just_the_mappings_over_its_range),
		cmocka_unit_test(nothing_stale_is_written_after_an_invalidation),
		cmocka_unit_test(a_bounced_write_goes_to_the_translated_address),
		cmocka_unit_test(a_translation_invalidated_while_mapping_is_made_anew),
		cmocka_unit_test(a_fixed_translator_needs_no_links),
		cmocka_unit_test(a_chain_is_revoked_by_any_of_its_links),
		cmocka_unit_test(a_mapping_does_not_go_on_through_another_chain),
		cmocka_unit_test(a_mapping_marks_dirty_what_was_produced),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
