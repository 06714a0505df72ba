// SPDX-License-Identifier: BSD-2-Clause
/* EPT as tables, and EPT as what follows the guest's map: permissions, changes at run time, the dirty log. */
#include "arch/ept.h"

#include <string.h>

#include "arch/cpu.h"
#include "arch/vcpu_internal.h"
#include "mm/dirty.h"
#include "tests/target/probe.h"

#define RWX    (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EXTRA  0xe0000000ull /* where tests put a region of their own */
#define BACKED 0x700000	     /* the part of guest RAM that backs it */

static const struct small_options large, small_pages = { .small_pages = true };

/* ---- the tables ---- */

static u64 level_of(const struct ept *ept, u64 gpa)
{
	unsigned level;

	return ept_lookup(ept, gpa, &level) ? level : 0;
}

static bool maps_to(const struct ept *ept, u64 gpa, u64 hpa, unsigned level, unsigned permission)
{
	unsigned found;
	u64 entry = ept_lookup(ept, gpa, &found);

	return EXPECT_EQUAL(found, level) && EXPECT_EQUAL(EPT_ENTRY_ADDRESS(entry), hpa) &&
	       EXPECT_EQUAL(entry & RWX, permission);
}

static bool map_split_unmap(const struct boot *boot)
{
	const u64 hpa = boot->ram[0].address;
	const struct ept_allowed allowed = { hpa, hpa + 8 * MiB - 1 };
	const u64 used = boot->pages->used;
	struct ept ept;
	bool fine = EXPECT(ept_init(&ept, boot->pages, ~0ull, true, &allowed, 1));

	fine &= EXPECT(ept_map(&ept, 4 * MiB, 4 * MiB, hpa, RWX)) && maps_to(&ept, 4 * MiB, hpa, 2, RWX) &&
		maps_to(&ept, 8 * MiB - 1, hpa + 2 * MiB, 2, RWX) && EXPECT_EQUAL(ept.leaves[2], 2);
	/* A hole in the middle splits one; its neighbours keep their addresses and rights. */
	u64 hole = 5 * MiB;
	fine &= EXPECT(ept_unmap(&ept, hole, PAGE_SIZE)) && EXPECT(ept.stale) &&
		EXPECT_EQUAL(level_of(&ept, hole), 0) &&
		maps_to(&ept, hole - 1, hpa + MiB - PAGE_SIZE, 1, RWX) &&
		maps_to(&ept, hole + PAGE_SIZE, hpa + MiB + PAGE_SIZE, 1, RWX) &&
		EXPECT_EQUAL(ept.leaves[2], 1) && EXPECT_EQUAL(ept.leaves[1], 511);
	/* Fewer rights for one page. */
	fine &= EXPECT(ept_map(&ept, 7 * MiB, PAGE_SIZE, hpa + 3 * MiB, EPT_READ)) &&
		maps_to(&ept, 7 * MiB, hpa + 3 * MiB, 1, EPT_READ) &&
		maps_to(&ept, 7 * MiB + PAGE_SIZE, hpa + 3 * MiB + PAGE_SIZE, 1, RWX);
	/* Mapped whole again, the small ones go. */
	fine &= EXPECT(ept_map(&ept, 4 * MiB, 4 * MiB, hpa, RWX)) && EXPECT_EQUAL(ept.leaves[2], 2) &&
		EXPECT_EQUAL(ept.leaves[1], 0) && maps_to(&ept, hole, hpa, 2, RWX);
	/* What is not aligned alike cannot be large. */
	fine &= EXPECT(ept_map(&ept, 4 * MiB, 2 * MiB, hpa + PAGE_SIZE, RWX)) &&
		EXPECT_EQUAL(ept.leaves[1], 512) && maps_to(&ept, 4 * MiB, hpa + PAGE_SIZE, 1, RWX);
	/* Write-only and execute-only do not exist: reading is always permitted. */
	fine &= EXPECT(ept_map(&ept, 0, PAGE_SIZE, hpa, EPT_WRITE)) &&
		maps_to(&ept, 0, hpa, 1, EPT_READ | EPT_WRITE);
	fine &= EXPECT(ept_unmap(&ept, 0, 16 * MiB)) &&
		EXPECT_EQUAL(ept.leaves[1] + ept.leaves[2] + ept.leaves[3], 0);
	fine &= EXPECT(ept_unmap(&ept, 0, BIT(48))) && EXPECT_EQUAL(ept.tables, 1);
	ept_free(&ept);
	return EXPECT_EQUAL(boot->pages->used, used) && fine;
}

static bool refusals(const struct boot *boot)
{
	const u64 hpa = boot->ram[0].address;
	const struct ept_allowed allowed = { hpa, hpa + 2 * MiB - 1 };
	struct ept ept;
	bool fine = EXPECT(ept_init(&ept, boot->pages, ~0ull, true, &allowed, 1));

	fine &= EXPECT(!ept_map(&ept, 1, PAGE_SIZE, hpa, RWX)) &
		EXPECT(!ept_map(&ept, 0, PAGE_SIZE - 1, hpa, RWX)) &
		EXPECT(!ept_map(&ept, 0, PAGE_SIZE, hpa + 8, RWX)) & EXPECT(!ept_map(&ept, 0, 0, hpa, RWX)) &
		EXPECT(!ept_map(&ept, 0, PAGE_SIZE, hpa, 0)) &
		EXPECT(!ept_map(&ept, BIT(48), PAGE_SIZE, hpa, RWX)) &
		EXPECT(!ept_map(&ept, BIT(48) - PAGE_SIZE, 2 * PAGE_SIZE, hpa, RWX)) &
		EXPECT(!ept_map(&ept, ~0ull << PAGE_SHIFT, PAGE_SIZE, hpa, RWX));
	/* One page past what is allowed, before it, around it, and wrapped. */
	fine &= EXPECT(!ept_map(&ept, 0, PAGE_SIZE, hpa + 2 * MiB, RWX)) &
		EXPECT(!ept_map(&ept, 0, PAGE_SIZE, hpa - PAGE_SIZE, RWX)) &
		EXPECT(!ept_map(&ept, 0, 2 * MiB + PAGE_SIZE, hpa, RWX)) &
		EXPECT(!ept_map(&ept, 0, 2 * PAGE_SIZE, hpa - PAGE_SIZE, RWX)) &
		EXPECT(!ept_map(&ept, 0, 2 * PAGE_SIZE, ~0ull << PAGE_SHIFT, RWX));
	fine &= EXPECT_EQUAL(ept.tables, 1) && EXPECT_EQUAL(ept.leaves[1] + ept.leaves[2], 0);
	/* No page for a table: refused, and what was taken is given back. */
	u64 used = boot->pages->used;
	struct page_pool none;
	u8 *two = (u8 *)boot->ram[0].address;
	page_pool_init(&none, two, 2);
	struct ept poor;
	fine &= EXPECT(ept_init(&poor, &none, ~0ull, false, &allowed, 1)) &&
		EXPECT(!ept_map(&poor, 0, PAGE_SIZE, hpa, RWX));
	ept_free(&poor);
	fine &= EXPECT_EQUAL(none.used, 0);
	fine &= EXPECT_EQUAL(boot->pages->used, used);
	ept_free(&ept);
	return fine;
}

/* ---- the guest's map ---- */

/* Too few pages for all of its tables: no machine, rather than one that traps for ever where its RAM is missing. */
static bool too_few_pages(const struct boot *boot)
{
	struct page_pool pool;
	struct boot poor = *boot;
	bool fine = true;

	poor.pages = &pool;
	for (u64 pages = 1; pages < 12; pages += 3) {
		page_pool_init(&pool, (u8 *)boot->ram[0].address + SMALL_RAM_SIZE, pages);
		fine &= EXPECT(!small_vm_create(&poor, &small_pages)) && EXPECT_EQUAL(pool.used, 0);
	}
	page_pool_init(&pool, (u8 *)boot->ram[0].address + SMALL_RAM_SIZE, 16);
	struct small_vm *small = small_vm_create(&poor, &small_pages);
	fine &= EXPECT(small);
	if (small)
		small_vm_destroy(small);
	return EXPECT_EQUAL(pool.used, 0) && fine;
}

static bool permissions(const struct boot *boot, const struct small_options *options, unsigned level)
{
	struct probe p;
	u32 value;

	if (!probe_open(&p, boot, options, PROBE_64))
		return false;
	const struct ept *ept = &p.small->vm.ept;
	u64 host = (u64)p.small->host, rom = SMALL_RAM_SIZE - PAGE_SIZE;
	bool fine = maps_to(ept, 0, host, level, RWX) &&
		    maps_to(ept, SMALL_RAM_SIZE - 1,
			    host + SMALL_RAM_SIZE - (level == 2 ? 2 * MiB : PAGE_SIZE), level, RWX) &&
		    maps_to(ept, SMALL_ROM, host + rom, 1, EPT_READ | EPT_EXECUTE);
	fine &= EXPECT_EQUAL(level_of(ept, SMALL_RAM_SIZE), 0) &&
		EXPECT_EQUAL(level_of(ept, SMALL_DEVICE), 0) && EXPECT_EQUAL(level_of(ept, SMALL_ONES), 0) &&
		EXPECT_EQUAL(level_of(ept, BIT(47)), 0);
	/* ROM: reads without an exit, writes are dropped, code runs. */
	*(u32 *)(p.small->host + rom + 16) = 0x12345678;
	u64 before = vcpu_exits(p.vcpu, REASON_EPT_VIOLATION).exits;
	fine &= EXPECT_EQUAL(probe_load32(&p, SMALL_ROM + 16, &value), PROBE_FINE) &&
		EXPECT_EQUAL(value, 0x12345678) &&
		EXPECT_EQUAL(vcpu_exits(p.vcpu, REASON_EPT_VIOLATION).exits, before);
	fine &= EXPECT_EQUAL(probe_store32(&p, SMALL_ROM + 16, 0xbad), PROBE_FINE) &&
		EXPECT_EQUAL(*(u32 *)(p.small->host + rom + 16), 0x12345678) &&
		EXPECT_EQUAL(vcpu_exits(p.vcpu, REASON_EPT_VIOLATION).exits, before + 1);
	static const u8 code[] = { 0xb0, 0x77, 0xe6, SMALL_EXIT_PORT }; /* mov al, 0x77; out */
	memcpy(p.small->host + rom, code, sizeof(code));
	fine &= EXPECT_EQUAL(probe_start(&p, SMALL_ROM), PROBE_FINE) &&
		EXPECT_EQUAL(p.small->exit_value, 0x77);
	probe_close(&p);
	return fine;
}

static bool large_page_permissions(const struct boot *boot)
{
	return permissions(boot, &large, 2);
}

static bool small_page_permissions(const struct boot *boot)
{
	return permissions(boot, &small_pages, 1);
}

/* A region of the test's own in the guest's map, backed by a part of its RAM. */
struct extra {
	struct probe p;
	struct region region;
	u8 *host;
};

static bool open_extra(struct extra *x, const struct boot *boot, u64 gpa, u64 offset, u64 size,
		       const struct small_options *options)
{
	if (!probe_open(&x->p, boot, options, PROBE_64))
		return false;
	x->host = x->p.small->host + BACKED + offset;
	region_init_ram(&x->region, "extra", size, x->host);
	return EXPECT_EQUAL(region_add(&x->p.small->memory_root, gpa, &x->region, 0), 0);
}

static void close_extra(struct extra *x)
{
	region_remove(&x->region);
	mem_quiescent(&x->p.small->core);
	probe_close(&x->p);
	region_destroy(&x->region);
}

static bool stores(struct extra *x, u64 gpa, u32 value)
{
	return EXPECT_EQUAL(probe_store32(&x->p, gpa, value), PROBE_FINE);
}

static bool loads(struct extra *x, u64 gpa, u32 expected)
{
	u32 value = 0;

	return EXPECT_EQUAL(probe_load32(&x->p, gpa, &value), PROBE_FINE) && EXPECT_EQUAL(value, expected);
}

static bool aliases(const struct boot *boot)
{
	struct extra x;
	struct region alias;

	if (!open_extra(&x, boot, EXTRA, 0, 16 * PAGE_SIZE, &large))
		return false;
	region_init_alias(&alias, "alias", 4 * PAGE_SIZE, &x.region, 8 * PAGE_SIZE);
	bool fine = EXPECT_EQUAL(region_add(&x.p.small->memory_root, EXTRA + MiB, &alias, 0), 0);
	fine &= maps_to(&x.p.small->vm.ept, EXTRA + MiB, (u64)x.host + 8 * PAGE_SIZE, 1, RWX) &&
		EXPECT_EQUAL(level_of(&x.p.small->vm.ept, EXTRA + MiB + 4 * PAGE_SIZE), 0);
	fine &= stores(&x, EXTRA + MiB + 4, 0x600d) && loads(&x, EXTRA + 8 * PAGE_SIZE + 4, 0x600d) &&
		loads(&x, EXTRA + MiB + 4 * PAGE_SIZE, ~0u);
	/* The window moves over its target. */
	region_set_alias_offset(&alias, 9 * PAGE_SIZE);
	fine &= loads(&x, EXTRA + MiB + 4, 0) && stores(&x, EXTRA + MiB + 4, 0x900d) &&
		loads(&x, EXTRA + 9 * PAGE_SIZE + 4, 0x900d) && loads(&x, EXTRA + 8 * PAGE_SIZE + 4, 0x600d);
	region_remove(&alias);
	fine &= loads(&x, EXTRA + MiB + 4, ~0u);
	close_extra(&x);
	return fine;
}

static bool changes_between_runs(const struct boot *boot)
{
	struct extra x;

	if (!open_extra(&x, boot, EXTRA, 0, 16 * PAGE_SIZE, &large))
		return false;
	bool fine = stores(&x, EXTRA, 1) && loads(&x, EXTRA, 1);
	region_set_readonly(&x.region, true);
	fine &= stores(&x, EXTRA, 2) && loads(&x, EXTRA, 1);
	region_set_readonly(&x.region, false);
	fine &= stores(&x, EXTRA, 3) && loads(&x, EXTRA, 3);
	region_set_offset(&x.region, EXTRA + 4 * PAGE_SIZE);
	fine &= loads(&x, EXTRA, ~0u) && stores(&x, EXTRA, 4) && loads(&x, EXTRA + 4 * PAGE_SIZE, 3);
	region_set_enabled(&x.region, false);
	fine &= loads(&x, EXTRA + 4 * PAGE_SIZE, ~0u);
	region_set_enabled(&x.region, true);
	fine &= loads(&x, EXTRA + 4 * PAGE_SIZE, 3);
	close_extra(&x);
	return fine;
}

static void make_readonly(void *context, u8 value)
{
	struct extra *x = context;

	region_set_readonly(&x->region, value);
}

static void move(void *context, u8 value)
{
	struct extra *x = context;

	region_set_offset(&x->region, EXTRA + value * PAGE_SIZE);
}

/*
 * The same while the guest runs, from inside an exit: what the next instruction finds.
 * mov [rdi], ebx; mov al, 1; out note; mov [rdi], ecx; mov edx, [rsi]; mov al, 0; out note; mov [rdi], r8d
 */
static const u8 change_in_the_middle[] = { 0x89, 0x1f, 0xb0, 1, 0xe6, SMALL_NOTE_PORT, 0x89, 0x0f,
					   0x8b, 0x16, 0xb0, 0, 0xe6, SMALL_NOTE_PORT, 0x44, 0x89,
					   0x07 };

static bool changes_while_running(const struct boot *boot, const struct small_options *options)
{
	struct extra x;

	if (!open_extra(&x, boot, EXTRA, 0, 16 * PAGE_SIZE, options))
		return false;
	x.p.small->note_context = &x;
	x.p.small->on_note = make_readonly;
	x.p.gpr[RDI] = x.p.gpr[RSI] = EXTRA;
	x.p.gpr[RBX] = 1;
	x.p.gpr[RCX] = 2;
	x.p.gpr[8] = 3;
	bool fine = EXPECT_EQUAL(probe_run(&x.p, change_in_the_middle, sizeof(change_in_the_middle)),
				 PROBE_FINE) &&
		    EXPECT_EQUAL(x.p.gpr[RDX], 1) && EXPECT_EQUAL(*(u32 *)x.host, 3);
	/* Moved by a page: the store with 2 hits a hole, the load finds what was stored first a page further on. */
	x.p.small->on_note = move;
	x.p.gpr[RSI] = EXTRA + PAGE_SIZE;
	x.p.gpr[RBX] = 5;
	fine &= EXPECT_EQUAL(probe_run(&x.p, change_in_the_middle, sizeof(change_in_the_middle)),
			     PROBE_FINE) &&
		EXPECT_EQUAL(x.p.gpr[RDX], 5) && EXPECT_EQUAL(*(u32 *)x.host, 3);
	close_extra(&x);
	return fine;
}

static bool changes_at_once(const struct boot *boot)
{
	return changes_while_running(boot, &large) & changes_while_running(boot, &small_pages) &
	       changes_while_running(boot, &(struct small_options){ .no_apicv = true });
}

static bool dirty_is(struct extra *x, u64 expected)
{
	u64 bits = 0, count = region_dirty_snapshot(&x->region, 0, 0, 16 * PAGE_SIZE, &bits), set = 0;

	for (unsigned i = 0; i < 16; i++)
		set += expected >> i & 1;
	return EXPECT_EQUAL(bits, expected) && EXPECT_EQUAL(count, set);
}

static bool dirty_log(const struct boot *boot)
{
	struct extra x;

	if (!open_extra(&x, boot, EXTRA, 0, 16 * PAGE_SIZE, &large))
		return false;
	bool fine =
		stores(&x, EXTRA, 1) && EXPECT_EQUAL(region_dirty_start(&x.region, 0), 0) && dirty_is(&x, 0);
	/* Reading is not writing. */
	fine &= loads(&x, EXTRA, 1) && dirty_is(&x, 0);
	fine &= stores(&x, EXTRA + PAGE_SIZE, 2) && stores(&x, EXTRA + 6 * PAGE_SIZE - 4, 3) &&
		dirty_is(&x, 0x22);
	/* Seen anew after each snapshot, also where the page was dirty before, and twice between two of them. */
	fine &= dirty_is(&x, 0) && stores(&x, EXTRA + PAGE_SIZE + 8, 4) && stores(&x, EXTRA + PAGE_SIZE, 5) &&
		dirty_is(&x, 0x02) && stores(&x, EXTRA + PAGE_SIZE, 6) && dirty_is(&x, 0x02);
	/* Over an edge: both. */
	fine &= stores(&x, EXTRA + 3 * PAGE_SIZE - 2, 0x11223344) && dirty_is(&x, 0x0c) &&
		loads(&x, EXTRA + 3 * PAGE_SIZE - 2, 0x11223344);
	/* What an emulated instruction writes: movsd from the device page. */
	x.p.gpr[RSI] = SMALL_DEVICE;
	x.p.gpr[RDI] = EXTRA + 7 * PAGE_SIZE;
	fine &= EXPECT_EQUAL(PROBE(&x.p, 0xa5), PROBE_FINE) && dirty_is(&x, 0x80);
	region_dirty_stop(&x.region, 0);
	u64 before = vcpu_exits(x.p.vcpu, REASON_EPT_VIOLATION).exits;
	fine &= stores(&x, EXTRA + 9 * PAGE_SIZE, 7) && loads(&x, EXTRA + 9 * PAGE_SIZE, 7) &&
		EXPECT_EQUAL(vcpu_exits(x.p.vcpu, REASON_EPT_VIOLATION).exits, before);
	close_extra(&x);
	return fine;
}

/* A section that begins and ends in the middle of a page: its whole pages are mapped, its edges go through the dispatch. */
static bool unaligned_edges(const struct boot *boot)
{
	struct extra x;

	if (!open_extra(&x, boot, EXTRA + 0x800, 0x800, 2 * PAGE_SIZE, &large))
		return false;
	const struct ept *ept = &x.p.small->vm.ept;
	bool fine = EXPECT_EQUAL(level_of(ept, EXTRA + 0x800), 0) &&
		    EXPECT_EQUAL(level_of(ept, EXTRA + 0x1000), 1) &&
		    EXPECT_EQUAL(level_of(ept, EXTRA + 0x2000), 0);
	fine &= loads(&x, EXTRA + 0x7fc, ~0u) && stores(&x, EXTRA + 0x800, 0x11) &&
		loads(&x, EXTRA + 0x800, 0x11) && EXPECT_EQUAL(*(u32 *)x.host, 0x11);
	fine &= stores(&x, EXTRA + 0x27fc, 0x22) && loads(&x, EXTRA + 0x27fc, 0x22) &&
		EXPECT_EQUAL(*(u32 *)(x.host + 0x1ffc), 0x22) && stores(&x, EXTRA + 0x2800, 0x33) &&
		loads(&x, EXTRA + 0x2800, ~0u) && EXPECT_EQUAL(*(u32 *)(x.host + 0x2000), 0);
	/* Over the section's first byte, over the edge of the mapped part, over its last byte. */
	fine &= stores(&x, EXTRA + 0x7fe, 0xaabbccdd) && loads(&x, EXTRA + 0x7fe, 0xaabbffff) &&
		EXPECT_EQUAL(*(u16 *)x.host, 0xaabb);
	fine &= stores(&x, EXTRA + 0xffe, 0x55667788) && loads(&x, EXTRA + 0xffe, 0x55667788) &&
		EXPECT_EQUAL(*(u16 *)(x.host + 0x800), 0x5566);
	fine &= stores(&x, EXTRA + 0x27fe, 0x99aabbcc) && loads(&x, EXTRA + 0x27fe, 0xffffbbcc);
	close_extra(&x);
	return fine;
}

static const struct selftest tests[] = {
	{ "tables: map, split, unmap; all pages are given back", map_split_unmap },
	{ "tables: what is misaligned, too large or not the guest's is refused", refusals },
	{ "a machine that cannot be mapped is not made", too_few_pages },
	{ "RAM, ROM and holes have their rights, in large pages", large_page_permissions },
	{ "RAM, ROM and holes have their rights, in small pages", small_page_permissions },
	{ "an alias shows its target, and moves over it", aliases },
	{ "regions made read-only, moved, disabled", changes_between_runs },
	{ "a change takes effect for the guest's next instruction", changes_at_once },
	{ "the dirty log has every page that was written, and no other", dirty_log },
	{ "sections that are not made of whole pages", unaligned_edges },
};

const struct selftest_group test_ept = SELFTEST_GROUP("ept", tests);
