// SPDX-License-Identifier: BSD-2-Clause
/* What the rendered view of a tree is, lookups in it, and what listeners hear of its changes. */
#include "tests/unit/mm_rig.h"

#include <errno.h>
#include <stdio.h>

static u8 memory[0x10000];

/* The example of QEMU's docs/devel/memory.rst, with and without ops on B. */
static void view_is_that_of_the_documented_example(bool b_has_ops)
{
	struct probe probe = { 0 };
	struct region a, b, c, d, e;
	struct rig rig;

	rig_init(&rig);
	region_init_container(&a, "A", 0x8000);
	if (b_has_ops)
		region_init_container_ops(&b, "B", 0x4000, &probe_ops, &probe);
	else
		region_init_container(&b, "B", 0x4000);
	region_init_mmio(&c, "C", 0x6000, &probe_ops, &probe);
	region_init_mmio(&d, "D", 0x1000, &probe_ops, &probe);
	region_init_mmio(&e, "E", 0x1000, &probe_ops, &probe);
	assert_int_equal(region_add(&a, 0, &c, 1), 0);
	assert_int_equal(region_add(&a, 0x2000, &b, 2), 0);
	assert_int_equal(region_add(&b, 0, &d, 0), 0);
	assert_int_equal(region_add(&b, 0x2000, &e, 0), 0);
	assert_int_equal(region_add(&rig.root, 0, &a, 0), 0);
	if (b_has_ops)
		ASSERT_VIEW(&rig.as, { 0, 0x1fff, &c, 0 }, { 0x2000, 0x2fff, &d, 0 },
			    { 0x3000, 0x3fff, &b, 0x1000 }, { 0x4000, 0x4fff, &e, 0 },
			    { 0x5000, 0x5fff, &b, 0x3000 });
	else
		ASSERT_VIEW(&rig.as, { 0, 0x1fff, &c, 0 }, { 0x2000, 0x2fff, &d, 0 },
			    { 0x3000, 0x3fff, &c, 0x3000 }, { 0x4000, 0x4fff, &e, 0 },
			    { 0x5000, 0x5fff, &c, 0x5000 });
	assert_int_equal(at(&rig.as, 0x6000)->kind, SECTION_UNCLAIMED);
	rig_destroy(&rig);
}

static void container_without_ops_lets_lower_siblings_through(void **state)
{
	(void)state;
	view_is_that_of_the_documented_example(false);
}

static void container_with_ops_answers_where_no_child_does(void **state)
{
	(void)state;
	view_is_that_of_the_documented_example(true);
}

static void an_empty_tree_is_one_unclaimed_section(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	assert_view(&rig.as, NULL, 0);
	assert_int_equal(as_view(&rig.as)->count, 1);
	assert_int_equal(at(&rig.as, 0)->unclaimed, UNCLAIMED_ONES);
	assert_int_equal(at(&rig.as, ~0ull)->last, ~0ull);
	rig_destroy(&rig);
}

static void regions_reach_the_last_byte_of_the_space(void **state)
{
	struct region whole, top, alias;
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_mmio(&whole, "whole", REGION_SIZE_WHOLE, &probe_ops, &probe);
	region_init_mmio(&top, "top", 0x1000, &probe_ops, &probe);
	assert_int_equal(region_add(&rig.root, 0, &whole, 0), 0);
	ASSERT_VIEW(&rig.as, { 0, ~0ull, &whole, 0 });
	assert_int_equal(region_add(&rig.root, ~0xfffull, &top, 1), 0);
	ASSERT_VIEW(&rig.as, { 0, ~0x1000ull, &whole, 0 }, { ~0xfffull, ~0ull, &top, 0 });
	region_set_offset(&whole, 0x5000);
	ASSERT_VIEW(&rig.as, { 0x5000, ~0x1000ull, &whole, 0 }, { ~0xfffull, ~0ull, &top, 0 });
	/* Clipped at 2^64, never wrapped to 0. */
	region_set_offset(&top, ~0x7ffull);
	ASSERT_VIEW(&rig.as, { 0x5000, ~0x800ull, &whole, 0 }, { ~0x7ffull, ~0ull, &top, 0 });
	region_remove(&whole);
	region_init_alias(&alias, "alias", REGION_SIZE_WHOLE, &top, 0x800);
	assert_int_equal(region_add(&rig.root, 0x10, &alias, 0), 0);
	ASSERT_VIEW(&rig.as, { 0x10, 0x80f, &top, 0x800 }, { ~0x7ffull, ~0ull, &top, 0 });
	rig_destroy(&rig);
}

static void aliases_show_parts_of_aliases_of_containers(void **state)
{
	struct region ram, mmio, box, first, second;
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_ram(&ram, "ram", 0x4000, memory);
	region_init_mmio(&mmio, "mmio", 0x1000, &probe_ops, &probe);
	region_init_container(&box, "box", 0x8000);
	region_add(&box, 0x1000, &ram, 0);
	region_add(&box, 0x2000, &mmio, 1);
	region_init_alias(&first, "first", 0x4000, &box, 0x1800);
	region_init_alias(&second, "second", 0x10000, &first, 0x400);
	region_add(&rig.root, 0x100000, &second, 0);
	/* second+0 = first+0x400 = box+0x1c00 = ram+0xc00; first ends at box+0x5800, ram at box+0x5000. */
	ASSERT_VIEW(&rig.as, { 0x100000, 0x1003ff, &ram, 0xc00 }, { 0x100400, 0x1013ff, &mmio, 0 },
		    { 0x101400, 0x1033ff, &ram, 0x2000 });
	/* Past the end of the target nothing is shown; also where the sum would wrap. */
	region_set_alias_offset(&second, 0x4000);
	assert_view(&rig.as, NULL, 0);
	region_set_alias_offset(&second, ~0ull);
	assert_view(&rig.as, NULL, 0);
	region_set_alias_offset(&second, 0x3fff);
	assert_view(&rig.as, NULL, 0);
	region_set_alias_offset(&second, 0x3000);
	ASSERT_VIEW(&rig.as, { 0x100000, 0x1007ff, &ram, 0x3800 });
	rig_destroy(&rig);
}

static void alias_of_a_range_before_its_own_address_does_not_wrap(void **state)
{
	struct region high, alias;
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_mmio(&high, "high", REGION_SIZE_WHOLE, &probe_ops, &probe);
	region_init_alias(&alias, "alias", 0x1000, &high, ~0xfffull);
	region_add(&rig.root, 0x2000, &alias, 0);
	ASSERT_VIEW(&rig.as, { 0x2000, 0x2fff, &high, ~0xfffull });
	region_resize(&alias, 0x2000);
	ASSERT_VIEW(&rig.as, { 0x2000, 0x2fff, &high, ~0xfffull });
	rig_destroy(&rig);
}

static void neighbours_that_continue_each_other_are_one_section(void **state)
{
	struct region ram, low, high, hole;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_ram(&ram, "ram", 0x4000, memory);
	region_init_alias(&low, "low", 0x1000, &ram, 0);
	region_init_alias(&high, "high", 0x1000, &ram, 0x1000);
	region_init_reserved(&hole, "hole", 0x800);
	region_add(&rig.root, 0, &low, 0);
	region_add(&rig.root, 0x1000, &high, 0);
	ASSERT_VIEW(&rig.as, { 0, 0x1fff, &ram, 0 });
	region_set_alias_offset(&high, 0x2000);
	ASSERT_VIEW(&rig.as, { 0, 0xfff, &ram, 0 }, { 0x1000, 0x1fff, &ram, 0x2000 });
	region_set_alias_offset(&high, 0x1000);
	region_set_readonly(&high, true);
	ASSERT_VIEW(&rig.as, { 0, 0xfff, &ram, 0 }, { 0x1000, 0x1fff, &ram, 0x1000 });
	region_set_readonly(&high, false);
	region_add(&rig.root, 0xc00, &hole, 1);
	ASSERT_VIEW(&rig.as, { 0, 0xbff, &ram, 0 }, { 0xc00, 0x13ff, &hole, 0 },
		    { 0x1400, 0x1fff, &ram, 0x1400 });
	rig_destroy(&rig);
}

static void priorities_are_signed_and_compared_among_siblings_only(void **state)
{
	struct region ram, low_box, high_box, x, y;
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_ram(&ram, "ram", 0x3000, memory);
	region_init_container(&low_box, "low box", 0x2000);
	region_init_container(&high_box, "high box", 0x2000);
	region_init_mmio(&x, "x", 0x1000, &probe_ops, &probe);
	region_init_mmio(&y, "y", 0x1000, &probe_ops, &probe);
	region_add(&low_box, 0x1000, &x, 1000);
	region_add(&high_box, 0, &y, -1000);
	region_add(&rig.root, 0, &ram, 0);
	region_add(&rig.root, 0, &low_box, -1);
	region_add(&rig.root, 0, &high_box, 1);
	ASSERT_VIEW(&rig.as, { 0, 0xfff, &y, 0 }, { 0x1000, 0x2fff, &ram, 0x1000 });
	region_remove(&ram);
	ASSERT_VIEW(&rig.as, { 0, 0xfff, &y, 0 }, { 0x1000, 0x1fff, &x, 0 });
	rig_destroy(&rig);
}

static void a_bar_moved_out_of_its_window_vanishes(void **state)
{
	struct region window, bar;
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_container(&window, "pci window", 0x10000);
	region_init_mmio(&bar, "bar", 0x1000, &probe_ops, &probe);
	region_add(&rig.root, 0xe0000000, &window, 0);
	region_add_overlapping(&window, 0xf800, &bar, 0);
	ASSERT_VIEW(&rig.as, { 0xe000f800, 0xe000ffff, &bar, 0 });
	region_set_offset(&bar, 0x10000);
	assert_view(&rig.as, NULL, 0);
	region_set_offset(&bar, ~0ull);
	assert_view(&rig.as, NULL, 0);
	region_set_offset(&bar, 0x4000);
	ASSERT_VIEW(&rig.as, { 0xe0004000, 0xe0004fff, &bar, 0 });
	rig_destroy(&rig);
}

/* What is on top among equals that were let overlap: the lower offset, then the one that came last. */
static void overlap_of_equals_follows_the_documented_order(void **state)
{
	struct region a, b, c;
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_mmio(&a, "a", 0x2000, &probe_ops, &probe);
	region_init_mmio(&b, "b", 0x2000, &probe_ops, &probe);
	region_init_mmio(&c, "c", 0x1000, &probe_ops, &probe);
	region_add_overlapping(&rig.root, 0x1000, &a, 0);
	region_add_overlapping(&rig.root, 0x2000, &b, 0);
	ASSERT_VIEW(&rig.as, { 0x1000, 0x2fff, &a, 0 }, { 0x3000, 0x3fff, &b, 0x1000 });
	region_add_overlapping(&rig.root, 0x1000, &c, 0);
	ASSERT_VIEW(&rig.as, { 0x1000, 0x1fff, &c, 0 }, { 0x2000, 0x2fff, &a, 0x1000 },
		    { 0x3000, 0x3fff, &b, 0x1000 });
	region_set_offset(&b, 0x1000);
	ASSERT_VIEW(&rig.as, { 0x1000, 0x2fff, &b, 0 });
	rig_destroy(&rig);
}

static void policies_of_containers_reach_what_nobody_claims(void **state)
{
	struct region outer, inner, ram, behind;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_container(&outer, "outer", 0x8000);
	region_init_container(&inner, "inner", 0x2000);
	region_init_ram(&ram, "ram", 0x1000, memory);
	region_init_ram(&behind, "behind", 0x1000, memory);
	region_set_unclaimed(&outer, UNCLAIMED_ZEROS);
	region_set_unclaimed(&inner, UNCLAIMED_STOP);
	region_add(&rig.root, 0, &outer, 1);
	region_add(&outer, 0x2000, &inner, 0);
	region_add(&inner, 0, &ram, 0);
	/* Of lower priority than the container whose policy is there: a policy hides nothing. */
	region_add(&rig.root, 0x6000, &behind, 0);
	ASSERT_VIEW(&rig.as, { 0x2000, 0x2fff, &ram, 0 }, { 0x6000, 0x6fff, &behind, 0 });
	assert_int_equal(at(&rig.as, 0x1000)->unclaimed, UNCLAIMED_ZEROS);
	assert_ptr_equal(at(&rig.as, 0x1000)->region, &outer);
	assert_int_equal(at(&rig.as, 0x3000)->unclaimed, UNCLAIMED_STOP);
	assert_int_equal(at(&rig.as, 0x4000)->unclaimed, UNCLAIMED_ZEROS);
	assert_int_equal(at(&rig.as, 0x8000)->unclaimed, UNCLAIMED_ONES);
	assert_null(at(&rig.as, 0x8000)->region);
	region_set_unclaimed(&inner, UNCLAIMED_INHERIT);
	assert_int_equal(at(&rig.as, 0x3000)->unclaimed, UNCLAIMED_ZEROS);
	region_set_unclaimed(&inner, UNCLAIMED_INHERIT);
	rig_destroy(&rig);
}

static void read_only_is_inherited_through_containers_and_aliases(void **state)
{
	struct region box, ram, mmio, alias;
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_container(&box, "box", 0x4000);
	region_init_ram(&ram, "ram", 0x1000, memory);
	region_init_mmio(&mmio, "mmio", 0x1000, &probe_ops, &probe);
	region_init_alias(&alias, "alias", 0x4000, &box, 0);
	region_add(&box, 0, &ram, 0);
	region_add(&box, 0x1000, &mmio, 0);
	region_add(&rig.root, 0, &box, 0);
	region_add(&rig.root, 0x10000, &alias, 0);
	assert_int_equal(at(&rig.as, 0x10000)->kind, SECTION_RAM);
	region_set_readonly(&alias, true);
	assert_int_equal(at(&rig.as, 0)->kind, SECTION_RAM);
	assert_int_equal(at(&rig.as, 0x10000)->kind, SECTION_ROM);
	assert_int_equal(at(&rig.as, 0x10000)->flags, SECTION_READ_DIRECT | SECTION_READONLY);
	assert_int_equal(at(&rig.as, 0x11000)->flags, SECTION_READONLY);
	assert_int_equal(at(&rig.as, 0x11000)->write_sizes, 0);
	assert_int_equal(at(&rig.as, 0x11000)->read_sizes, 15);
	region_set_readonly(&box, true);
	region_set_readonly(&box, true);
	assert_int_equal(at(&rig.as, 0)->kind, SECTION_ROM);
	rig_destroy(&rig);
}

/* Many sections in clusters and alone: the directory against a linear search, at every edge. */
static void lookups_find_the_section_whatever_the_layout(void **state)
{
	static struct region regions[600];
	struct probe probe = { 0 };
	u64 seed = 1;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	mem_transaction_begin(&rig.core);
	for (unsigned i = 0; i < ARRAY_SIZE(regions); i++) {
		u64 offset;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		offset = seed >> (seed >> 8 & 63); /* every magnitude */
		region_init_mmio(&regions[i], "r", 1 + (seed >> 50), &probe_ops, &probe);
		assert_int_equal(region_add_overlapping(&rig.root, offset, &regions[i], (s32)(i % 7) - 3), 0);
	}
	assert_int_equal(mem_transaction_commit(&rig.core), 0);
	assert_true(as_view(&rig.as)->count > 300);
	for (u32 i = 0; i < as_view(&rig.as)->count; i++) {
		const struct section *section = &as_view(&rig.as)->sections[i];

		assert_ptr_equal(at(&rig.as, section->first), section);
		assert_ptr_equal(at(&rig.as, section->last), section);
		assert_ptr_equal(at(&rig.as, section->first + (section->last - section->first) / 2), section);
	}
	rig_destroy(&rig);
}

static void a_view_of_too_many_sections_is_refused_and_the_old_one_stays(void **state)
{
	enum { COUNT = 33000 };
	struct region *regions = calloc(COUNT, sizeof(*regions)), box;
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_container(&box, "box", REGION_SIZE_WHOLE);
	for (unsigned i = COUNT; i-- > 0;) {
		region_init_mmio(&regions[i], "r", 1, &probe_ops, &probe);
		assert_int_equal(region_add_overlapping(&box, 2 * i, &regions[i], 0), 0);
	}
	mem_transaction_begin(&rig.core);
	assert_int_equal(region_add(&rig.root, 0, &box, 0), 0);
	assert_int_equal(mem_transaction_commit(&rig.core), -E2BIG);
	assert_view(&rig.as, NULL, 0);
	/* Marked still: the next commit tries again, and with less it succeeds. */
	mem_transaction_begin(&rig.core);
	for (unsigned i = 0; i < COUNT - 30000; i++)
		region_remove(&regions[i]);
	assert_int_equal(mem_transaction_commit(&rig.core), 0);
	assert_int_equal(as_view(&rig.as)->count, 60001);
	rig_destroy(&rig);
	free(regions);
}

static void sections_above_the_limit_of_the_directory_are_refused(void **state)
{
	enum { COUNT = 32768 };
	struct region *regions = calloc(COUNT, sizeof(*regions));
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	mem_transaction_begin(&rig.core);
	for (unsigned i = COUNT; i-- > 0;) {
		region_init_mmio(&regions[i], "r", 1, &probe_ops, &probe);
		region_add_overlapping(&rig.root, 2 * i + 1, &regions[i], 0);
	}
	assert_int_equal(mem_transaction_commit(&rig.core), -E2BIG);
	region_remove(&regions[0]);
	assert_int_equal(as_view(&rig.as)->count, 65535);
	assert_ptr_equal(at(&rig.as, 2 * (COUNT - 1) + 1)->region, &regions[COUNT - 1]);
	rig_destroy(&rig);
	free(regions);
}

static void aliases_that_multiply_are_refused(void **state)
{
	enum { LEVELS = 14, WAYS = 4 };
	static struct region box[LEVELS + 1], alias[LEVELS][WAYS];
	struct rig rig;

	(void)state;
	rig_init(&rig);
	for (int i = LEVELS; i >= 0; i--)
		region_init_container(&box[i], "box", 0x1000);
	/*
	 * Each level shows the next one four times; two halves, each small enough to be searched, are joined
	 * at last.
	 */
	for (int i = LEVELS - 1; i >= 0; i--) {
		for (int way = 0; way < WAYS && i != LEVELS / 2; way++) {
			region_init_alias(&alias[i][way], "alias", 0x1000, &box[i + 1], 0);
			assert_int_equal(region_add(&box[i], 0, &alias[i][way], way), 0);
		}
	}
	assert_int_equal(region_add(&rig.root, 0, &box[0], 0), 0);
	mem_transaction_begin(&rig.core);
	assert_int_equal(region_add(&box[LEVELS / 2], 0, &box[LEVELS / 2 + 1], 0), 0);
	assert_int_equal(mem_transaction_commit(&rig.core), -E2BIG);
	/* And no further: the next search gives up and says so. */
	region_init_container(&alias[LEVELS / 2][0], "more", 0x1000);
	assert_int_equal(region_add(&box[LEVELS], 0, &alias[LEVELS / 2][0], 0), -ELOOP);
	rig_destroy(&rig);
}

/*
 * ---- listeners
 * ----------------------------------------------------------------------------------------------
 */

struct heard {
	struct mem_listener listener;
	char text[256];
};

static void hear(struct mem_listener *listener, char what, const struct section *section)
{
	struct heard *heard = container_of(listener, struct heard, listener);
	size_t length = strlen(heard->text);

	if (section)
		snprintf(heard->text + length, sizeof(heard->text) - length, "%c%s@%llx ", what,
			 section->region->name, (unsigned long long)section->first);
	else
		snprintf(heard->text + length, sizeof(heard->text) - length, "%c", what);
}

static void hear_begin(struct mem_listener *listener)
{
	hear(listener, '(', NULL);
}

static void hear_commit(struct mem_listener *listener)
{
	hear(listener, ')', NULL);
}

static void hear_add(struct mem_listener *listener, const struct section *section)
{
	hear(listener, '+', section);
}

static void hear_remove(struct mem_listener *listener, const struct section *section)
{
	hear(listener, '-', section);
}

static void hear_keep(struct mem_listener *listener, const struct section *section)
{
	hear(listener, '=', section);
}

static void hear_change(struct mem_listener *listener, const struct section *old, const struct section *now)
{
	assert_ptr_equal(old->region, now->region);
	assert_int_equal(old->first, now->first);
	assert_int_not_equal(old->flags, now->flags);
	hear(listener, '~', now);
}

#define EAR                                                                                         \
	{                                                                                           \
		.begin = hear_begin, .commit = hear_commit, .add = hear_add, .remove = hear_remove, \
		.keep = hear_keep                                                                   \
	}

#define assert_heard(heard, expected)                         \
	do {                                                  \
		assert_string_equal((heard)->text, expected); \
		(heard)->text[0] = 0;                         \
	} while (0)

static void listeners_hear_exactly_what_changed(void **state)
{
	struct heard heard = { .listener = EAR }, changes = { .listener = EAR };
	struct region ram, mmio, top;
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	changes.listener.change = hear_change;
	rig_init(&rig);
	region_init_ram(&ram, "ram", 0x4000, memory);
	region_init_mmio(&mmio, "mmio", 0x1000, &probe_ops, &probe);
	region_init_mmio(&top, "top", 0x1000, &probe_ops, &probe);
	region_add(&rig.root, 0, &ram, 0);
	as_listen(&rig.as, &heard.listener);
	as_listen(&rig.as, &changes.listener);
	assert_heard(&heard, "(+ram@0 )");
	assert_heard(&changes, "(+ram@0 )");
	region_add(&rig.root, 0x8000, &mmio, 0);
	assert_heard(&heard, "(=ram@0 +mmio@8000 )");
	region_add(&rig.root, 0x1000, &top, 1);
	assert_heard(&heard, "(-ram@0 +ram@0 +top@1000 +ram@2000 =mmio@8000 )");
	region_set_offset(&mmio, 0x9000);
	assert_heard(&heard, "(-mmio@8000 =ram@0 =top@1000 =ram@2000 +mmio@9000 )");
	changes.text[0] = 0;
	region_set_readonly(&ram, true);
	assert_heard(&heard, "(-ram@0 -ram@2000 +ram@0 =top@1000 +ram@2000 =mmio@9000 )");
	assert_heard(&changes, "(~ram@0 =top@1000 ~ram@2000 =mmio@9000 )");
	region_set_enabled(&top, false);
	assert_heard(&heard, "(-ram@0 -top@1000 -ram@2000 +ram@0 =mmio@9000 )");
	changes.text[0] = 0;
	as_unlisten(&rig.as, &changes.listener);
	assert_heard(&changes, "(-ram@0 -mmio@9000 )");
	as_unlisten(&rig.as, &changes.listener);
	assert_heard(&changes, "");
	as_unlisten(&rig.as, &heard.listener);
	rig_destroy(&rig);
}

static void a_section_that_becomes_something_else_is_removed_and_added(void **state)
{
	struct heard heard = { .listener = EAR };
	struct region rom, other;
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	heard.listener.change = hear_change;
	rig_init(&rig);
	region_init_rom_device(&rom, "flash", 0x1000, memory, &probe_ops, &probe);
	region_init_ram(&other, "other", 0x1000, memory + 0x1000);
	region_add(&rig.root, 0, &rom, 0);
	as_listen(&rig.as, &heard.listener);
	heard.text[0] = 0;
	region_set_direct(&rom, false);
	assert_heard(&heard, "(-flash@0 +flash@0 )");
	region_set_direct(&rom, false);
	assert_heard(&heard, "");
	mem_transaction_begin(&rig.core);
	region_remove(&rom);
	region_add(&rig.root, 0, &other, 0);
	mem_transaction_commit(&rig.core);
	assert_heard(&heard, "(-flash@0 +other@0 )");
	region_resize(&other, 0x800);
	assert_heard(&heard, "(-other@0 +other@0 )");
	as_unlisten(&rig.as, &heard.listener);
	rig_destroy(&rig);
}

static void listeners_may_leave_functions_out(void **state)
{
	struct mem_listener deaf = { 0 };
	struct region ram;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_ram(&ram, "ram", 0x1000, memory);
	as_listen(&rig.as, &deaf);
	region_add(&rig.root, 0, &ram, 0);
	region_changed(&ram);
	region_remove(&ram);
	as_unlisten(&rig.as, &deaf);
	rig_destroy(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(container_without_ops_lets_lower_siblings_through),
		cmocka_unit_test(container_with_ops_answers_where_no_child_does),
		cmocka_unit_test(an_empty_tree_is_one_unclaimed_section),
		cmocka_unit_test(regions_reach_the_last_byte_of_the_space),
		cmocka_unit_test(aliases_show_parts_of_aliases_of_containers),
		cmocka_unit_test(alias_of_a_range_before_its_own_address_does_not_wrap),
		cmocka_unit_test(neighbours_that_continue_each_other_are_one_section),
		cmocka_unit_test(priorities_are_signed_and_compared_among_siblings_only),
		cmocka_unit_test(a_bar_moved_out_of_its_window_vanishes),
		cmocka_unit_test(overlap_of_equals_follows_the_documented_order),
		cmocka_unit_test(policies_of_containers_reach_what_nobody_claims),
		cmocka_unit_test(read_only_is_inherited_through_containers_and_aliases),
		cmocka_unit_test(lookups_find_the_section_whatever_the_layout),
		cmocka_unit_test(a_view_of_too_many_sections_is_refused_and_the_old_one_stays),
		cmocka_unit_test(sections_above_the_limit_of_the_directory_are_refused),
		cmocka_unit_test(aliases_that_multiply_are_refused),
		cmocka_unit_test(listeners_hear_exactly_what_changed),
		cmocka_unit_test(a_section_that_becomes_something_else_is_removed_and_added),
		cmocka_unit_test(listeners_may_leave_functions_out),
	};

	return cmocka_run_group_tests_name("flatview", tests, NULL, NULL);
}
