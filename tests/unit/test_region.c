// SPDX-License-Identifier: BSD-2-Clause
/* Trees of regions: what is refused, what changes do, transactions, readers and the life of views. */
#include "tests/unit/mm_rig.h"

#include <errno.h>

#include "mm/mtree.h"

static u8 memory[0x4000];

static void impossible_regions_are_refused(void **state)
{
	struct region_ops bad[] = {
		{ .read = probe_read, .valid = { .min = 3 } },
		{ .read = probe_read, .valid = { .max = 16 } },
		{ .read = probe_read, .impl = { .min = 4, .max = 2 } },
		{ .read = probe_read, .impl = { .max = 6 } },
	};
	struct region r, target;
	struct address_space as;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_container(&r, "none", 0);
	assert_int_equal(region_add(&rig.root, 0, &r, 0), -EINVAL);
	assert_int_equal(as_init(&as, &rig.core, "none", &r, UNCLAIMED_ONES), -EINVAL);
	region_init_container(&r, "huge", REGION_SIZE_WHOLE + 1);
	assert_int_equal(region_add(&rig.root, 0, &r, 0), -EINVAL);
	region_init_ram(&r, "no memory", 0x1000, NULL);
	assert_int_equal(region_add(&rig.root, 0, &r, 0), -EINVAL);
	region_init_alias(&r, "no target", 0x1000, NULL, 0);
	assert_int_equal(region_add(&rig.root, 0, &r, 0), -EINVAL);
	region_init_mmio(&r, "no ops", 0x1000, NULL, NULL);
	assert_int_equal(region_add(&rig.root, 0, &r, 0), -EINVAL);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		region_init_mmio(&r, "bad ops", 0x1000, &bad[i], NULL);
		assert_int_equal(region_add(&rig.root, 0, &r, 0), -EINVAL);
	}
	assert_non_null(strstr(host_log_last(), "bad ops"));
	/* Only containers have children. */
	region_init_ram(&target, "ram", 0x1000, memory);
	region_init_ram(&r, "child", 0x1000, memory);
	assert_int_equal(region_add(&target, 0, &r, 0), -EINVAL);
	assert_non_null(strstr(host_log_last(), "no container"));
	region_destroy(&r);
	assert_int_equal(region_add(&rig.root, 0, &r, 0), -EINVAL);
	assert_int_equal(region_resize(&target, 0), -EINVAL);
	assert_int_equal(region_resize(&target, REGION_SIZE_WHOLE + 1), -EINVAL);
	rig_destroy(&rig);
}

static void an_alias_of_a_region_without_size_shows_nothing(void **state)
{
	struct region empty, alias;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_reserved(&empty, "empty", 0);
	region_init_alias(&alias, "alias", 0x1000, &empty, 0);
	assert_int_equal(region_add(&rig.root, 0x1000, &alias, 0), 0);
	assert_int_equal(as_view(&rig.as)->count, 1);
	region_remove(&alias);
	rig_destroy(&rig);
}

static void a_region_has_one_parent(void **state)
{
	struct region box, ram;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_container(&box, "box", 0x1000);
	region_init_ram(&ram, "ram", 0x1000, memory);
	assert_int_equal(region_add(&box, 0, &ram, 0), 0);
	assert_int_equal(region_add(&rig.root, 0, &ram, 0), -EBUSY);
	/* Also where it would tie with itself. */
	assert_int_equal(region_add(&box, 0, &ram, 0), -EBUSY);
	region_remove(&ram);
	region_remove(&ram);
	assert_int_equal(region_add(&rig.root, 0, &ram, 0), 0);
	rig_destroy(&rig);
}

static void ties_are_refused_and_name_both_regions_with_their_ranges(void **state)
{
	struct region ram, mmio, above, below;
	struct probe probe = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_ram(&ram, "low memory", 0x2000, memory);
	region_init_mmio(&mmio, "a device", 0x1000, &probe_ops, &probe);
	region_init_mmio(&above, "above", 0x1000, &probe_ops, &probe);
	region_init_mmio(&below, "below", 0x1000, &probe_ops, &probe);
	assert_int_equal(region_add(&rig.root, 0x1000, &ram, 0), 0);
	assert_int_equal(region_add(&rig.root, 0x1000, &above, 1), 0);
	assert_int_equal(region_add(&rig.root, 0x1000, &below, -1), 0);
	assert_int_equal(region_add(&rig.root, 0x2fff, &mmio, 0), -EEXIST);
	assert_non_null(strstr(host_log_last(), "'a device' 0x2fff-0x3ffe"));
	assert_non_null(strstr(host_log_last(), "'low memory' 0x1000-0x2fff"));
	assert_null(mmio.parent);
	assert_int_equal(region_add(&rig.root, 1, &mmio, 0), -EEXIST);
	assert_int_equal(region_add(&rig.root, 0x1800, &mmio, 1), -EEXIST);
	/* Neighbours, other priorities and the disabled do not tie. */
	assert_int_equal(region_add(&rig.root, 0x3000, &mmio, 0), 0);
	region_remove(&mmio);
	assert_int_equal(region_add(&rig.root, 0x1000, &mmio, 2), 0);
	region_remove(&mmio);
	region_set_enabled(&mmio, false);
	assert_int_equal(region_add(&rig.root, 0x1000, &mmio, 0), 0);
	region_remove(&mmio);
	region_set_enabled(&mmio, true);
	region_set_enabled(&ram, false);
	assert_int_equal(region_add(&rig.root, 0x1000, &mmio, 0), 0);
	region_remove(&mmio);
	/* A range that would end behind 2^64 ends there. */
	region_set_enabled(&ram, true);
	region_set_offset(&ram, ~0xfffull);
	assert_int_equal(region_add(&rig.root, 0, &mmio, 0), 0);
	region_remove(&mmio);
	assert_int_equal(region_add(&rig.root, ~0ull, &mmio, 0), -EEXIST);
	rig_destroy(&rig);
}

static void loops_are_refused(void **state)
{
	struct region outer, inner, alias, second, self;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_container(&outer, "outer", 0x4000);
	region_init_container(&inner, "inner", 0x2000);
	region_init_alias(&alias, "alias", 0x1000, &outer, 0);
	region_init_alias(&second, "second", 0x1000, &alias, 0);
	assert_int_equal(region_add(&outer, 0, &outer, 0), -ELOOP);
	assert_int_equal(region_add(&outer, 0, &inner, 0), 0);
	assert_int_equal(region_add(&inner, 0, &outer, 0), -ELOOP);
	assert_int_equal(region_add(&inner, 0, &alias, 0), -ELOOP);
	assert_int_equal(region_add(&inner, 0, &second, 0), -ELOOP);
	assert_int_equal(region_add(&outer, 0x3000, &alias, 0), -ELOOP);
	/* An alias of what it is not in is none. */
	assert_int_equal(region_add(&rig.root, 0, &alias, 0), 0);
	assert_int_equal(region_add(&rig.root, 0x1000, &second, 0), 0);
	/* The other way about: the container goes into what its alias is in. */
	assert_int_equal(region_add(&rig.root, 0x2000, &outer, 0), 0);
	region_init_alias(&self, "self", 0x1000, &self, 0);
	assert_int_equal(region_add(&rig.root, 0x8000, &self, 0), -ELOOP);
	rig_destroy(&rig);
}

static void nesting_is_bounded(void **state)
{
	struct region box[REGION_DEPTH_MAX + 2], *top;
	struct address_space as;
	struct rig rig;
	unsigned fit = 0;

	(void)state;
	rig_init(&rig);
	for (unsigned i = 0; i < ARRAY_SIZE(box); i++)
		region_init_container(&box[i], "box", 0x1000);
	for (top = &rig.root; fit < ARRAY_SIZE(box) && !region_add(top, 0, &box[fit], 0); top = &box[fit++])
		;
	assert_int_equal(fit, REGION_DEPTH_MAX - 1);
	/* From below, too: a deep tree does not go into one that is deep already. */
	assert_int_equal(region_add(&box[fit], 0, &box[fit + 1], 0), 0);
	assert_int_equal(region_add(&box[fit - 2], 0x800, &box[fit], 1), -ELOOP);
	/* An alias that shows itself as a root is found when it is rendered. */
	region_init_alias(&box[fit], "self", 0x1000, &box[fit], 0);
	assert_int_equal(as_init(&as, &rig.core, "self", &box[fit], UNCLAIMED_ONES), -ELOOP);
	rig_destroy(&rig);
}

static void nested_transactions_rebuild_each_affected_space_once(void **state)
{
	struct region a, b, other_root, other;
	struct address_space second, apart;
	struct rig rig;
	u64 before;

	(void)state;
	rig_init(&rig);
	region_init_container(&other_root, "other", 0x10000);
	assert_int_equal(as_init(&second, &rig.core, "second", &rig.root, UNCLAIMED_ZEROS), 0);
	assert_int_equal(as_init(&apart, &rig.core, "apart", &other_root, UNCLAIMED_ONES), 0);
	region_init_ram(&a, "a", 0x1000, memory);
	region_init_ram(&b, "b", 0x1000, memory + 0x1000);
	region_init_ram(&other, "other ram", 0x1000, memory + 0x2000);
	before = rig.core.rebuilds;
	mem_transaction_begin(&rig.core);
	region_add(&rig.root, 0, &a, 0);
	mem_transaction_begin(&rig.core);
	region_add(&rig.root, 0x1000, &b, 0);
	region_set_offset(&b, 0x2000);
	assert_int_equal(mem_transaction_commit(&rig.core), 0);
	assert_view(&rig.as, NULL, 0);
	assert_int_equal(rig.core.rebuilds, before);
	assert_int_equal(mem_transaction_commit(&rig.core), 0);
	assert_int_equal(rig.core.rebuilds, before + 2);
	ASSERT_VIEW(&rig.as, { 0, 0xfff, &a, 0 }, { 0x2000, 0x2fff, &b, 0 });
	ASSERT_VIEW(&second, { 0, 0xfff, &a, 0 }, { 0x2000, 0x2fff, &b, 0 });
	assert_int_equal(mem_transaction_commit(&rig.core), -EINVAL);
	region_add(&other_root, 0, &other, 0);
	assert_int_equal(rig.core.rebuilds, before + 3);
	as_destroy(&second);
	as_destroy(&apart);
	rig_destroy(&rig);
}

static void changes_that_nobody_can_see_rebuild_nothing(void **state)
{
	struct region box, ram, alias, loose;
	struct rig rig;
	u64 before;

	(void)state;
	rig_init(&rig);
	region_init_container(&box, "box", 0x4000);
	region_init_ram(&ram, "ram", 0x1000, memory);
	region_init_alias(&alias, "alias", 0x1000, &ram, 0);
	region_init_ram(&loose, "loose", 0x1000, memory);
	region_set_enabled(&box, false);
	region_set_enabled(&alias, false);
	region_add(&rig.root, 0, &box, 0);
	region_add(&rig.root, 0x8000, &alias, 0);
	before = rig.core.rebuilds;
	region_add(&box, 0, &ram, 0);
	region_set_offset(&ram, 0x1000);
	region_set_readonly(&ram, true);
	region_set_enabled(&ram, false);
	region_set_enabled(&ram, true);
	region_resize(&alias, 0x800);
	region_set_offset(&loose, 0x1000);
	region_set_readonly(&loose, true);
	/* The same again is no change. */
	region_set_enabled(&box, false);
	region_set_offset(&ram, 0x1000);
	region_resize(&ram, 0x1000);
	region_set_alias_offset(&alias, 0);
	assert_int_equal(rig.core.rebuilds, before);
	region_set_enabled(&alias, true);
	ASSERT_VIEW(&rig.as, { 0x8000, 0x87ff, &ram, 0 });
	assert_int_equal(at(&rig.as, 0x8000)->kind, SECTION_ROM);
	/* Seen through the alias, though its container is not. */
	region_set_readonly(&ram, false);
	assert_int_equal(at(&rig.as, 0x8000)->kind, SECTION_RAM);
	region_set_enabled(&ram, false);
	assert_view(&rig.as, NULL, 0);
	region_remove(&box);
	rig_destroy(&rig);
}

static void a_change_behind_an_alias_of_an_alias_reaches_the_space(void **state)
{
	struct region ram, first, second;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_ram(&ram, "ram", 0x2000, memory);
	region_init_alias(&first, "first", 0x2000, &ram, 0);
	region_init_alias(&second, "second", 0x2000, &first, 0);
	region_add(&rig.root, 0, &second, 0);
	ASSERT_VIEW(&rig.as, { 0, 0x1fff, &ram, 0 });
	region_set_alias_offset(&first, 0x1000);
	ASSERT_VIEW(&rig.as, { 0, 0xfff, &ram, 0x1000 });
	region_set_enabled(&ram, false);
	assert_view(&rig.as, NULL, 0);
	region_set_enabled(&ram, true);
	region_remove(&second);
	region_set_readonly(&ram, true);
	region_add(&rig.root, 0x4000, &second, 0);
	assert_int_equal(at(&rig.as, 0x4000)->kind, SECTION_ROM);
	region_remove(&second);
	assert_null(ram.aliases);
	assert_null(first.aliases);
	rig_destroy(&rig);
}

static void an_alias_can_be_a_root(void **state)
{
	struct address_space one, two;
	struct region ram, alias;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_ram(&ram, "ram", 0x2000, memory);
	region_init_alias(&alias, "alias", 0x1000, &ram, 0x1000);
	assert_int_equal(as_init(&one, &rig.core, "one", &alias, UNCLAIMED_ONES), 0);
	assert_int_equal(as_init(&two, &rig.core, "two", &alias, UNCLAIMED_ONES), 0);
	ASSERT_VIEW(&two, { 0, 0xfff, &ram, 0x1000 });
	region_set_readonly(&ram, true);
	assert_int_equal(at(&one, 0)->kind, SECTION_ROM);
	as_destroy(&two);
	/* As a child, too; and the space goes first. */
	assert_int_equal(region_add(&rig.root, 0, &alias, 0), 0);
	as_destroy(&one);
	region_set_readonly(&ram, false);
	assert_int_equal(at(&rig.as, 0)->kind, SECTION_RAM);
	region_remove(&alias);
	assert_null(ram.aliases);
	rig_destroy(&rig);
}

static void a_failed_rebuild_keeps_the_view_and_is_tried_again(void **state)
{
	struct region deep[3], ram;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_ram(&ram, "ram", 0x1000, memory);
	region_add(&rig.root, 0, &ram, 0);
	/* A loop that is made behind the back of region_add: alias targets do not change by any call. */
	region_init_container(&deep[0], "deep", 0x1000);
	region_init_alias(&deep[1], "alias", 0x1000, &deep[0], 0);
	region_add(&rig.root, 0x1000, &deep[1], 0);
	region_init_container(&deep[2], "loop", 0x1000);
	region_add(&deep[0], 0, &deep[2], 0);
	deep[2].children = &deep[0];
	mem_transaction_begin(&rig.core);
	region_set_offset(&ram, 0x4000);
	assert_int_equal(mem_transaction_commit(&rig.core), -ELOOP);
	ASSERT_VIEW(&rig.as, { 0, 0xfff, &ram, 0 });
	deep[2].children = NULL;
	mem_transaction_begin(&rig.core);
	assert_int_equal(mem_transaction_commit(&rig.core), 0);
	ASSERT_VIEW(&rig.as, { 0x4000, 0x4fff, &ram, 0 });
	/* A space that waits for that may go. */
	deep[2].children = &deep[0];
	region_set_offset(&ram, 0);
	as_destroy(&rig.as);
	assert_null(rig.core.dirty);
	mem_core_destroy(&rig.core);
}

static void views_live_until_every_reader_has_let_go(void **state)
{
	struct mem_reader reader = { 0 };
	const struct section *held;
	struct region ram;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_ram(&ram, "ram", 0x1000, memory);
	region_add(&rig.root, 0, &ram, 0);
	mem_quiescent(&rig.core);
	assert_null(rig.core.retired);
	mem_quiescent(&rig.core);
	mem_reader_online(&rig.core, &reader);
	held = at(&rig.as, 0);
	region_set_offset(&ram, 0x1000);
	region_set_offset(&ram, 0x2000);
	mem_quiescent(&rig.core);
	/* AddressSanitizer would object if it were gone. */
	assert_int_equal(held->first, 0);
	assert_non_null(rig.core.retired);
	mem_reader_quiescent(&reader);
	mem_reader_quiescent(&reader);
	mem_core_reclaim(&rig.core);
	assert_null(rig.core.retired);
	held = at(&rig.as, 0x2000);
	region_set_offset(&ram, 0x3000);
	mem_quiescent(&rig.core);
	assert_int_equal(held->first, 0x2000);
	mem_reader_offline(&reader);
	mem_reader_offline(&reader);
	mem_core_reclaim(&rig.core);
	assert_null(rig.core.retired);
	mem_synchronize(&rig.core, &rig.core.main);
	rig_destroy(&rig);
}

struct mover {
	struct mem_listener listener;
	struct region *region;
};

static void move_once(struct mem_listener *listener)
{
	struct mover *mover = container_of(listener, struct mover, listener);

	region_set_offset(mover->region, 0x8000);
}

static void what_a_listener_changes_comes_round_in_the_same_commit(void **state)
{
	struct mover mover = { .listener = { .commit = move_once } };
	struct region ram;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_ram(&ram, "ram", 0x1000, memory);
	mover.region = &ram;
	as_listen(&rig.as, &mover.listener);
	region_add(&rig.root, 0, &ram, 0);
	ASSERT_VIEW(&rig.as, { 0x8000, 0x8fff, &ram, 0 });
	as_unlisten(&rig.as, &mover.listener);
	rig_destroy(&rig);
}

static void one_change_may_concern_spaces_of_several_cores(void **state)
{
	struct address_space other_as, third;
	struct mem_core other;
	struct region ram, alias, root;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	mem_core_init(&other);
	region_init_container(&root, "other root", 0x10000);
	region_init_ram(&ram, "shared", 0x1000, memory);
	region_init_alias(&alias, "alias", 0x1000, &ram, 0);
	region_add(&rig.root, 0, &ram, 0);
	region_add(&root, 0x4000, &alias, 0);
	assert_int_equal(as_init(&other_as, &other, "other", &root, UNCLAIMED_ONES), 0);
	assert_int_equal(as_init(&third, &other, "third", &root, UNCLAIMED_ONES), 0);
	region_set_readonly(&ram, true);
	assert_int_equal(at(&rig.as, 0)->kind, SECTION_ROM);
	assert_int_equal(at(&other_as, 0x4000)->kind, SECTION_ROM);
	assert_int_equal(at(&third, 0x4000)->kind, SECTION_ROM);
	/* A transaction of one core is none of the other's. */
	mem_transaction_begin(&rig.core);
	region_set_readonly(&ram, false);
	assert_int_equal(at(&rig.as, 0)->kind, SECTION_ROM);
	assert_int_equal(at(&other_as, 0x4000)->kind, SECTION_RAM);
	mem_transaction_commit(&rig.core);
	assert_int_equal(at(&rig.as, 0)->kind, SECTION_RAM);
	as_destroy(&third);
	as_destroy(&other_as);
	mem_core_destroy(&other);
	rig_destroy(&rig);
}

static void caches_do_not_outlive_their_view(void **state)
{
	struct section_cache cache = { 0 };
	struct region ram;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_ram(&ram, "ram", 0x1000, memory);
	region_add(&rig.root, 0, &ram, 0);
	for (unsigned i = 0; i < 100; i++) {
		const struct section *section = as_lookup(&rig.as, &cache, 0x10);

		assert_int_equal(section->kind, i & 1 ? SECTION_UNCLAIMED : SECTION_RAM);
		assert_ptr_equal(as_lookup(&rig.as, &cache, 0x11), section);
		region_set_enabled(&ram, i & 1);
		/* The allocator may give the next view the place of this one. */
		mem_quiescent(&rig.core);
	}
	rig_destroy(&rig);
}

/*
 * ---- text
 * ---------------------------------------------------------------------------------------------------
 */

struct lines {
	char text[4096];
	unsigned count;
};

static void take_line(void *to, const char *line)
{
	struct lines *lines = to;

	assert_null(strchr(line, '\n'));
	assert_true(strlen(line) < 224);
	strcat(lines->text, line);
	strcat(lines->text, "\n");
	lines->count++;
}

static void trees_and_views_can_be_read(void **state)
{
	struct region box, ram, rom, flash, mmio, alias, hidden, last;
	struct probe probe = { 0 };
	struct lines lines = { 0 };
	struct as_usage usage;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_container(&box, "pci", 0x10000);
	region_set_unclaimed(&box, UNCLAIMED_FAULT);
	region_init_ram(&ram, "ram", 0x1000, memory);
	region_init_rom(&rom, "rom", 0x1000, memory);
	region_init_rom_device(&flash, "flash", 0x1000, memory, &probe_ops, &probe);
	region_init_mmio(&mmio, "bar", 0x1000, &probe_ops, &probe);
	region_init_alias(&alias, "window", 0x800, &ram, 0x400);
	region_init_reserved(&hidden, "hidden", 0x1000);
	region_init_container(&last, "last", 0x1000);
	region_set_enabled(&hidden, false);
	region_set_readonly(&alias, true);
	mem_transaction_begin(&rig.core);
	region_add(&rig.root, 0xe0000, &box, -5);
	region_add(&box, 0x1000, &mmio, 0);
	region_add(&rig.root, 0, &ram, 0);
	region_add(&rig.root, 0x1000, &rom, 0);
	region_add(&rig.root, 0x2000, &flash, 0);
	region_add(&rig.root, 0x4000, &alias, 0);
	region_add(&rig.root, 0x6000, &hidden, 0);
	region_add(&rig.root, ~0x7ffull, &last, 0);
	mem_transaction_commit(&rig.core);
	mtree_print(&rig.as, take_line, &lines);
	assert_string_equal(
		lines.text,
		"address space: memory (unclaimed: ones)\n"
		"  0000000000000000-ffffffffffffffff (prio 0, container): root\n"
		"    0000000000000000-0000000000000fff (prio 0, ram): ram\n"
		"    0000000000001000-0000000000001fff (prio 0, rom): rom\n"
		"    0000000000002000-0000000000002fff (prio 0, rom device): flash\n"
		"    0000000000004000-00000000000047ff (prio 0, alias): window -> ram +0x400 [read-only]\n"
		"    0000000000006000-0000000000006fff (prio 0, reserved): hidden [disabled]\n"
		"    fffffffffffff800-ffffffffffffffff (prio 0, container): last\n"
		"    00000000000e0000-00000000000effff (prio -5, container): pci (unclaimed: fault)\n"
		"      00000000000e1000-00000000000e1fff (prio 0, mmio): bar\n");
	memset(&lines, 0, sizeof(lines));
	as_set_ram_only(&rig.as, true);
	as_set_ram_only(&rig.as, true);
	mtree_print_flat(&rig.as, take_line, &lines);
	as_get_usage(&rig.as, &usage);
	assert_int_equal(usage.sections, lines.count - 1);
	assert_int_equal(usage.ranges, 5);
	assert_true(usage.bytes > usage.sections * sizeof(struct section));
	assert_true(usage.scratch > 0);
	assert_non_null(strstr(lines.text, "  0000000000000000-0000000000000fff ram: ram @0\n"));
	assert_non_null(
		strstr(lines.text, "  0000000000002000-0000000000002fff rom device: flash @0 refused\n"));
	assert_non_null(strstr(lines.text, "  0000000000004000-00000000000047ff rom: ram @400 read-only\n"));
	assert_non_null(strstr(lines.text, "  00000000000e0000-00000000000e0fff unclaimed (fault) pci\n"));
	assert_non_null(strstr(lines.text, "  00000000000f0000-ffffffffffffffff unclaimed (ones) \n"));
	assert_non_null(strstr(lines.text, "memory: 5 ranges in "));
	memset(&lines, 0, sizeof(lines));
	mtree_print(&rig.as, take_line, &lines);
	assert_non_null(strstr(lines.text, "(unclaimed: ones; RAM only)"));
	assert_string_equal(region_kind_name(REGION_IOMMU), "iommu");
	assert_string_equal(region_kind_name((enum region_kind)99), "?");
	assert_string_equal(unclaimed_name(UNCLAIMED_STOP), "stop");
	assert_string_equal(unclaimed_name((enum unclaimed)99), "?");
	assert_true(region_get_size(&rig.root) == REGION_SIZE_WHOLE);
	assert_true(region_has_host(&ram) && region_has_host(&rom) && region_has_host(&flash));
	assert_false(region_has_host(&mmio));
	rig_destroy(&rig);
}

static void a_tree_with_a_loop_is_printed_to_a_bounded_depth(void **state)
{
	struct lines lines = { 0 };
	struct region box;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_container(&box, "box", 0x1000);
	box.children = &box;
	rig.root.children = &box;
	mtree_print(&rig.as, take_line, &lines);
	assert_true(lines.count < 40);
	rig.root.children = NULL;
	rig_destroy(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(impossible_regions_are_refused),
		cmocka_unit_test(an_alias_of_a_region_without_size_shows_nothing),
		cmocka_unit_test(a_region_has_one_parent),
		cmocka_unit_test(ties_are_refused_and_name_both_regions_with_their_ranges),
		cmocka_unit_test(loops_are_refused),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(nested_transactions_rebuild_each_affected_space_once),
		cmocka_unit_test(changes_that_nobody_can_see_rebuild_nothing),
		cmocka_unit_test(a_change_behind_an_alias_of_an_alias_reaches_the_space),
		cmocka_unit_test(an_alias_can_be_a_root),
		cmocka_unit_test(a_failed_rebuild_keeps_the_view_and_is_tried_again),
		cmocka_unit_test(views_live_until_every_reader_has_let_go),
		cmocka_unit_test(what_a_listener_changes_comes_round_in_the_same_commit),
		cmocka_unit_test(one_change_may_concern_spaces_of_several_cores),
		cmocka_unit_test(caches_do_not_outlive_their_view),
		cmocka_unit_test(trees_and_views_can_be_read),
		cmocka_unit_test(a_tree_with_a_loop_is_printed_to_a_bounded_depth),
	};

	return cmocka_run_group_tests_name("region", tests, NULL, NULL);
}
