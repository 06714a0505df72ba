// SPDX-License-Identifier: BSD-2-Clause
/*
 * Levels are counted from the leaves: 0 = page table, 1 = page directory, 2 = PDPT, 3 = PML4.
 */
#include "arch/host_table.h"

#define ENTRIES	  512u
#define TOP_LEVEL 3u

static unsigned level_shift(unsigned level)
{
	return PAGE_SHIFT + 9 * level;
}

static unsigned level_index(u64 address, unsigned level)
{
	return address >> level_shift(level) & (ENTRIES - 1);
}

static bool is_table(u64 entry, unsigned level)
{
	return (entry & HOST_PTE_P) && level > 0 && !(entry & HOST_PTE_PS);
}

/* A and D are set from the start, so that the CPU never writes to the tables. */
static u64 make_leaf(u64 address, unsigned level, unsigned access)
{
	u64 entry = address | HOST_PTE_P | HOST_PTE_A;

	/* All zero, not just "not present": speculation may use what is left of an address (L1TF). */
	if (!access)
		return 0;
	if (access & HOST_WRITE)
		entry |= HOST_PTE_RW | HOST_PTE_D;
	if (!(access & HOST_EXEC))
		entry |= HOST_PTE_XD;
	if (access & HOST_DEVICE)
		entry |= HOST_PTE_PCD | HOST_PTE_PWT;
	return level ? entry | HOST_PTE_PS : entry;
}

/* The table below `*entry`; one that maps what a large page mapped, if it was one; NULL: no page left. */
static u64 *table_below(struct page_pool *pool, u64 *entry, unsigned level)
{
	u64 *table;

	if (is_table(*entry, level))
		return (u64 *)(*entry & HOST_PTE_ADDR);
	table = page_alloc(pool);
	if (!table)
		return NULL;
	if (*entry & HOST_PTE_P) {
		u64 leaf = level == 1 ? *entry & ~HOST_PTE_PS : *entry;

		for (u64 i = 0; i < ENTRIES; i++)
			table[i] = leaf + (i << level_shift(level - 1));
	}
	*entry = (u64)table | HOST_PTE_P | HOST_PTE_RW | HOST_PTE_A;
	return table;
}

static bool map_level(const struct host_table *table, u64 *entries, unsigned level, u64 first, u64 last,
		      unsigned access)
{
	u64 span = 1ull << level_shift(level);
	bool leaf_here = level == 0 || level == 1 || (level == 2 && table->pages_1g);

	for (u64 base = ALIGN_DOWN(first, span); base <= last; base += span) {
		u64 *entry = &entries[level_index(base, level)];
		u64 part_first = MAX(first, base), part_last = MIN(last, base + span - 1);
		bool whole = part_first == base && part_last == base + span - 1;
		u64 *below;

		if (whole && leaf_here && !is_table(*entry, level)) {
			*entry = make_leaf(base, level, access);
			continue;
		}
		below = table_below(table->pool, entry, level);
		if (!below || !map_level(table, below, level - 1, part_first, part_last, access))
			return false;
	}
	return true;
}

bool host_table_init(struct host_table *table, struct page_pool *pool, bool pages_1g)
{
	*table = (struct host_table){ .pool = pool, .top = page_alloc(pool), .pages_1g = pages_1g };
	return table->top;
}

bool host_table_map(struct host_table *table, u64 address, u64 size, unsigned access)
{
	u64 last = address + size - 1;

	if (!size)
		return true;
	if (last < address || last >= HOST_ADDRESS_LIMIT)
		return false;
	return map_level(table, table->top, TOP_LEVEL, ALIGN_DOWN(address, PAGE_SIZE), last | PAGE_MASK,
			 access);
}

u64 host_table_entry(const struct host_table *table, u64 address, u64 *page_size)
{
	const u64 *entries = table->top;
	unsigned level = TOP_LEVEL;

	if (address >= HOST_ADDRESS_LIMIT) {
		*page_size = 0;
		return 0;
	}
	while (is_table(entries[level_index(address, level)], level)) {
		entries = (const u64 *)(entries[level_index(address, level)] & HOST_PTE_ADDR);
		level--;
	}
	*page_size = 1ull << level_shift(level);
	return entries[level_index(address, level)];
}
