// SPDX-License-Identifier: BSD-2-Clause
/*
 * The dirty log: precise to the page, for every way to write, and told to who must protect the pages again.
 */
#include "tests/unit/mm_rig.h"

#include <errno.h>
#include <stdio.h>

#include "mm/dirty.h"
#include "mm/map.h"
#include "mm/mtree.h"

#define PAGES 200
static u8 memory[PAGES * 4096] __attribute__((aligned(4096)));

static void logged_init(struct rig *rig, struct region *ram)
{
	memset(memory, 0, sizeof(memory));
	rig_init(rig);
	region_init_ram(ram, "ram", sizeof(memory), memory);
	assert_int_equal(region_add(&rig->root, 0x100000, ram, 0), 0);
	assert_int_equal(region_dirty_start(ram, 1), 0);
}

static void logged_destroy(struct rig *rig, struct region *ram)
{
	region_remove(ram);
	region_destroy(ram);
	rig_destroy(rig);
}

/* The dirty pages as a list of numbers. */
static void assert_dirty(struct region *ram, const char *expected)
{
	u64 bits[(PAGES + 63) / 64];
	char text[1024] = "";
	u64 total = region_dirty_snapshot(ram, 1, 0, sizeof(memory), bits), found = 0;

	for (unsigned page = 0; page < PAGES; page++) {
		if (!(bits[page / 64] & BIT(page % 64)))
			continue;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u ", page);
		found++;
	}
	assert_string_equal(text, expected);
	assert_int_equal(total, found);
}

static void every_write_marks_its_pages_and_no_other(void **state)
{
	struct section_cache cache = { 0 };
	struct region ram;
	struct rig rig;
	u64 value;

	(void)state;
	logged_init(&rig, &ram);
	assert_dirty(&ram, "");
	as_store(&rig.as, &cache, 0x100000 + 3 * 4096 + 8, 8, 1);
	as_store(&rig.as, &cache, 0x100000 + 6 * 4096 - 2, 4, 1);
	assert_dirty(&ram, "3 5 6 ");
	assert_dirty(&ram, "");
	as_write(&rig.as, 0x100000 + 7 * 4096 + 4095, memory, 2);
	as_write_cached(&rig.as, &cache, 0x100000 + 70 * 4096, memory, 4096);
	as_fill(&rig.as, 0x100000 + 126 * 4096, 1, 3 * 4096 + 1);
	as_copy(&rig.as, 0x100000 + 190 * 4096, &rig.as, 0x100000, 10);
	as_write_done(&rig.as, 0x100000 + 199 * 4096, memory, 4096, NULL);
	as_store_be16(&rig.as, 0x100000, 1);
	assert_dirty(&ram, "0 7 8 70 126 127 128 129 190 199 ");
	as_load(&rig.as, &cache, 0x100000 + 4096, 8, &value);
	as_read(&rig.as, 0x100000 + 4096, &value, 8);
	as_write(&rig.as, 0x100000, memory, 0);
	assert_dirty(&ram, "");
	logged_destroy(&rig, &ram);
}

static void who_writes_past_the_core_marks_for_himself(void **state)
{
	struct region ram;
	struct rig rig;

	(void)state;
	logged_init(&rig, &ram);
	region_mark_dirty(&ram, 4096 * 63, 4096 * 2);
	region_mark_dirty(&ram, 4096 * 63, 1);
	region_mark_dirty(&ram, 5, 0);
	/* Clipped to the region. */
	region_mark_dirty(&ram, sizeof(memory) - 1, ~0ull);
	region_mark_dirty(&ram, sizeof(memory), 1);
	region_mark_dirty(&ram, ~0ull, ~0ull);
	assert_true(region_is_dirty(&ram, 1, 4096 * 64, 1));
	assert_false(region_is_dirty(&ram, 1, 4096 * 65, 4096));
	assert_true(region_is_dirty(&ram, 1, 0, ~0ull));
	assert_false(region_is_dirty(&ram, 1, 0, 0));
	assert_false(region_is_dirty(&ram, 0, 0, ~0ull));
	assert_false(region_is_dirty(&ram, DIRTY_CLIENTS, 0, ~0ull));
	assert_dirty(&ram, "63 64 199 ");
	logged_destroy(&rig, &ram);
}

static void a_snapshot_takes_its_range_and_leaves_the_rest(void **state)
{
	struct region ram;
	struct rig rig;
	u64 bits[2];

	(void)state;
	logged_init(&rig, &ram);
	region_mark_dirty(&ram, 0, sizeof(memory));
	assert_int_equal(region_dirty_snapshot(&ram, 1, 60 * 4096 + 5, 70 * 4096, bits), 71);
	assert_int_equal(bits[0], ~0ull);
	assert_int_equal(bits[1], 0x7f);
	assert_int_equal(region_dirty_snapshot(&ram, 1, 61 * 4096, 4096, bits), 0);
	assert_int_equal(bits[0], 0);
	assert_int_equal(region_dirty_snapshot(&ram, 1, 0, 60 * 4096, NULL), 60);
	assert_int_equal(region_dirty_snapshot(&ram, 1, 131 * 4096, ~0ull, NULL), PAGES - 131);
	assert_int_equal(region_dirty_snapshot(&ram, 1, sizeof(memory), 4096, NULL), 0);
	assert_int_equal(region_dirty_snapshot(&ram, 2, 0, 4096, NULL), 0);
	assert_int_equal(region_dirty_snapshot(&ram, DIRTY_CLIENTS, 0, 4096, NULL), 0);
	logged_destroy(&rig, &ram);
}

static void clients_do_not_disturb_each_other(void **state)
{
	struct region ram, rom;
	struct rig rig;

	(void)state;
	logged_init(&rig, &ram);
	assert_true(region_dirty_logging(&ram));
	assert_int_equal(region_dirty_start(&ram, 1), -EBUSY);
	assert_int_equal(region_dirty_start(&ram, DIRTY_CLIENTS), -EINVAL);
	region_init_rom(&rom, "rom", 0x1000, memory);
	assert_int_equal(region_dirty_start(&rom, 0), -EINVAL);
	region_mark_dirty(&ram, 0, 1);
	assert_int_equal(region_dirty_start(&ram, 3), 0);
	region_mark_dirty(&ram, 4096, 1);
	assert_int_equal(region_dirty_snapshot(&ram, 3, 0, sizeof(memory), NULL), 1);
	region_dirty_stop(&ram, 3);
	region_dirty_stop(&ram, 3);
	region_dirty_stop(&ram, DIRTY_CLIENTS);
	assert_dirty(&ram, "0 1 ");
	/* Started again: clean, whatever was left. */
	region_mark_dirty(&ram, 0, 1);
	region_dirty_stop(&ram, 1);
	assert_false(region_dirty_logging(&ram));
	assert_int_equal(at(&rig.as, 0x100000)->flags & SECTION_DIRTY_LOG, 0);
	region_mark_dirty(&ram, 0, 1);
	assert_int_equal(region_dirty_start(&ram, 1), 0);
	assert_dirty(&ram, "");
	region_dirty_stop(&rom, 0);
	region_mark_dirty(&rom, 0, 1);
	assert_int_equal(region_dirty_snapshot(&rom, 0, 0, 1, NULL), 0);
	logged_destroy(&rig, &ram);
}

/*
 * ---- listeners
 * ----------------------------------------------------------------------------------------------
 */

struct protector {
	struct mem_listener listener;
	char text[512];
};

static void dirty_cleared(struct mem_listener *listener, const struct section *section, u64 first, u64 last)
{
	struct protector *p = container_of(listener, struct protector, listener);

	assert_true(section->first <= first && last <= section->last);
	snprintf(p->text + strlen(p->text), sizeof(p->text) - strlen(p->text), "%llx-%llx ",
		 (unsigned long long)first, (unsigned long long)last);
}

static void changed(struct mem_listener *listener, const struct section *old, const struct section *now)
{
	struct protector *p = container_of(listener, struct protector, listener);

	snprintf(p->text + strlen(p->text), sizeof(p->text) - strlen(p->text), "%u->%u ", old->flags,
		 now->flags);
}

static void listeners_hear_where_pages_are_to_be_protected_again(void **state)
{
	struct protector p = { .listener = { .dirty_cleared = dirty_cleared, .change = changed } };
	struct mem_listener deaf = { 0 };
	struct region ram, alias, elsewhere;
	struct address_space other;
	struct rig rig;

	(void)state;
	logged_init(&rig, &ram);
	/*
	 * Pages 2..5 are seen a second time, from the middle of page 2 on; and in another space, without
	 * listener.
	 */
	region_init_alias(&alias, "alias", 0x3000, &ram, 0x2800);
	region_init_alias(&elsewhere, "elsewhere", 0x3000, &ram, 0);
	region_add(&rig.root, 0x800000, &alias, 0);
	assert_int_equal(as_init(&other, &rig.core, "other", &elsewhere, UNCLAIMED_ONES), 0);
	as_listen(&rig.as, &deaf);
	as_listen(&rig.as, &p.listener);
	region_mark_dirty(&ram, 0x1000, 0x1000);
	region_mark_dirty(&ram, 0x3000, 0x3000);
	region_mark_dirty(&ram, 199 * 4096, 1);
	assert_int_equal(region_dirty_snapshot(&ram, 1, 0, sizeof(memory), NULL), 5);
	assert_string_equal(p.text, "101000-101fff 103000-105fff 800800-802fff 1c7000-1c7fff ");
	p.text[0] = 0;
	region_mark_dirty(&ram, 0x2000, 0x1000);
	assert_int_equal(region_dirty_snapshot(&ram, 1, 0x2000, 0x1000, NULL), 1);
	assert_string_equal(p.text, "102000-102fff 800000-8007ff ");
	p.text[0] = 0;
	region_dirty_stop(&ram, 1);
	assert_string_equal(p.text, "7->3 7->3 ");
	as_unlisten(&rig.as, &p.listener);
	as_unlisten(&rig.as, &deaf);
	as_destroy(&other);
	region_remove(&alias);
	logged_destroy(&rig, &ram);
}

static void take_line(void *to, const char *line)
{
	*(bool *)to |= strstr(line, "dirty log") != NULL;
}

static void who_is_no_client_finds_no_page_dirty(void **state)
{
	struct mem_mapping mapping;
	struct map_client client;
	struct region ram;
	struct rig rig;
	bool shown = false;

	(void)state;
	logged_init(&rig, &ram);
	mtree_print(&rig.as, take_line, &shown);
	assert_true(shown);
	shown = false;
	mtree_print_flat(&rig.as, take_line, &shown);
	assert_true(shown);
	as_store_le8(&rig.as, 0x100000, 1);
	assert_true(region_is_dirty(&ram, 1, 0, 1));
	assert_false(region_is_dirty(&ram, 0, 0, 1));
	assert_false(region_is_dirty(&ram, DIRTY_CLIENTS, 0, 1));
	assert_false(region_is_dirty(&rig.root, 1, 0, 1));
	assert_dirty(&ram, "0 ");
	/* Nor does a mapping that was made for reading mark one. */
	map_client_init(&client, "client", NULL, 0, NULL, 0, NULL, NULL, NULL);
	assert_int_equal(as_map(&rig.as, &client, 0x100000, 64, MEM_READ, &mapping), MEM_OK);
	mem_map_wrote(&mapping, 0, 64);
	assert_int_equal(as_unmap(&mapping, 0), MEM_OK);
	assert_dirty(&ram, "");
	logged_destroy(&rig, &ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_write_marks_its_pages_and_no_other),
		cmocka_unit_test(who_writes_past_the_core_marks_for_himself),
		cmocka_unit_test(a_snapshot_takes_its_range_and_leaves_the_rest),
		cmocka_unit_test(clients_do_not_disturb_each_other),
		cmocka_unit_test(who_is_no_client_finds_no_page_dirty),
		cmocka_unit_test(listeners_hear_where_pages_are_to_be_protected_again),
	};

	return cmocka_run_group_tests_name("dirty", tests, NULL, NULL);
}
