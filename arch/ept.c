// SPDX-License-Identifier: BSD-2-Clause
#include "arch/ept.h"

#include "arch/page_alloc.h"

#define EPT_ENTRIES	   512
#define EPT_LEAF	   BIT(7) /* in a PDPTE or PDE: maps a page */
#define EPT_MEMORY_TYPE_WB (6ull << 3)
#define EPT_PRESENT	   (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPTP_WALK_4	   (3ull << 3)
#define EPTP_TYPE_WB	   6ull
#define CAP_2MIB	   BIT(16)
#define CAP_1GIB	   BIT(17)
#define ROOT_LEVEL	   4
#define GPA_LIMIT	   BIT(48)

static unsigned index_at(u64 gpa, unsigned level)
{
	return gpa >> EPT_PAGE_SHIFT(level) & (EPT_ENTRIES - 1);
}

static bool is_leaf(u64 entry, unsigned level)
{
	return (entry & EPT_PRESENT) && (level == 1 || (entry & EPT_LEAF));
}

static u64 *table_of(u64 entry)
{
	return (u64 *)EPT_ENTRY_ADDRESS(entry);
}

/* The one place where an entry is made that lets a guest touch memory. Write-only never occurs: it would be misconfigured. */
static u64 make_pte(u64 hpa, unsigned level, unsigned permission)
{
	return hpa | EPT_MEMORY_TYPE_WB | EPT_READ | (permission & EPT_PRESENT) | (level > 1 ? EPT_LEAF : 0);
}

static u64 *new_table(struct ept *ept)
{
	u64 *table = page_alloc(ept->pool);

	if (table)
		ept->tables++;
	return table;
}

bool ept_init(struct ept *ept, struct page_pool *pool, u64 capabilities, bool large_pages,
	      const struct ept_allowed *allowed, unsigned count)
{
	*ept = (struct ept){ .pool = pool, .allowed = allowed, .allowed_count = count, .largest_level = 1 };
	if (large_pages && (capabilities & CAP_2MIB))
		ept->largest_level = capabilities & CAP_1GIB ? 3 : 2;
	ept->root = new_table(ept);
	ept->pointer = (u64)ept->root | EPTP_WALK_4 | EPTP_TYPE_WB;
	return ept->root != NULL;
}

static void free_below(struct ept *ept, u64 *table, unsigned level)
{
	for (unsigned i = 0; i < EPT_ENTRIES; i++) {
		if (!(table[i] & EPT_PRESENT))
			continue;
		if (is_leaf(table[i], level))
			ept->leaves[level]--;
		else
			free_below(ept, table_of(table[i]), level - 1);
	}
	page_free(ept->pool, table);
	ept->tables--;
}

void ept_free(struct ept *ept)
{
	if (ept->root)
		free_below(ept, ept->root, ROOT_LEVEL);
	ept->root = NULL;
}

static bool is_allowed(const struct ept *ept, u64 hpa, u64 size)
{
	for (unsigned i = 0; i < ept->allowed_count; i++)
		if (hpa >= ept->allowed[i].first && hpa <= ept->allowed[i].last &&
		    size - 1 <= ept->allowed[i].last - hpa)
			return true;
	return ept->apic_access && hpa == ept->apic_access && size == PAGE_SIZE;
}

/* Replaces a large page by a table of the same meaning, one level down. */
static bool split(struct ept *ept, u64 *entry, unsigned level)
{
	u64 *table = new_table(ept);

	if (!table)
		return false;
	for (u64 i = 0; i < EPT_ENTRIES; i++)
		table[i] = make_pte(EPT_ENTRY_ADDRESS(*entry) + (i << EPT_PAGE_SHIFT(level - 1)), level - 1,
				    *entry & EPT_PRESENT);
	ept->leaves[level]--;
	ept->leaves[level - 1] += EPT_ENTRIES;
	*entry = (u64)table | EPT_PRESENT;
	ept->stale = true;
	return true;
}

static void drop(struct ept *ept, u64 *entry, unsigned level)
{
	if (!(*entry & EPT_PRESENT))
		return;
	if (is_leaf(*entry, level))
		ept->leaves[level]--;
	else
		free_below(ept, table_of(*entry), level - 1);
	*entry = 0;
	ept->stale = true;
}

/*
 * Sets [gpa, last], which lies under `table`, to hpa onwards, or to nothing if `permission` is 0. Descends only where the
 * edges demand it or a page would be too large.
 */
static bool set_range(struct ept *ept, u64 *table, unsigned level, u64 gpa, u64 last, u64 hpa,
		      unsigned permission)
{
	u64 page = 1ull << EPT_PAGE_SHIFT(level);

	for (;;) {
		u64 *entry = &table[index_at(gpa, level)];
		u64 entry_last = gpa | (page - 1);
		u64 part_last = MIN(last, entry_last);
		bool whole = IS_ALIGNED(gpa, page) && part_last == entry_last;

		if (whole && !permission) {
			drop(ept, entry, level);
		} else if (whole && level <= ept->largest_level && IS_ALIGNED(hpa, page)) {
			drop(ept, entry, level);
			*entry = make_pte(hpa, level, permission);
			ept->leaves[level]++;
		} else if (permission || (*entry & EPT_PRESENT)) {
			if (is_leaf(*entry, level) && !split(ept, entry, level))
				return false;
			if (!(*entry & EPT_PRESENT)) {
				u64 *below = new_table(ept);

				if (!below)
					return false;
				*entry = (u64)below | EPT_PRESENT;
			}
			if (!set_range(ept, table_of(*entry), level - 1, gpa, part_last, hpa, permission))
				return false;
		}
		if (part_last == last)
			return true;
		hpa += part_last + 1 - gpa;
		gpa = part_last + 1;
	}
}

static bool is_range(u64 gpa, u64 size)
{
	return size && IS_ALIGNED(gpa | size, PAGE_SIZE) && gpa < GPA_LIMIT && size <= GPA_LIMIT - gpa;
}

bool ept_map(struct ept *ept, u64 gpa, u64 size, u64 hpa, unsigned permission)
{
	if (!is_range(gpa, size) || !IS_ALIGNED(hpa, PAGE_SIZE) || !permission || !is_allowed(ept, hpa, size))
		return false;
	return set_range(ept, ept->root, ROOT_LEVEL, gpa, gpa + (size - 1), hpa, permission);
}

bool ept_unmap(struct ept *ept, u64 gpa, u64 size)
{
	return is_range(gpa, size) && set_range(ept, ept->root, ROOT_LEVEL, gpa, gpa + (size - 1), 0, 0);
}

u64 ept_lookup(const struct ept *ept, u64 gpa, unsigned *level)
{
	const u64 *table = ept->root;

	for (*level = gpa < GPA_LIMIT ? ROOT_LEVEL : 0; *level; --*level) {
		u64 entry = table[index_at(gpa, *level)];

		if (!(entry & EPT_PRESENT))
			return 0;
		if (is_leaf(entry, *level))
			return entry;
		table = table_of(entry);
	}
	return 0;
}

static void walk_below(const u64 *table, unsigned level, u64 gpa,
		       void (*visit)(void *context, u64 gpa, u64 entry, unsigned level), void *context)
{
	for (u64 i = 0; i < EPT_ENTRIES; i++) {
		u64 at = gpa + (i << EPT_PAGE_SHIFT(level));

		if (!(table[i] & EPT_PRESENT))
			continue;
		if (is_leaf(table[i], level))
			visit(context, at, table[i], level);
		else
			walk_below(table_of(table[i]), level - 1, at, visit, context);
	}
}

void ept_walk(const struct ept *ept, void (*visit)(void *context, u64 gpa, u64 entry, unsigned level),
	      void *context)
{
	walk_below(ept->root, ROOT_LEVEL, 0, visit, context);
}
